// Lowers one line of `transforms` to the readings the gateway applies, checked against the approved schemas.
import type { PathSegment, SchemaProgram } from "#bundle";
import { closestName } from "#std";
import type { JsonValue } from "#std";
import { lowerOutputSchema } from "../json-schema/index.ts";
import { effectsOf } from "./effect.ts";
import type { OperationSpec } from "./effect.ts";
import { formatPath, parsePath } from "./parse-path.ts";
import { PathCheck } from "./path-check.ts";
import type { SchemaPlace, TransformFinding } from "./path-check.ts";
import { stepFrom } from "./schema-walk.ts";

export interface OperationInput {
  readonly spec: OperationSpec;
  /** As written, e.g. `$.response.assignee.email`. */
  readonly path: string;
  /** False for what is read and takes no arguments: a resource. */
  readonly takesArguments: boolean;
  /** Approved inputSchema; absent = arguments are not described. */
  readonly inputSchema?: JsonValue | undefined;
  /** The arguments, where no JSON Schema describes them: a prompt's. */
  readonly inputProgram?: SchemaProgram | undefined;
  /** Approved outputSchema; absent = both readings of `$.response` are applied. */
  readonly outputSchema?: JsonValue | undefined;
}

export interface LoweredOperation {
  readonly direction: "request" | "response";
  /** For `TransformOperation.paths`, relative to the arguments or the result payload. */
  readonly paths: readonly (readonly PathSegment[])[];
  /** For `TransformEntry.publicNames`. */
  readonly publicNames: readonly string[];
}

export interface OperationOutcome {
  /** Undefined where a finding is an error. */
  readonly operation: LoweredOperation | undefined;
  readonly findings: readonly TransformFinding[];
}

const MAX_PUBLIC_NAMES = 5_000;

function lowerable(check: PathCheck, schema: JsonValue | undefined): SchemaProgram | undefined {
  if (schema === undefined) return undefined;
  const { program, findings } = lowerOutputSchema(schema);
  const fault = findings.find(({ severity }) => severity === "error");
  if (fault === undefined) return program;
  check.report(
    "TRANSFORM_SCHEMA_UNUSABLE",
    0,
    `the path is not checked: the approved schema cannot be lowered (${fault.message})`,
  );
  return undefined;
}

function publicNamesOf(program: SchemaProgram | undefined): readonly string[] {
  const names = new Set(program?.nodes.flatMap((node) => Object.keys(node.properties ?? {})));
  return [...names].sort().slice(0, MAX_PUBLIC_NAMES);
}

type Direction = LoweredOperation["direction"];

const FITTING = "Use `redact` where text is allowed, or `replace` with a value of the type.";

const CONSEQUENCE: Readonly<Record<Direction, string>> = {
  request: `The gateway will refuse the call, as what it would send is not what was approved. ${FITTING}`,
  response: `A client that validates results will refuse the transformed one. ${FITTING}`,
};

/**
 * A request that no longer satisfies the approved schema is refused by the gateway, so whatever breaks it is an error.
 * A result that a client may refuse is an error only where every result breaks; hiding comes before pleasing.
 */
function checkEffects(
  check: PathCheck,
  direction: Direction,
  place: SchemaPlace | undefined,
  spec: OperationSpec,
): void {
  if (place === undefined) return;
  for (const { kind, message } of effectsOf(place, spec)) {
    if (kind === "idle") check.report("TRANSFORM_PATH_IMPOSSIBLE", 0, message);
    else {
      const severity = direction === "request" || kind === "breaks" ? "error" : "warning";
      check.report("TRANSFORM_BREAKS_SCHEMA", 0, message, CONSEQUENCE[direction], severity);
    }
  }
}

function lowerRequest(
  check: PathCheck,
  segments: readonly PathSegment[],
  { inputSchema, inputProgram, spec }: OperationInput,
): LoweredOperation {
  const program = inputProgram ?? lowerable(check, inputSchema);
  const path = segments.slice(1);
  if (program !== undefined) checkEffects(check, "request", check.follow(program, path, segments), spec);
  return { direction: "request", paths: [path], publicNames: [] };
}

function lowerResponse(
  check: PathCheck,
  segments: readonly PathSegment[],
  { outputSchema, spec }: OperationInput,
): LoweredOperation {
  const program = lowerable(check, outputSchema);
  const payloadPath = segments.slice(1);
  const publicNames = publicNamesOf(program);
  if (program === undefined) {
    return { direction: "response", paths: [payloadPath, segments], publicNames };
  }
  const [first] = segments;
  const isMember = first !== undefined && stepFrom(program, program.root, first).named;
  const path = isMember ? segments : payloadPath;
  checkEffects(check, "response", check.follow(program, path, segments), spec);
  return { direction: "response", paths: [path], publicNames };
}

function checkRoot(
  check: PathCheck,
  segments: readonly PathSegment[],
  input: OperationInput,
): Direction | undefined {
  const [first] = segments;
  const root = first?.kind === "name" ? first.name : undefined;
  if (root !== "request" && root !== "response") {
    const meant = root === undefined ? undefined : closestName(root, ["request", "response"]);
    const rest = formatPath(segments).slice(1);
    check.report(
      "TRANSFORM_ROOT_UNKNOWN",
      Math.min(1, input.path.length - 1),
      "a path begins with $.request or $.response",
      meant === undefined ? `Did you mean $.response${rest}?` : `Did you mean $.${meant}?`,
    );
    return undefined;
  }
  if (root === "request" && !input.takesArguments) {
    check.report("TRANSFORM_PATH_IMPOSSIBLE", 0, "a resource is read by its URI and takes no arguments");
    return undefined;
  }
  if (input.spec.verb === "remove" && segments.length === 1) {
    check.report("TRANSFORM_PATH_INVALID", 0, "remove takes out a member or an element, not the whole");
    return undefined;
  }
  return root;
}

/**
 * `$.request` is the arguments, `$.response` the result payload (structuredContent, and JSON carried in text); where
 * the approved outputSchema has a literal `response` member it is that member, and without an outputSchema both.
 */
export function lowerOperation(input: OperationInput): OperationOutcome {
  const check = new PathCheck(input.path);
  const parsed = parsePath(input.path);
  if (!parsed.ok) {
    check.report("TRANSFORM_PATH_INVALID", parsed.offset, parsed.message);
    return { operation: undefined, findings: check.findings };
  }
  const direction = checkRoot(check, parsed.segments, input);
  if (direction === undefined) return { operation: undefined, findings: check.findings };
  const lower = direction === "request" ? lowerRequest : lowerResponse;
  const operation = lower(check, parsed.segments, input);
  return { operation: check.hasErrors ? undefined : operation, findings: check.findings };
}
