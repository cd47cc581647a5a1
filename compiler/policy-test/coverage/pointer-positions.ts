// Where the line of a YAML document stands that a policy id names.
import type { SourceSpan } from "#compiler";
import { DiagnosticSink } from "../../diagnostics/index.ts";
import { parseYaml } from "../../documents/yaml-source.ts";

/** The place of `file#/a/0/b`; the start of the file where there is no such line. */
export function positionOfPointer(id: string, textOf: (file: string) => string | undefined): SourceSpan {
  const [file = "", pointer = ""] = splitOnce(id, "#");
  const text = textOf(file);
  const source = text === undefined ? undefined : parseYaml(file, text, new DiagnosticSink());
  if (source === undefined) return { file, line: 1, column: 1, endLine: 1, endColumn: 1 };
  const path = pointer
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"))
    .map((part) => (/^\d+$/u.test(part) ? Number(part) : part));
  return source.at(...path);
}

function splitOnce(text: string, separator: string): readonly [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}
