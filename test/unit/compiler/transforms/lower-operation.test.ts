// The path grammar and the lowering of operations, over test/data/transform.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import type { PathSegment } from "#bundle";
import type { JsonValue } from "#std";
import type { OperationSpec } from "../../../../compiler/transforms/index.ts";
import { formatPath, lowerOperation, parsePath } from "../../../../compiler/transforms/index.ts";

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

interface OperationCase {
  readonly name: string;
  /** Default: redact. */
  readonly spec?: OperationSpec;
  readonly takesArguments?: boolean;
  readonly path: string;
  readonly inputSchema?: JsonValue;
  readonly outputSchema?: JsonValue;
  readonly paths?: readonly string[];
  readonly findings: readonly string[];
  readonly help?: string;
}

/** Codes that are shown with `error` where they are one. */
const USUALLY_WARNINGS: ReadonlySet<string> = new Set([
  "TRANSFORM_BREAKS_SCHEMA",
  "TRANSFORM_PATH_UNDECLARED",
]);

describe("lowerOperation", () => {
  it.each(load<readonly OperationCase[]>("operations.yaml"))("$name", (given) => {
    const { spec = { verb: "redact" }, takesArguments = true } = given;
    const { operation, findings } = lowerOperation({ ...given, spec, takesArguments });
    expect(
      findings.map(({ code, severity }) =>
        severity === "error" && USUALLY_WARNINGS.has(code) ? `${code} error` : code,
      ),
    ).toEqual(given.findings);
    expect(operation?.paths.map(formatPath)).toEqual(given.paths);
    if (given.help !== undefined) expect(findings.map(({ help }) => help).join()).toContain(given.help);
    for (const { offset } of findings) expect(offset).toBeLessThan(Math.max(1, given.path.length));
  });

  it("names what the approved schema shows", () => {
    const outputSchema = { type: "object", properties: { a: { type: "object", properties: { b: {} } } } };
    expect(
      lowerOperation({ spec: { verb: "redact" }, takesArguments: true, path: "$.response.a.b", outputSchema })
        .operation?.publicNames,
    ).toEqual(["a", "b"]);
  });
});
