// Redaction of results, errors and other messages: the cases of test/data/transform, canaries, and the limits.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import type { JsonObject, JsonValue } from "#std";
import { rawNumber } from "#std";
import {
  REDACTED,
  REMOVED_TEXT,
  applyError,
  applyRequest,
  applyResponse,
  compileTransform,
  parseJsonText,
  scrubMessage,
} from "#transform";
import type { CompiledTransform } from "#transform";
import { parsePath } from "../../../compiler/transforms/index.ts";

function segmentsOf(path: string) {
  const parsed = parsePath(path);
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.segments;
}

function redacting(
  response: readonly string[],
  request: readonly string[] = [],
  publicNames: readonly string[] = [],
) {
  const operation = (paths: readonly string[]) => ({
    policy: "policies/test.yaml#0",
    verb: "redact" as const,
    paths: paths.map(segmentsOf),
  });
  return compileTransform({
    tenant: "default",
    action: "tools/call:s/t",
    request: request.length > 0 ? [operation(request)] : [],
    response: response.length > 0 ? [operation(response)] : [],
    publicNames,
  });
}

function transformed(compiled: CompiledTransform, result: JsonObject): JsonObject {
  const outcome = applyResponse(compiled, result);
  if (!outcome.ok) throw new Error(outcome.message);
  return outcome.value;
}

interface ResultCase {
  readonly name: string;
  readonly paths: readonly string[];
  readonly publicNames?: readonly string[];
  readonly result: JsonObject;
  readonly expect?: JsonObject;
  readonly absent?: readonly string[];
}

const file = join(import.meta.dirname, "../../data/transform/results.yaml");
const cases = parse(readFileSync(file, "utf8")) as readonly ResultCase[];

describe("results", () => {
  it.each(cases)("$name", (given) => {
    const before = JSON.stringify(given.result);
    const value = transformed(redacting(given.paths, [], given.publicNames), given.result);
    if (given.expect !== undefined) expect(JSON.parse(JSON.stringify(value))).toEqual(given.expect);
    for (const text of given.absent ?? []) expect(JSON.stringify(value)).not.toContain(text);
    expect(JSON.stringify(given.result)).toBe(before);
    expect(given.expect ?? given.absent).toBeDefined();
  });

  it("passes unchanged where no redaction applies", () => {
    const result = { content: [{ type: "text", text: "prose" }] };
    const compiled = redacting([], ["$.token"]);
    expect(applyResponse(compiled, result)).toEqual({ ok: true, value: result, applied: 0, secrets: [] });
    expect(scrubMessage(compiled, result)).toBe(result);
  });

  it("keeps numbers that no double carries", () => {
    const text = '{"id":9007199254740993,"big":1e400,"tiny":10.0000000000000001,"z":-0.0,"s":"secret"}';
    const structuredContent = { id: rawNumber("9007199254740993"), s: "secret" };
    const result = { structuredContent, content: [{ type: "text", text }] };
    expect(JSON.stringify(transformed(redacting(["$.s"]), result))).toBe(
      JSON.stringify({
        structuredContent: { id: rawNumber("9007199254740993"), s: REDACTED },
        content: [{ type: "text", text: text.replace("secret", REDACTED) }],
      }),
    );
  });

  it("removes lossless numbers", () => {
    const id = rawNumber("9007199254740993");
    const value = transformed(redacting(["$.id"]), {
      structuredContent: { id, copy: id, text: "#9007199254740993" },
    });
    expect(JSON.stringify(value)).toBe('{"structuredContent":{"id":0,"copy":0,"text":"#[redacted]"}}');
  });

  it("counts and returns what it removed", () => {
    const structuredContent = { a: "one-secret", b: "two-secret", c: "three" };
    const outcome = applyResponse(redacting(["$.a", "$.b"]), { structuredContent });
    expect(outcome).toMatchObject({ ok: true, applied: 2, secrets: ["one-secret", "two-secret"] });
  });

  it("does not confuse hostile member names", () => {
    const structuredContent = parseJsonText(
      '{"__proto__":{"x":"secret-1"},"constructor":"secret-1"}',
    ) as JsonValue;
    const value = transformed(redacting(["$.__proto__.x"]), { structuredContent });
    expect(JSON.stringify(value)).toBe(
      '{"structuredContent":{"__proto__":{"x":"[redacted]"},"constructor":"[redacted]"}}',
    );
    expect(({} as { x?: unknown }).x).toBeUndefined();
  });
});

describe("limits", () => {
  const compiled = redacting(["$.a"]);

  it("refuses what is nested too deeply", () => {
    let deep: JsonValue = "x";
    for (let level = 0; level < 300; level += 1) deep = [deep];
    expect(applyResponse(compiled, { structuredContent: { b: deep } })).toMatchObject({
      code: "TRANSFORM_FAILED",
    });
    const text = `{"b":${"[".repeat(100_000)}${"]".repeat(100_000)}}`;
    const outcome = applyResponse(compiled, { content: [{ type: "text", text }] });
    expect(JSON.stringify(outcome)).not.toContain("[[[");
  });

  it("refuses too many values", () => {
    const list = new Array<number>(2_000_001).fill(1);
    expect(applyResponse(compiled, { structuredContent: { list } })).toMatchObject({
      code: "TRANSFORM_FAILED",
    });
  });

  it("searches many secrets in one pass", () => {
    const a = Array.from({ length: 2_000 }, (_, index) => `user${index}@example.com`);
    const text = `${a.join(" ")} end`;
    const value = transformed(compiled, { structuredContent: { a, text } });
    expect(value["structuredContent"]).toEqual({ a: [], text: `${a.map(() => REDACTED).join(" ")} end` });
  });

  it("refuses quadratic searches", () => {
    const a = Array.from({ length: 2_000 }, (_, index) => `${"a".repeat(20 + index)}b`);
    const result = { structuredContent: { a, text: "a".repeat(200_000) } };
    expect(applyResponse(compiled, result)).toMatchObject({ ok: false, code: "TRANSFORM_FAILED" });
  });
});

describe("errors and other messages", () => {
  const compiled = redacting(["$.email"]);

  it("removes the prose and the data of an error", () => {
    const error = { code: -32000, message: "no user bob@example.com", data: { email: "bob@example.com" } };
    expect(applyError(compiled, error)).toMatchObject({
      ok: true,
      value: { code: -32000, message: REMOVED_TEXT },
    });
    expect(JSON.stringify(applyError(compiled, error))).not.toContain('"data"');
  });

  it("redacts progress and log messages before the result is known", () => {
    const progress = {
      jsonrpc: "2.0",
      method: "notifications/progress",
      params: { progressToken: "t", progress: 1, message: "bob@example.com" },
    };
    expect(scrubMessage(compiled, progress)).toEqual({
      ...progress,
      params: { ...progress.params, message: REMOVED_TEXT },
    });
    const log = {
      jsonrpc: "2.0",
      method: "notifications/message",
      params: { level: "info", data: { email: "bob@example.com", n: 1 } },
    };
    expect(scrubMessage(compiled, log)).toEqual({
      ...log,
      params: { level: "info", data: { email: REDACTED, n: 1 } },
    });
  });

  it("redacts members of a notification that the protocol does not define", () => {
    const extra = { copy: { assignee: { email: "bob@example.com" } }, note: "bob@example.com" };
    const progress = {
      method: "notifications/progress",
      params: { progressToken: 1, progress: 1, ...extra, _meta: { assignee: { email: "bob@example.com" } } },
    };
    const scrubbed = scrubMessage(redacting(["$.assignee.email"]), progress);
    expect(JSON.stringify(scrubbed)).not.toContain("bob@");
    expect(scrubbed["params"]).toMatchObject({ progressToken: 1, progress: 1 });
  });

  it("removes known values everywhere but from what the receiver correlates by", () => {
    const message = {
      jsonrpc: "2.0",
      id: "bob@example.com",
      method: "notifications/progress",
      params: { progressToken: "bob@example.com", logger: "to bob@example.com" },
    };
    expect(scrubMessage(compiled, message, ["bob@example.com"])).toEqual({
      ...message,
      params: { progressToken: "bob@example.com", logger: "to [redacted]" },
    });
  });

  it("refuses a message whose parts are no objects", () => {
    const refusal = expect.objectContaining({ code: "TRANSFORM_FAILED" }) as Error;
    expect(() => scrubMessage(compiled, { params: ["bob@example.com"] })).toThrow(refusal);
  });
});

describe("requests", () => {
  it("redacts arguments and keeps their types", () => {
    const args = { token: "secret", n: { deep: [{ x: 5, y: true }] }, keep: "secret" };
    const value = applyRequest(redacting([], ["$.token", "$.n.deep[*].x"]), args);
    expect(value).toEqual({ token: REDACTED, n: { deep: [{ x: 0, y: true }] }, keep: "secret" });
    expect(args.token).toBe("secret");
    expect(applyRequest(redacting(["$.a"]), args)).toBe(args);
  });

  it("refuses what is nested too deeply", () => {
    let deep: JsonObject = {};
    for (let level = 0; level < 300; level += 1) deep = { a: deep };
    const path = `$${".a".repeat(64)}`;
    expect(() => applyRequest(redacting([], [path, "$.*"]), { a: deep })).toThrow(
      expect.objectContaining({ code: "TRANSFORM_FAILED" }) as Error,
    );
  });
});

describe("compileTransform", () => {
  it.each([[{ policy: "p", verb: "encrypt", paths: [[]] }], [{ policy: "p", verb: "redact", paths: [] }]])(
    "refuses the operation %j",
    (operation) => {
      const entry = { action: "a", request: [], response: [operation] };
      expect(() => compileTransform(entry as unknown as Parameters<typeof compileTransform>[0])).toThrow(
        expect.objectContaining({ code: "BUNDLE_INVALID" }) as Error,
      );
    },
  );
});

describe("canary", () => {
  const CANARY = "canary+7f3a@example.com";

  /** Every way to put the canary at one string position of `value`, keys included. */
  function* placements(value: JsonValue): Generator<JsonValue> {
    if (typeof value === "string") {
      yield value + CANARY;
      yield `prefix ${CANARY} suffix`;
      yield JSON.stringify({ nested: CANARY });
    } else if (Array.isArray(value)) {
      for (const [index, item] of value.entries()) {
        for (const placed of placements(item as JsonValue)) yield value.with(index, placed) as JsonValue;
      }
    } else if (typeof value === "object" && value !== null) {
      const object = value as JsonObject;
      for (const [key, member] of Object.entries(object)) {
        for (const placed of placements(member)) yield { ...object, [key]: placed };
        yield { ...object, [`${key}${CANARY}`]: 1 };
      }
    }
  }

  const text = fc.constantFrom("", "alpha", "b c", "{}", '{"k":"v"}', "https://x.example/y");
  const scalar: fc.Arbitrary<JsonValue> = fc.oneof(text, fc.integer(), fc.boolean(), fc.constant(null));
  const data: fc.Memo<JsonValue> = fc.memo((depth) =>
    depth <= 1
      ? scalar
      : fc.oneof(
          text,
          fc.array(data(depth - 1), { maxLength: 2 }),
          fc.dictionary(fc.constantFrom("k", "note", "x-y"), data(depth - 1), {
            maxKeys: 3,
            noNullPrototype: true,
          }),
        ),
  );
  const block = fc.oneof(
    fc.record({ type: fc.constant("text"), text, annotations: fc.record({ note: text }) }),
    fc.record({ type: fc.constant("image"), data: text, mimeType: text }),
    fc.record({ type: fc.constant("resource_link"), uri: text, name: text, description: text, title: text }),
    fc.record({
      type: fc.constant("resource"),
      resource: fc.record({ uri: text, text, mimeType: text, _meta: data(2) }),
    }),
    fc.record({ type: fc.constant("resource"), resource: fc.record({ uri: text, blob: text }) }),
  );
  const result = fc.record({
    content: fc.array(block, { minLength: 1, maxLength: 3 }),
    extra: data(3),
    _meta: fc.dictionary(fc.constantFrom("a/b", "trace"), data(2), { maxKeys: 2, noNullPrototype: true }),
    isError: fc.boolean(),
    unknown: data(2),
  });

  it("never survives at any position of a result", () => {
    const compiled = redacting(["$.assignee.email", "$.response.assignee.email"]);
    let placed = 0;
    fc.assert(
      fc.property(result, fc.boolean(), ({ extra, ...rest }, isText) => {
        for (const candidate of placements({ rest: rest as JsonObject, extra })) {
          const placedIn = candidate as { readonly rest?: JsonObject; readonly extra?: JsonValue };
          if (placedIn.rest === undefined || placedIn.extra === undefined) continue;
          const payload = { assignee: { email: CANARY }, extra: placedIn.extra };
          const content = (placedIn.rest["content"] ?? []) as readonly JsonValue[];
          const carrier: JsonObject = isText
            ? { content: [...content, { type: "text", text: JSON.stringify(payload) }] }
            : { structuredContent: payload };
          const message: JsonObject = { ...placedIn.rest, ...carrier };
          placed += 1;
          const outcome = applyResponse(compiled, message);
          const sent = JSON.stringify(outcome.ok ? outcome.value : outcome.message);
          expect(sent).not.toContain("7f3a");
          expect(sent).not.toContain(CANARY);
        }
      }),
      { numRuns: 60, seed: 4_711 },
    );
    expect(placed).toBeGreaterThan(1_000);
  });
});
