// The lines of a document that state one policy.
import { isMap, isNode, isScalar, parseDocument } from "yaml";
import type { PolicyId, SourcePosition } from "#bundle";
import { splitPolicies } from "../cedar/split.ts";
import { LineMap } from "../documents/source-text.ts";

/** Lines of one excerpt. */
const MAX_LINES = 40;
const MAX_LINE_LENGTH = 240;

export interface Excerpt {
  readonly text: string;
  /** Number of the first line, from 1. */
  readonly line: number;
}

/** First and last line, from 1. */
interface Range {
  readonly first: number;
  readonly last: number;
}

type RangeFinder = (id: PolicyId, at: SourcePosition) => Range | undefined;

/**
 * Reads excerpts from one document: of a Cedar file the whole policy with its annotations, of a YAML document the
 * section that the policy is an element of, with the scope where both fit. Whole lines, at most 40 of them.
 */
export function excerptReader(
  file: string,
  text: string,
): (id: PolicyId, at: SourcePosition) => Excerpt | undefined {
  const lines = text.split("\n");
  const find = file.endsWith(".cedar") ? cedarRanges(text) : yamlRanges(text);
  return (id, at) => {
    const { first, last } = find(id, at) ?? { first: at.line, last: at.line };
    if (first < 1 || first > lines.length) return undefined;
    const taken = lines.slice(first - 1, Math.min(last, first - 1 + MAX_LINES));
    return { text: taken.map(shortened).join("\n"), line: first };
  };
}

function shortened(line: string): string {
  const text = line.trimEnd();
  return text.length <= MAX_LINE_LENGTH ? text : `${text.slice(0, MAX_LINE_LENGTH).toWellFormed()}…`;
}

function rangeOf(map: LineMap, start: number, end: number): Range {
  return { first: map.span(start, start).line, last: map.span(end, end).line };
}

function cedarRanges(text: string): RangeFinder {
  const map = new LineMap("", text);
  const ranges = splitPolicies(text).map(({ start, text: own }) =>
    rangeOf(map, start, start + own.length - 1),
  );
  // Policies of a Cedar file are called `<file>#<index>`; an annotation may give another id.
  return (_id, { line }) => ranges.find(({ first, last }) => first <= line && line <= last);
}

/** Ids of policies of a YAML document are `<file>#/allow/tools/0`: the first name is the section. */
function yamlRanges(text: string): RangeFinder {
  const map = new LineMap("", text);
  const { contents } = parseDocument(text);
  const sections = new Map<string, Range>();
  for (const { key, value } of isMap(contents) ? contents.items : []) {
    if (!isScalar(key) || typeof key.value !== "string" || !Array.isArray(key.range)) continue;
    const end = (isNode(value) ? value.range?.[1] : undefined) ?? key.range[1];
    const last = Math.max(key.range[0], text.slice(0, end).trimEnd().length - 1);
    sections.set(key.value, rangeOf(map, key.range[0], last));
  }
  const scope = sections.get("scope");
  return (id) => {
    const [name = ""] = id.slice(id.indexOf("#/") + 2).split("/");
    const own = sections.get(name);
    if (own === undefined || scope === undefined) return own;
    const both = { first: Math.min(own.first, scope.first), last: Math.max(own.last, scope.last) };
    return both.last - both.first < MAX_LINES ? both : own;
  };
}
