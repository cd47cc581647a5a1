// Strict YAML: YAML 1.2 core schema, unique string keys, no anchors, aliases, tags, directives or second documents.
// Every node keeps its position.
import { Lexer, isAlias, isMap, isScalar, isSeq, parseDocument } from "yaml";
import type { Document, ParsedNode } from "yaml";
import { closestName } from "#std";
import type { DiagnosticSink, SourceSpan } from "../diagnostics/index.ts";
import { startOf } from "../diagnostics/index.ts";
import { LineMap } from "./source-text.ts";

export type YamlPath = readonly (string | number)[];
/** A parsed value: plain JSON whose objects have no prototype. */
export type YamlValue =
  string | number | boolean | null | readonly YamlValue[] | { readonly [key: string]: YamlValue };

const MAX_DEPTH = 64;
const MAX_NODES = 200_000;
/** Brackets, indicators, scalars, blanks and line ends. */
const MAX_TOKENS = 30_000;
/** Findings of one file; text that is no YAML could give one for each character. */
const MAX_FINDINGS = 20;

export interface YamlSource {
  readonly file: string;
  readonly text: string;
  readonly value: YamlValue;
  /** Where the value at `path` stands; the nearest enclosing value where there is none. */
  readonly at: (...path: YamlPath) => SourceSpan;
  /** Where the key that ends `path` stands. */
  readonly atKey: (...path: YamlPath) => SourceSpan;
}

interface Build {
  readonly lines: LineMap;
  readonly values: Map<string, SourceSpan>;
  readonly keys: Map<string, SourceSpan>;
  readonly report: (span: SourceSpan, message: string) => void;
  nodes: number;
}

function pathKey(path: YamlPath): string {
  return JSON.stringify(path);
}

function spanOf(build: Build, node: ParsedNode): SourceSpan {
  const [start, end] = node.range;
  return build.lines.span(start, end);
}

function convert(build: Build, node: ParsedNode | null, path: YamlPath): YamlValue {
  if (node === null) return null;
  const span = spanOf(build, node);
  build.values.set(pathKey(path), span);
  build.nodes += 1;
  if (path.length > MAX_DEPTH || build.nodes > MAX_NODES) {
    throw new RangeError(`more than ${MAX_DEPTH} levels or ${MAX_NODES} values`);
  }
  if (isAlias(node)) {
    build.report(span, "aliases are not allowed; write the value out");
    return null;
  }
  if (node.anchor !== undefined) build.report(span, "anchors are not allowed");
  if (node.tag !== undefined && !node.tag.startsWith("tag:yaml.org,2002:"))
    build.report(span, "tags are not allowed");
  if (isMap(node)) return convertMap(build, node.items, path);
  if (isSeq(node))
    return node.items.map((item, index) => convert(build, item as ParsedNode | null, [...path, index]));
  return isScalar(node) ? convertScalar(build, node.value, span) : null;
}

function convertScalar(build: Build, value: unknown, span: SourceSpan): YamlValue {
  if (typeof value === "string" && !value.isWellFormed())
    build.report(span, "the text has half a surrogate pair");
  if (typeof value === "string" || typeof value === "boolean" || value === null) return value;
  if (typeof value === "number" && Number.isFinite(value)) {
    if (!Number.isInteger(value) || Number.isSafeInteger(value)) return value;
  }
  build.report(span, "a number must be finite and, if whole, within ±(2^53 - 1); quote it to make it text");
  return null;
}

type MapItems = readonly { readonly key: ParsedNode; readonly value: ParsedNode | null }[];

function convertMap(build: Build, items: MapItems, path: YamlPath): YamlValue {
  const result = Object.create(null) as Record<string, YamlValue>;
  for (const { key, value } of items) {
    const span = spanOf(build, key);
    if (!isScalar(key) || typeof key.value !== "string") {
      build.report(span, "a key must be text");
      continue;
    }
    if (key.value === "__proto__" || key.value === "<<" || !key.value.isWellFormed()) {
      build.report(span, `the key ${JSON.stringify(key.value)} is not allowed`);
      continue;
    }
    if (Object.hasOwn(result, key.value)) {
      build.report(span, `the key ${JSON.stringify(key.value)} stands twice`);
      continue;
    }
    const inner = [...path, key.value];
    build.keys.set(pathKey(inner), span);
    if (value === null) build.values.set(pathKey(inner), span);
    result[key.value] = convert(build, value, inner);
  }
  return result;
}

const TOO_DEEP = "the document is nested too deeply or too large";

function reportSyntax(
  document: Document.Parsed,
  file: string,
  lines: LineMap,
  report: Build["report"],
): boolean {
  for (const problem of [...document.errors, ...document.warnings]) {
    const [start, end] = problem.pos;
    // The parser recurses and reports an exhausted stack like a fault of syntax, at a place that means nothing.
    if (problem.message.includes("call stack")) report(startOf(file), TOO_DEEP);
    else if (problem.code === "MULTIPLE_DOCS") report(lines.span(start, end), "a file holds one document");
    else report(lines.span(start, end), (problem.message.split("\n")[0] ?? "").replace(/:$/u, ""));
  }
  return document.errors.length + document.warnings.length === 0;
}

/**
 * True where the text has more tokens, or more brackets open at once, than a document may have. The lexer is linear;
 * what comes after it needs seconds to find out.
 */
function isExcessive(text: string): boolean {
  let tokens = 0;
  let open = 0;
  for (const token of new Lexer().lex(text)) {
    tokens += 1;
    if (token === "[" || token === "{") open += 1;
    else if (token === "]" || token === "}") open -= 1;
    if (tokens > MAX_TOKENS || open > MAX_DEPTH) return true;
  }
  return false;
}

/** Parses `text`; undefined after reporting YAML_INVALID. */
export function parseYaml(file: string, text: string, sink: DiagnosticSink): YamlSource | undefined {
  const lines = new LineMap(file, text);
  let found = 0;
  const report = (span: SourceSpan, message: string): void => {
    found += 1;
    if (found <= MAX_FINDINGS) sink.report("YAML_INVALID", span, message);
  };
  if (isExcessive(text)) {
    report(startOf(file), TOO_DEEP);
    return undefined;
  }
  const build: Build = { lines, values: new Map(), keys: new Map(), report, nodes: 0 };
  try {
    const document = parseDocument(text, {
      version: "1.2",
      schema: "core",
      strict: true,
      // The parser compares every key with every other; convertMap finds repetitions by name.
      uniqueKeys: false,
      stringKeys: false,
      merge: false,
      prettyErrors: false,
      // Quieter levels do not report a second document.
      logLevel: "error",
    });
    if (!reportSyntax(document, file, lines, report)) return undefined;
    const value = convert(build, document.contents, []);
    if (found > 0) return undefined;
    return sourceOf(file, text, value, build);
  } catch (error) {
    report(startOf(file), error instanceof RangeError ? TOO_DEEP : `the parser failed: ${String(error)}`);
    return undefined;
  }
}

function sourceOf(file: string, text: string, value: YamlValue, build: Build): YamlSource {
  const at = (...path: YamlPath): SourceSpan => {
    for (let length = path.length; length >= 0; length -= 1) {
      const span = build.values.get(pathKey(path.slice(0, length)));
      if (span !== undefined) return firstLine(span);
    }
    return startOf(file);
  };
  return { file, text, value, at, atKey: (...path) => build.keys.get(pathKey(path)) ?? at(...path) };
}

/** A block value spans many lines; pointing at its first place is enough. */
function firstLine(span: SourceSpan): SourceSpan {
  return span.endLine === span.line ? span : { file: span.file, line: span.line, column: span.column };
}

function letters(name: string): string {
  return [...name.toLowerCase()].sort().join("");
}

/** `did you mean …?`, or nothing. Transposed letters count as near, which an edit distance alone does not say. */
export function didYouMean(name: string, candidates: readonly string[]): string | undefined {
  const closest = closestName(name, candidates) ?? candidates.find((item) => letters(item) === letters(name));
  return closest === undefined ? undefined : `did you mean ${JSON.stringify(closest)}?`;
}
