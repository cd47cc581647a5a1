// The one entry of the hot path: arguments in, Cedar context record out, or a refusal.
import type { SchemaProgram } from "#bundle";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { compileProgram } from "./compile-program.ts";
import type { CompiledProgram } from "./compile-program.ts";
import { project } from "./project.ts";
import { validate } from "./validate.ts";

/** Undescribed top-level names that may enter the context. */
const MAX_EXTRA_NAMES = 1_024;

export type ArgumentsOutcome =
  | {
      readonly ok: true;
      /** Cedar JSON: strings, integers, booleans, `{"__extn":{"fn":"decimal","arg":"1.25"}}`, arrays and records. */
      readonly projected: JsonObject;
      /** Top-level names that the schema does not describe, sorted. */
      readonly extra: readonly string[];
    }
  | {
      readonly ok: false;
      readonly code: "ARGUMENTS_INVALID" | "ARGUMENTS_NOT_REPRESENTABLE";
      /** JSON Pointer to the value at fault. */
      readonly path: string;
      /** Names the rule, never the value. */
      readonly message: string;
    };

const EMPTY_RECORD: JsonObject = Object.freeze(Object.create(null) as JsonObject);
const compiledPrograms = new WeakMap<SchemaProgram, CompiledProgram>();

function compiled(program: SchemaProgram | CompiledProgram): CompiledProgram {
  if (!("nodes" in program)) return program;
  const known = compiledPrograms.get(program);
  if (known !== undefined) return known;
  const fresh = compileProgram(program);
  compiledPrograms.set(program, fresh);
  return fresh;
}

function refusal(
  code: "ARGUMENTS_INVALID" | "ARGUMENTS_NOT_REPRESENTABLE",
  path: readonly string[],
  message: string,
): ArgumentsOutcome {
  const pointer = path.map((token) => `/${token.replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
  return { ok: false, code, path: pointer, message };
}

/**
 * Validates arguments against the approved schema and projects what policies may read.
 * Pass a `CompiledProgram` on the hot path; a bare program is compiled on first use.
 */
export function validateAndProject(
  program: SchemaProgram | CompiledProgram,
  value: JsonValue,
): ArgumentsOutcome {
  const { root, projection, describedNames } = compiled(program);
  if (!isJsonObject(value)) return refusal("ARGUMENTS_INVALID", [], "arguments must be an object");
  try {
    const violation = validate(root, value);
    if (violation !== undefined) {
      return refusal("ARGUMENTS_INVALID", violation.path.reverse(), `does not satisfy ${violation.keyword}`);
    }
  } catch (error) {
    // Work and depth limits; anything else here is equally a value that was not shown to be valid.
    return refusal(
      "ARGUMENTS_INVALID",
      [],
      error instanceof Error ? error.message : "could not be validated",
    );
  }
  const extra = Object.keys(value)
    .filter((name) => !describedNames.has(name))
    .sort();
  if (extra.length > MAX_EXTRA_NAMES) return refusal("ARGUMENTS_NOT_REPRESENTABLE", [], "has too many names");
  if (!extra.every((name) => name.isWellFormed())) {
    return refusal("ARGUMENTS_NOT_REPRESENTABLE", [], "has a name with an unpaired surrogate");
  }
  if (projection === undefined) return { ok: true, projected: EMPTY_RECORD, extra };
  const outcome = project(projection, value);
  if ("refused" in outcome) {
    return refusal("ARGUMENTS_NOT_REPRESENTABLE", outcome.refused.path.reverse(), outcome.refused.reason);
  }
  return { ok: true, projected: outcome.value as JsonObject, extra };
}
