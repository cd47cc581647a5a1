// The explanation of a recorded decision, as text and as JSON.
import { renderPolicies } from "#explain";
import type { ExplainTextOptions } from "#explain";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import type { RecordExplanation } from "./explain-record.ts";
import { endLines } from "./recorded-end.ts";

const RECORD_EXPLANATION_FORMAT_VERSION = 1;

/** One JSON document with a `formatVersion`. */
export function renderRecordJson(explanation: RecordExplanation): string {
  return `${JSON.stringify({ formatVersion: RECORD_EXPLANATION_FORMAT_VERSION, ...explanation }, null, 2)}\n`;
}

export interface RecordTextOptions extends ExplainTextOptions {
  /** One segment was read alone, so that a result may stand in another. */
  readonly ofSegment: boolean;
}

/** Lines of text, ending with a newline. */
export function renderRecordText(explanation: RecordExplanation, options: RecordTextOptions): string {
  const { policies } = explanation;
  const sections = [
    lines(headLines(explanation, options), options),
    ...(policies.length === 0 ? [] : [`Policies\n${renderPolicies(policies, options)}`]),
    lines(factLines(explanation), options),
  ];
  return sections.join("\n");
}

function lines(texts: readonly string[], { printable }: ExplainTextOptions): string {
  return texts.map((text) => `${printable(text)}\n`).join("");
}

function headLines(explanation: RecordExplanation, options: RecordTextOptions): readonly string[] {
  const { record, end, bundle } = explanation;
  const { roles, id } = record.principal;
  const because = [record.code, record.stage === undefined ? undefined : `at ${record.stage}`, record.detail];
  return [
    `${record.effect.toUpperCase()}  ${record.action}  (recorded)`,
    `  decision   ${record.id}, ${record.at}, tenant ${record.tenant}`,
    `  caller     ${id} (${roles.length === 0 ? "no roles" : `roles ${roles.join(", ")}`})`,
    ...(record.policies.length === 0 ? [] : [`  policies   ${record.policies.join(", ")}`]),
    ...(record.code === undefined
      ? []
      : [`  because    ${because.filter((part) => part !== undefined).join(" ")}`]),
    ...endLines(end, options),
    bundle.decided
      ? `  bundle     ${bundle.digest}, the one that decided`
      : `  bundle     ${record.digest} decided; EXPLAINED WITH ANOTHER ONE: ${bundle.digest}`,
    `  explained  ${explainedText(explanation)}`,
  ];
}

function explainedText({ explained, agrees }: RecordExplanation): string {
  if (explained === null) return "not at all: the record holds no facts";
  if (explained.kind === "open") return `cannot be told: it depends on ${explained.missing.join(", ")}`;
  const by = explained.reasons.length === 0 ? "" : `, by ${explained.reasons.join(", ")}`;
  const code = explained.code === undefined ? "" : ` (${explained.code})`;
  const same = agrees === true ? "as recorded" : "NOT as recorded";
  return `${explained.effect}${code}${by}: ${same}`;
}

function factLines({ facts, record }: RecordExplanation): readonly string[] {
  if (facts === null) {
    return [
      "Facts",
      "  none are recorded, so the policies cannot be asked again. To have them from now on:",
      `  retention.yaml: facts: { ${record.tenant === "default" ? "" : "tenants: { "}${record.tenant}: without-text${record.tenant === "default" ? "" : " }"} }`,
    ];
  }
  const { mode, principal, context, absent, withheld } = facts;
  return [
    `Facts (${text(mode)})`,
    ...members("principal", principal, ["type", "tenant"]),
    ...members("context", context, []),
    ...named("absent", absent),
    ...named("withheld", withheld),
  ];
}

function members(root: string, value: JsonValue | undefined, except: readonly string[]): readonly string[] {
  const entries = Object.entries(isJsonObject(value ?? null) ? (value as JsonObject) : {});
  return entries
    .filter(([name, member]) => !except.includes(name) && JSON.stringify(member) !== "{}")
    .map(([name, member]) => `  ${root}.${name} = ${JSON.stringify(member)}`);
}

function named(label: string, names: JsonValue | undefined): readonly string[] {
  return Array.isArray(names) && names.length > 0 ? [`  ${label}: ${names.map(text).join(", ")}`] : [];
}

function text(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
