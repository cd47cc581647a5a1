// Follows a written path through an approved schema, and says what is wrong with it.
import type { PathSegment, SchemaProgram } from "#bundle";
import { closestName } from "#std";
import { formatPath } from "./parse-path.ts";
import { isListOnly, memberNames, stepFrom } from "./schema-walk.ts";

/** Every code, with its usual severity. */
const TRANSFORM_FINDINGS = {
  TRANSFORM_BREAKS_SCHEMA: "error",
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

/** Where a path ends in a schema. */
export interface SchemaPlace {
  readonly program: SchemaProgram;
  /** Nodes that describe what the last segment is taken from; empty for the root. */
  readonly parents: readonly number[];
  /** The last segment; undefined for the root. */
  readonly segment: PathSegment | undefined;
  /** Nodes that describe the value; empty where the schema leaves it open. */
  readonly nodes: readonly number[];
}

/** Follows one written path and gathers what is wrong with it. */
export class PathCheck {
  readonly findings: TransformFinding[] = [];
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  report(
    code: TransformFindingCode,
    offset: number,
    message: string,
    help?: string,
    severity: "error" | "warning" = TRANSFORM_FINDINGS[code],
  ): void {
    this.findings.push({ code, severity, offset, message, ...(help === undefined ? {} : { help }) });
  }

  get hasErrors(): boolean {
    return this.findings.some(({ severity }) => severity === "error");
  }

  /**
   * Follows `segments`; `written` are all segments of the path as written, of which they are the tail. Undefined where
   * the schema does not describe the place.
   */
  follow(
    program: SchemaProgram,
    segments: readonly PathSegment[],
    written: readonly PathSegment[],
  ): SchemaPlace | undefined {
    let nodes: readonly number[] = [program.root];
    let parents: readonly number[] = [];
    for (const [position, segment] of segments.entries()) {
      const before = written.slice(0, written.length - segments.length + position);
      const steps = nodes.map((index) => stepFrom(program, index, segment));
      const next = [...new Set(steps.flatMap((step) => step.next))];
      const names = [...new Set(nodes.flatMap((index) => memberNames(program, index)))];
      if (!steps.some((step) => step.possible)) {
        this.#impossible(program, nodes, segment, before, names);
        return undefined;
      }
      if (next.length === 0) {
        this.#undeclared(segment, before, names);
        return { program, parents: nodes, segment, nodes: [] };
      }
      parents = nodes;
      nodes = next;
    }
    return { program, parents, segment: segments.at(-1), nodes };
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
    const message = `the approved schema does not describe ${shown}`;
    // A misspelt path leaves in what it was to take out, and nothing else would say so.
    const severity = isMisspelt(segment, names) ? "error" : "warning";
    this.report("TRANSFORM_PATH_UNDECLARED", offset, message, help, severity);
  }
}

/** Names so short that one other letter makes another name. */
const MAX_SHORT_NAME = 2;

/** True where a described member is meant. `line2` beside `line1` is another one. */
function isMisspelt(segment: PathSegment, names: readonly string[]): boolean {
  if (segment.kind !== "name" || segment.name.length <= MAX_SHORT_NAME) return false;
  const near = closestName(segment.name, names);
  const withoutDigits = (name: string): string => name.replaceAll(/\d/gu, "");
  return near !== undefined && withoutDigits(near) !== withoutDigits(segment.name);
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
