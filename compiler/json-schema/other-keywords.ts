// Keywords that do not become part of a program: annotations, and what cannot be lowered.
import { closestName, isJsonObject } from "#std";
import type { JsonValue } from "#std";
import { APPLICATOR_KEYWORDS } from "./applicator-keywords.ts";
import type { NodeDraft } from "./node-draft.ts";
import { VALUE_KEYWORDS } from "./value-keywords.ts";

const ANNOTATIONS: ReadonlySet<string> = new Set([
  "$anchor",
  "$comment",
  "$defs",
  "$dynamicAnchor",
  "$id",
  "$recursiveAnchor",
  "$schema",
  "$vocabulary",
  "additionalItems",
  "contentEncoding",
  "contentMediaType",
  "contentSchema",
  "default",
  "definitions",
  "deprecated",
  "description",
  "example",
  "examples",
  "readOnly",
  "title",
  "writeOnly",
]);

/** Why each keyword that decides validity somewhere cannot be lowered. */
const UNSUPPORTED: ReadonlyMap<string, string> = new Map([
  ["$dynamicRef", "its target depends on the path of evaluation"],
  ["$recursiveRef", "its target depends on the path of evaluation"],
  ["unevaluatedItems", "it depends on which other keywords looked at an item"],
  ["unevaluatedProperties", "it depends on which other keywords looked at a member"],
  ["disallow", "it is draft-03"],
  ["divisibleBy", "it is draft-03"],
  ["extends", "it is draft-03"],
]);

const KNOWN: readonly string[] = [
  ...VALUE_KEYWORDS.keys(),
  ...APPLICATOR_KEYWORDS.keys(),
  ...UNSUPPORTED.keys(),
];

function acceptsEverything(schema: JsonValue): boolean {
  return schema === true || (isJsonObject(schema) && Object.keys(schema).length === 0);
}

/** True where the keyword can stand beside `$ref` without adding a condition. */
export function isInert(keyword: string): boolean {
  return !VALUE_KEYWORDS.has(keyword) && !APPLICATOR_KEYWORDS.has(keyword) && !UNSUPPORTED.has(keyword);
}

/** Handles a keyword that no handler takes. Unknown keywords are annotations (JSON Schema 2020-12 §6.5). */
export function noteOtherKeyword(draft: NodeDraft, value: JsonValue, keyword: string): void {
  const reason = UNSUPPORTED.get(keyword);
  if (reason !== undefined) {
    if (keyword.startsWith("unevaluated") && acceptsEverything(value)) return;
    draft.report(
      "SCHEMA_KEYWORD_UNSUPPORTED",
      keyword,
      `${keyword} cannot be lowered: ${reason}`,
      keyword === "unevaluatedProperties" ? "Use additionalProperties." : undefined,
    );
    return;
  }
  if (ANNOTATIONS.has(keyword) || keyword.startsWith("x-")) return;
  if (keyword === "nullable" && value === true) {
    draft.report(
      "SCHEMA_KEYWORD_IGNORED",
      keyword,
      "nullable is an OpenAPI keyword and has no effect: null is refused",
      'Write "type": [..., "null"].',
    );
    return;
  }
  const meant = closestName(keyword, KNOWN);
  if (meant === undefined) return;
  draft.report(
    "SCHEMA_KEYWORD_UNKNOWN",
    keyword,
    `${JSON.stringify(keyword)} is no JSON Schema keyword and has no effect`,
    `Did you mean ${JSON.stringify(meant)}?`,
  );
}
