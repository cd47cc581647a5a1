// Attacks that take more than one request: what a script can say. Steps run one after the other; a connection that is
// given a name stays open.
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import type { CaseExpectation, Presets, RequestSpec } from "./case-file.ts";

/** One step; exactly one of its actions is given. */
export interface Step {
  /** Sends a request. Without `on` its answer is read to the end and judged. */
  readonly send?: RequestSpec & {
    readonly needs?: string;
    readonly expect?: CaseExpectation;
    /** Header of the answer to keep, by the name of the variable that later steps use. */
    readonly capture?: Readonly<Record<string, string>>;
    /** Name of the connection, which stays open. */
    readonly on?: string;
    /** Sends the head, or the body, one byte at a time. */
    readonly drip?: { readonly part: "head" | "body"; readonly pauseMs: number };
    /** Takes nothing from the socket. */
    readonly unread?: boolean;
  };
  /** The named connection gets this text. */
  readonly receives?: { readonly on: string; readonly text: string; readonly withinMs?: number };
  /** The named connection is still open. */
  readonly open?: string;
  /**
   * The other side closes the named connection. One that is not read cannot see it: with `unreadMs` it is left for that long,
   * then read, and must end before the whole of the answer has come.
   */
  readonly closes?: { readonly on: string; readonly withinMs: number; readonly unreadMs?: number };
  /** Opens so many connections and says nothing on them. */
  readonly idle?: number;
}

export interface Script {
  readonly id: string;
  readonly title: string;
  /** What the target must offer; all of it. */
  readonly needs?: readonly string[];
  readonly steps: readonly Step[];
}

export interface ScriptFile extends Presets {
  readonly scripts: readonly Script[];
}

export function readScriptFile(file: string): ScriptFile {
  const content = parse(readFileSync(file, "utf8")) as ScriptFile;
  const seen = new Set<string>();
  for (const { id, steps } of content.scripts) {
    if (seen.has(id)) throw new Error(`${file}: two scripts are called ${id}`);
    seen.add(id);
    for (const step of steps) {
      if (Object.keys(step).length !== 1) throw new Error(`${file}: a step of ${id} is not one action`);
    }
  }
  return content;
}
