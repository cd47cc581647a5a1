// Lowers one `redact` path of a leaf to the readings the gateway applies, checked against the approved schemas.
import type { JsonTypeName, PathSegment, SchemaProgram } from "#bundle";
import { validateAndProject } from "#schema";
import { closestName } from "#std";
import type { JsonValue } from "#std";
import { REDACTED } from "#transform";
import { lowerOutputSchema } from "../json-schema/index.ts";
import { formatPath, parsePath } from "./parse-path.ts";
import { isListOnly, memberNames, stepFrom } from "./schema-walk.ts";

/** Every code, with the severity it always has. */
export const TRANSFORM_FINDINGS = {
  TRANSFORM_BREAKS_SCHEMA: "warning",
  TRANSFORM_PATH_IMPOSSIBLE: "error",
  TRANSFORM_PATH_INVALID: "error",
  TRANSFORM_PATH_UNDECLARED: "warning",
  TRANSFORM_ROOT_UNKNOWN: "error",
  TRANSFORM_SCHEMA_UNUSABLE: "warning",
} as const;

export type TransformFindingCode = keyof typeof TRANSFORM_FINDINGS;

export interface TransformFinding {
  readonly code: TransformFindingCode;
  readonly severity: "error" | "warning";
  /** UTF-16 units from the start of the path. */
  readonly offset: number;
  readonly message: string;
  readonly help?: string;
}

export interface RedactionInput {
  /** As written, e.g. `$.response.assignee.email`. */
  readonly path: string;
  /** Approved inputSchema; absent = arguments are not described. */
  readonly inputSchema?: JsonValue | undefined;
  /** Approved outputSchema; absent = both readings of `$.response` are applied. */
  readonly outputSchema?: JsonValue | undefined;
}

export interface LoweredRedaction {
  readonly direction: "request" | "response";
  /** For `TransformOperation.paths`, relative to the arguments or the result payload. */
  readonly paths: readonly (readonly PathSegment[])[];
  /** For `TransformEntry.publicNames`. */
  readonly publicNames: readonly string[];
}

export interface RedactionOutcome {
  /** Undefined where a finding is an error. */
  readonly redaction: LoweredRedaction | undefined;
  readonly findings: readonly TransformFinding[];
}

const MAX_PUBLIC_NAMES = 5_000;

const STAND_INS: Readonly<Record<JsonTypeName, JsonValue>> = {
  string: REDACTED,
  integer: 0,
  number: 0,
  boolean: false,
  array: [],
  object: {},
  null: null,
};

class PathCheck {
  readonly findings: TransformFinding[] = [];
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  report(code: TransformFindingCode, offset: number, message: string, help?: string): void {
    const severity = TRANSFORM_FINDINGS[code];
    this.findings.push({ code, severity, offset, message, ...(help === undefined ? {} : { help }) });
  }

  get hasErrors(): boolean {
    return this.findings.some(({ severity }) => severity === "error");
  }

  /** Follows `segments`; `written` are all segments of the path as written, of which they are the tail. */
  follow(program: SchemaProgram, segments: readonly PathSegment[], written: readonly PathSegment[]): void {
    let nodes: readonly number[] = [program.root];
    for (const [position, segment] of segments.entries()) {
      const before = written.slice(0, written.length - segments.length + position);
      const steps = nodes.map((index) => stepFrom(program, index, segment));
      const next = [...new Set(steps.flatMap((step) => step.next))];
      const names = [...new Set(nodes.flatMap((index) => memberNames(program, index)))];
      if (!steps.some((step) => step.possible)) {
        this.#impossible(program, nodes, segment, before, names);
        return;
      }
      if (next.length === 0) {
        this.#undeclared(segment, before, names);
        return;
      }
      nodes = next;
    }
    this.#checkStandIns(program, nodes);
  }

  #impossible(
    program: SchemaProgram,
    nodes: readonly number[],
    segment: PathSegment,
    before: readonly PathSegment[],
    names: readonly string[],
  ): void {
    const shown = formatPath([...before, segment]);
    const offset = Math.min(formatPath(before).length, this.#path.length - 1);
    const lists = nodes.length > 0 && nodes.every((index) => isListOnly(program, index));
    const listHelp = `${formatPath(before)} is a list; write ${formatPath([...before, { kind: "wildcard" }, segment])}.`;
    const help = lists && segment.kind === "name" ? listHelp : suggest(segment, before, names);
    this.report(
      "TRANSFORM_PATH_IMPOSSIBLE",
      offset,
      `by the approved schema nothing can stand at ${shown}`,
      help,
    );
  }

  #undeclared(segment: PathSegment, before: readonly PathSegment[], names: readonly string[]): void {
    const shown = formatPath([...before, segment]);
    const offset = Math.min(formatPath(before).length, this.#path.length - 1);
    const help = suggest(segment, before, names);
    this.report("TRANSFORM_PATH_UNDECLARED", offset, `the approved schema does not describe ${shown}`, help);
  }

  #checkStandIns(program: SchemaProgram, nodes: readonly number[]): void {
    for (const index of nodes) {
      for (const type of program.nodes[index]?.types ?? []) {
        const wrapped: SchemaProgram = {
          nodes: [...program.nodes, { types: ["object"], properties: { value: index } }],
          root: program.nodes.length,
        };
        if (validateAndProject(wrapped, { value: STAND_INS[type] }).ok) continue;
        this.report(
          "TRANSFORM_BREAKS_SCHEMA",
          0,
          `a redacted ${type} becomes ${JSON.stringify(STAND_INS[type])}, which the approved schema does not allow`,
          "A client that validates results will refuse the redacted one.",
        );
      }
    }
  }
}

function suggest(
  segment: PathSegment,
  before: readonly PathSegment[],
  names: readonly string[],
): string | undefined {
  if (segment.kind !== "name" || names.length === 0) return undefined;
  const name = closestName(segment.name, names);
  if (name !== undefined) return `Did you mean ${formatPath([...before, { kind: "name", name }])}?`;
  return names.length <= 20 ? `Described there: ${names.join(", ")}.` : undefined;
}

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

function lowerRequest(
  check: PathCheck,
  segments: readonly PathSegment[],
  schema: JsonValue | undefined,
): LoweredRedaction {
  const program = lowerable(check, schema);
  const path = segments.slice(1);
  if (program !== undefined) check.follow(program, path, segments);
  return { direction: "request", paths: [path], publicNames: [] };
}

function lowerResponse(
  check: PathCheck,
  segments: readonly PathSegment[],
  schema: JsonValue | undefined,
): LoweredRedaction {
  const program = lowerable(check, schema);
  const payloadPath = segments.slice(1);
  const publicNames = publicNamesOf(program);
  if (program === undefined) {
    return { direction: "response", paths: [payloadPath, segments], publicNames };
  }
  const [first] = segments;
  const isMember = first !== undefined && stepFrom(program, program.root, first).named;
  const path = isMember ? segments : payloadPath;
  check.follow(program, path, segments);
  return { direction: "response", paths: [path], publicNames };
}

/**
 * `$.request` is the arguments, `$.response` the result payload (structuredContent, and JSON carried in text); where
 * the approved outputSchema has a literal `response` member it is that member, and without an outputSchema both.
 */
export function lowerRedaction(input: RedactionInput): RedactionOutcome {
  const check = new PathCheck(input.path);
  const parsed = parsePath(input.path);
  if (!parsed.ok) {
    check.report("TRANSFORM_PATH_INVALID", parsed.offset, parsed.message);
    return { redaction: undefined, findings: check.findings };
  }
  const [first] = parsed.segments;
  const root = first?.kind === "name" ? first.name : undefined;
  if (root !== "request" && root !== "response") {
    const meant = root === undefined ? undefined : closestName(root, ["request", "response"]);
    const rest = formatPath(parsed.segments).slice(1);
    check.report(
      "TRANSFORM_ROOT_UNKNOWN",
      Math.min(1, input.path.length - 1),
      "a path begins with $.request or $.response",
      meant === undefined ? `Did you mean $.response${rest}?` : `Did you mean $.${meant}?`,
    );
    return { redaction: undefined, findings: check.findings };
  }
  const redaction =
    root === "request"
      ? lowerRequest(check, parsed.segments, input.inputSchema)
      : lowerResponse(check, parsed.segments, input.outputSchema);
  return { redaction: check.hasErrors ? undefined : redaction, findings: check.findings };
}
