// `aegis fmt`: one layout for documents. Meaning and comments never change; formatting twice changes nothing.
import { isMap, isScalar, isSeq, parseDocument } from "yaml";
import type { Document, Pair, YAMLMap } from "yaml";
import { canonicalJson } from "#bundle";
import { isJsonObject } from "#std";
import type { JsonObject } from "#std";
import { tryFormatCedar } from "../cedar/index.ts";
import { DiagnosticSink } from "../diagnostics/index.ts";
import type { Diagnostic } from "../diagnostics/index.ts";
import { roleOf } from "../documents/load.ts";
import { DOCUMENT_SCHEMAS } from "../documents/validate.ts";
import type { DocumentKind } from "../documents/validate.ts";
import { parseYaml } from "../documents/yaml-source.ts";

export type FormatResult =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

export interface FormatOptions {
  /** `add` writes apiVersion and kind where a document has none. Default: `keep`. */
  readonly header?: "add" | "keep";
}

const API_VERSION = "aegis.dev/v1";

/**
 * The formatted text of the document at `file` (relative path). Files that are no documents, and pins, which have one
 * text form already, are returned as they are.
 */
export function formatDocument(file: string, text: string, options: FormatOptions = {}): FormatResult {
  const role = roleOf(file);
  if (role === undefined || role === "Pins" || role === "CedarTests") return { ok: true, text };
  if (role === "Cedar") {
    const outcome = tryFormatCedar(file, text);
    return outcome.ok ? outcome : { ok: false, diagnostics: outcome.findings };
  }
  const sink = new DiagnosticSink();
  const source = parseYaml(file, text, sink);
  if (source === undefined) return { ok: false, diagnostics: sink.sorted() };
  const tidied = tidy(file, text);
  const formatted = reorder(tidied, role, options.header ?? "keep");
  return { ok: true, text: formatted };
}

/** Line ends, trailing blanks and the final newline; the text as it was where a blank is part of a value. */
function tidy(file: string, text: string): string {
  const lines = text.replaceAll("\r\n", "\n").split("\n");
  const tidied = `${lines
    .map((line) => line.trimEnd())
    .join("\n")
    .trimEnd()}\n`;
  return valueText(file, tidied) === valueText(file, text) ? tidied : text;
}

function valueText(file: string, text: string): string | undefined {
  const source = parseYaml(file, text, new DiagnosticSink());
  return source === undefined ? undefined : canonicalJson(source.value);
}

function reorder(text: string, kind: DocumentKind, header: "add" | "keep"): string {
  const document = parseDocument(text, { version: "1.2", schema: "core" });
  if (!isMap(document.contents)) return text;
  liftFileComment(document, document.contents);
  const changed = header === "add" ? addHeader(document, document.contents, kind) : false;
  const sorted = sortKeys(document.contents, DOCUMENT_SCHEMAS[kind] as JsonObject);
  // Layout that is in order already is the author's own.
  if (!changed && !sorted) return text;
  return document.toString({ lineWidth: 0, indent: 2 });
}

/** A comment that a blank line separates from the first key, and an editor's mode line, belong to the file. */
function liftFileComment(document: Document, map: YAMLMap): void {
  const key = map.items[0]?.key;
  if (!isScalar(key) || typeof key.commentBefore !== "string") return;
  const lines = key.commentBefore.split("\n");
  const blank = lines.lastIndexOf("");
  const end = blank === -1 ? Number(lines[0]?.startsWith(" yaml-language-server:") === true) : blank;
  const head = lines.slice(0, end).join("\n");
  if (head === "") return;
  const rest = lines.slice(blank === -1 ? end : end + 1).join("\n");
  document.commentBefore = [document.commentBefore, head]
    .filter((part) => typeof part === "string")
    .join("\n\n");
  key.commentBefore = rest === "" ? null : rest;
}

function addHeader(document: Document, map: YAMLMap, kind: DocumentKind): boolean {
  const missing = [
    ["apiVersion", API_VERSION],
    ["kind", kind],
  ].filter(([key]) => !map.has(key));
  for (const [key, value] of missing) map.items.push(document.createPair(key, value));
  return missing.length > 0;
}

function keyOf(pair: Pair): string {
  return isScalar(pair.key) ? String(pair.key.value) : "";
}

/** Puts keys into the order of the schema, in depth; true where anything moved. */
function sortKeys(map: YAMLMap, schema: JsonObject): boolean {
  const properties = isJsonObject(schema["properties"]) ? schema["properties"] : {};
  const order = Object.keys(properties);
  const rank = (pair: Pair): number => {
    const index = order.indexOf(keyOf(pair));
    return index === -1 ? order.length : index;
  };
  const before = [...map.items];
  map.items.sort((a, b) => rank(a) - rank(b));
  let moved = before.some((pair, index) => pair !== map.items[index]);
  // A blank line before the first key would stand at the top of the file.
  const [first] = map.items;
  if (moved && first !== undefined && isScalar(first.key)) first.key.spaceBefore = false;
  for (const pair of map.items) {
    const inner = Object.hasOwn(properties, keyOf(pair))
      ? properties[keyOf(pair)]
      : schema["additionalProperties"];
    if (isJsonObject(inner)) moved = sortNode(pair.value, inner) || moved;
  }
  return moved;
}

function sortNode(node: unknown, schema: JsonObject): boolean {
  if (isMap(node)) return sortKeys(node, schema);
  const items = schema["items"];
  if (!isSeq(node) || !isJsonObject(items)) return false;
  return node.items.map((item) => sortNode(item, items)).includes(true);
}
