// The literals that a question names: what sets of the request are asked for.
import type { SchemaProgram } from "#bundle";
import { isJsonObject } from "#std";
import type { JsonValue } from "#std";
import type { PolicyEst } from "../cedar/est.ts";
import { visitExprs } from "../cedar/est.ts";
import type { ScalarKind } from "./symbolic-values.ts";
import { OutsideFragment, integer, text } from "./terms.ts";
import type { Term } from "./terms.ts";

/** Schemas may list thousands of values; those beyond are told apart by nothing. */
const MAX_SCHEMA_LITERALS = 200;
/** What the context computes by itself. */
const OWN_TEXTS = ["mfa"];

/** Texts and numbers of policies and of lists in schemas, by type, each once and sorted. */
export function collectLiterals(
  policies: readonly PolicyEst[],
  programs: readonly SchemaProgram[],
): ReadonlyMap<ScalarKind, readonly Term[]> {
  const texts = new Set<Term>();
  const numbers = new Set<Term>();
  const add = (value: JsonValue): void => {
    if (typeof value === "string") addText(value, texts);
    else if (typeof value === "number" && Number.isSafeInteger(value)) numbers.add(integer(value));
    else if (Array.isArray(value)) (value as readonly JsonValue[]).forEach(add);
  };
  for (const policy of policies) {
    visitExprs(policy, (expr) => {
      const value = expr["Value"];
      if (value !== undefined) add(value);
    });
  }
  OWN_TEXTS.forEach(add);
  for (const value of programs.flatMap(itemLists).slice(0, MAX_SCHEMA_LITERALS)) add(value);
  return new Map<ScalarKind, readonly Term[]>([
    ["String", [...texts].sort()],
    ["Long", [...numbers].sort()],
  ]);
}

function addText(value: string, texts: Set<Term>): void {
  try {
    texts.add(text(value));
  } catch (fault) {
    if (!(fault instanceof OutsideFragment)) throw fault;
  }
}

/** Values that elements of arrays are chosen from. */
function itemLists({ nodes }: SchemaProgram): readonly JsonValue[] {
  return nodes.flatMap(({ items }) => {
    const values = items === undefined ? undefined : nodes[items]?.enum;
    return (values ?? []).filter((value) => !isJsonObject(value));
  });
}
