// The text of one document and where offsets of it stand.
import type { DiagnosticSink } from "../diagnostics/index.ts";
import { startOf } from "../diagnostics/index.ts";
import type { SourceSpan } from "../diagnostics/index.ts";
import { WorkspaceError } from "../workspace/index.ts";
import type { Workspace } from "../workspace/index.ts";

/** Authored documents are written by people. The YAML parser is quadratic on hostile text: 1 MiB can take 20 s. */
export const MAX_AUTHORED_BYTES = 256 * 1024;

function bytesOf(workspace: Workspace, file: string, sink: DiagnosticSink): Uint8Array | undefined {
  try {
    return workspace.read(file);
  } catch (error) {
    if (!(error instanceof WorkspaceError)) throw error;
    sink.report(error.code, startOf(file), error.message);
    return undefined;
  }
}

/** Decodes one file; undefined after reporting SOURCE_ENCODING, SOURCE_LIMIT or SOURCE_UNSAFE. */
export function readText(
  workspace: Workspace,
  file: string,
  maxBytes: number,
  sink: DiagnosticSink,
): string | undefined {
  const bytes = bytesOf(workspace, file, sink);
  if (bytes === undefined) return undefined;
  if (bytes.length > maxBytes) {
    sink.report(
      "SOURCE_LIMIT",
      startOf(file),
      `the file has ${bytes.length} bytes; at most ${maxBytes} are read`,
    );
    return undefined;
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    sink.report("SOURCE_ENCODING", startOf(file), "the file is not valid UTF-8");
    return undefined;
  }
}

/** Maps offsets (UTF-16 units) of one text to lines and columns. */
export class LineMap {
  readonly #starts: readonly number[];
  readonly #file: string;

  constructor(file: string, text: string) {
    const starts = [0];
    for (let index = text.indexOf("\n"); index !== -1; index = text.indexOf("\n", index + 1))
      starts.push(index + 1);
    this.#starts = starts;
    this.#file = file;
  }

  /** The span of `[start, end)`. */
  span(start: number, end: number): SourceSpan {
    const [line, column] = this.#locate(start);
    const [endLine, endColumn] = this.#locate(Math.max(start, end));
    return { file: this.#file, line, column, endLine, endColumn };
  }

  #locate(offset: number): readonly [line: number, column: number] {
    let low = 0;
    let high = this.#starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return [low + 1, offset - (this.#starts[low] ?? 0) + 1];
  }
}
