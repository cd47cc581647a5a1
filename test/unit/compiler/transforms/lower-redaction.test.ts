// The path grammar and the lowering of redactions, over test/data/transform.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import type { PathSegment } from "#bundle";
import type { JsonValue } from "#std";
import { formatPath, lowerRedaction, parsePath } from "../../../../compiler/transforms/index.ts";

function load<T>(name: string): T {
  return parse(readFileSync(join(import.meta.dirname, "../../../data/transform", name), "utf8")) as T;
}

interface PathCase {
  readonly path: string;
  readonly segments?: readonly (string | number | null)[];
  readonly offset?: number;
}

function toSegment(short: string | number | null): PathSegment {
  if (short === null) return { kind: "wildcard" };
  return typeof short === "number" ? { kind: "index", index: short } : { kind: "name", name: short };
}

describe("parsePath", () => {
  it.each(load<readonly PathCase[]>("paths.yaml"))("$path", ({ path, segments, offset }) => {
    const parsed = parsePath(path);
    if (segments === undefined) {
      expect(parsed).toMatchObject({ ok: false, offset });
      return;
    }
    const expected = segments.map(toSegment);
    expect(parsed).toEqual({ ok: true, segments: expected });
    expect(parsePath(formatPath(expected))).toEqual({ ok: true, segments: expected });
  });

  it("limits length and segments", () => {
    expect(parsePath(`$.${"a".repeat(1_000)}`)).toMatchObject({ ok: false, offset: 1_000 });
    expect(parsePath(`$${".a".repeat(64)}`)).toMatchObject({ ok: true });
    expect(parsePath(`$${".a".repeat(65)}`)).toMatchObject({ ok: false, offset: 129 });
  });
});

interface RedactionCase {
  readonly name: string;
  readonly path: string;
  readonly inputSchema?: JsonValue;
  readonly outputSchema?: JsonValue;
  readonly paths?: readonly string[];
  readonly findings: readonly string[];
  readonly help?: string;
}

describe("lowerRedaction", () => {
  it.each(load<readonly RedactionCase[]>("redactions.yaml"))("$name", (given) => {
    const { redaction, findings } = lowerRedaction(given);
    expect(findings.map(({ code }) => code)).toEqual(given.findings);
    expect(redaction?.paths.map(formatPath)).toEqual(given.paths);
    if (given.help !== undefined) expect(findings.map(({ help }) => help).join()).toContain(given.help);
    for (const { offset } of findings) expect(offset).toBeLessThan(Math.max(1, given.path.length));
  });

  it("names what the approved schema shows", () => {
    const outputSchema = { type: "object", properties: { a: { type: "object", properties: { b: {} } } } };
    expect(lowerRedaction({ path: "$.response.a.b", outputSchema }).redaction?.publicNames).toEqual([
      "a",
      "b",
    ]);
  });
});
