// Every verb on results and arguments: the cases of test/data/transform, hashes and their keys, and that nothing
// covered survives anywhere.
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import type { TransformOperation } from "#bundle";
import type { JsonObject, JsonValue } from "#std";
import {
  REMOVED_TEXT,
  applyError,
  applyRequest,
  applyResponse,
  compileTransform,
  scrubMessage,
} from "#transform";
import type { CompiledTransform } from "#transform";
import { parsePath } from "../../../compiler/transforms/index.ts";

type Line = string | ({ readonly path: string } & Readonly<Record<string, JsonValue>>);
type Ops = Readonly<Record<string, readonly Line[]>>;

function segmentsOf(path: string) {
  const parsed = parsePath(path);
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.segments;
}

function operations(ops: Ops): readonly TransformOperation[] {
  return Object.entries(ops).flatMap(([verb, lines]) =>
    lines.map((line) => {
      const { path, ...given } = typeof line === "string" ? { path: line } : line;
      return { policy: "p", verb, paths: [segmentsOf(path)], ...given } as unknown as TransformOperation;
    }),
  );
}

const compiled = (response: Ops, request: Ops = {}): CompiledTransform =>
  compileTransform({
    tenant: "default",
    action: "a",
    request: operations(request),
    response: operations(response),
  });

const fingerprint = (tenant: string, text: string): string =>
  createHmac("sha256", `key of ${tenant}`).update(text).digest("hex");
const hashOf = (text: string, tenant = "default"): string =>
  `hmac:${createHmac("sha256", Buffer.from(fingerprint(tenant, "transform/hash-key"), "hex"))
    .update(text)
    .digest()
    .subarray(0, 16)
    .toString("base64url")}`;

/** `hmac(x)` in expected texts stands for the hash of x. */
function withHashes(value: JsonValue): JsonValue {
  const text = JSON.stringify(value, (_key, member: unknown) =>
    typeof member === "string"
      ? member.replace(/hmac\((.*)\)/u, (_, inner: string) => hashOf(inner))
      : member,
  );
  return JSON.parse(text) as JsonValue;
}

interface VerbCase {
  readonly name: string;
  readonly ops: Ops;
  readonly result: JsonObject;
  readonly expect?: JsonObject;
  readonly absent?: readonly string[];
}

const file = join(import.meta.dirname, "../../data/transform/verbs.yaml");
const cases = parse(readFileSync(file, "utf8")) as readonly VerbCase[];

describe("results", () => {
  it.each(cases)("$name", (given) => {
    const before = JSON.stringify(given.result);
    const outcome = applyResponse(compiled(given.ops), given.result, { fingerprint });
    if (!outcome.ok) throw new Error(outcome.message);
    const sent = JSON.stringify(outcome.value);
    if (given.expect !== undefined) expect(JSON.parse(sent)).toEqual(withHashes(given.expect));
    for (const text of given.absent ?? []) expect(sent).not.toContain(text);
    expect(JSON.stringify(given.result)).toBe(before);
    expect(given.expect ?? given.absent).toBeDefined();
  });
});

describe("hashes", () => {
  it("need a key", () => {
    const outcome = applyResponse(compiled({ hash: ["$.a"] }), { structuredContent: { a: "x" } });
    expect(outcome).toMatchObject({ ok: false, code: "TRANSFORM_FAILED" });
    expect(() => applyRequest(compiled({}, { hash: ["$.a"] }), { a: "x" })).toThrow(
      expect.objectContaining({ code: "TRANSFORM_FAILED" }) as Error,
    );
  });

  it("differ between tenants, and a short one is refused", () => {
    expect(hashOf("a", "one")).not.toBe(hashOf("a", "two"));
    const short = { fingerprint: () => "00" };
    const result = { structuredContent: { a: "x" } };
    expect(applyResponse(compiled({ hash: ["$.a"] }), result, short)).toMatchObject({ ok: false });
  });
});

describe("other messages", () => {
  const detecting = compiled({ detect: [{ path: "$.body", detectors: ["email"] }] });

  it("detectors leave the message and the data of an error", () => {
    const error = { code: 1, message: "no ada@example.com", data: { who: "ada@example.com", n: 1 } };
    expect(applyError(detecting, error)).toMatchObject({
      ok: true,
      value: { code: 1, message: "no [redacted email]", data: { who: "[redacted]", n: 1 } },
    });
  });

  it.each(["remove", "hash"])("%s drops the prose and the data of an error", (verb) => {
    const error = { message: "no secret-1", data: { a: "secret-1" } };
    const outcome = applyError(compiled({ [verb]: ["$.a"] }), error, { fingerprint });
    expect(outcome).toMatchObject({ ok: true, value: { message: REMOVED_TEXT } });
    expect(JSON.stringify(outcome)).not.toContain("data");
  });

  it("progress and log messages are searched, protocol members are not", () => {
    const message = {
      jsonrpc: "2.0",
      method: "notifications/message",
      params: {
        level: "info",
        logger: "ada@example.com",
        data: "by ada@example.com",
        progressToken: "ada@example.com",
      },
    };
    expect(scrubMessage(detecting, message)).toEqual({
      ...message,
      params: {
        level: "info",
        logger: "[redacted]",
        data: "by [redacted email]",
        progressToken: "ada@example.com",
      },
    });
  });
});

describe("requests", () => {
  it("every verb changes arguments", () => {
    const request = {
      remove: ["$.a"],
      replace: [{ path: "$.b", value: 1 }],
      hash: ["$.c"],
      truncate: [{ path: "$.d", length: 2 }],
      detect: [{ path: "$.e", detectors: ["email"] }],
    };
    const args = { a: 1, b: 2, c: "x", d: "abcdef", e: "to ada@example.com", f: "same" };
    expect(applyRequest(compiled({}, request), args, { fingerprint })).toEqual({
      ...{ b: 1, c: hashOf("x"), d: "ab…", e: "to [redacted email]", f: "same" },
    });
  });
});

describe("property", () => {
  const SECRET = "canary+7f3a@example.com";
  const spellings: readonly ((text: string) => string)[] = [
    (text) => text,
    (text) => text.toUpperCase(),
    (text) => encodeURIComponent(text),
    (text) => Buffer.from(text).toString("base64"),
    (text) => Buffer.from(`xy${text}`).toString("base64url"),
    (text) => [...text].map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`).join(""),
    (text) => [...text].join("\u200b"),
    (text) => [...text].map((unit) => String.fromCharCode(unit.charCodeAt(0) + 0xfee0)).join(""),
    (text) => JSON.stringify({ text }),
  ];
  const decoded = (text: string): string => {
    const plain = text
      .normalize("NFKC")
      .replace(/\u200b/gu, "")
      .toLowerCase();
    const unescaped = plain.replace(/\\+u([0-9a-f]{4})/gu, (_, code: string) =>
      String.fromCharCode(Number.parseInt(code, 16)),
    );
    return unescaped.replace(/%[0-9a-f]{2}/gu, decodeURIComponent);
  };
  const name = fc.constantFrom("a", "b", "list", "x-y");
  const verb = fc.constantFrom("redact", "remove", "hash", "replace");

  it("no covered value survives in any spelling", () => {
    fc.assert(
      fc.property(
        fc.array(name, { minLength: 1, maxLength: 4 }),
        verb,
        fc.constantFrom(...spellings),
        fc.constantFrom(...spellings),
        fc.boolean(),
        (names, chosen, spell, spellKey, asText) => {
          const path = `$${names.map((part) => `[${JSON.stringify(part)}]`).join("")}`;
          const covered = names.reduceRight<JsonValue>((inner, part) => ({ [part]: inner }), SECRET);
          const payload = { ...(covered as JsonObject), note: `see ${spell(SECRET)}`, [spellKey(SECRET)]: 1 };
          const ops = { [chosen]: [chosen === "replace" ? { path, value: "gone" } : path] };
          const body: JsonObject = asText
            ? { content: [{ type: "text", text: JSON.stringify(payload) }] }
            : { structuredContent: payload };
          const result = { ...body, _meta: { by: spell(SECRET) }, extra: spellKey(SECRET) };
          const outcome = applyResponse(compiled(ops), result, { fingerprint });
          if (!outcome.ok) throw new Error(outcome.message);
          const sent = JSON.stringify(outcome.value);
          expect(decoded(sent)).not.toContain("7f3a");
          for (const run of sent.match(/[\w+/-]{16,}/gu) ?? []) {
            expect(Buffer.from(run, "base64").toString("latin1")).not.toContain("7f3a");
          }
        },
      ),
      { numRuns: 400, seed: 11 },
    );
  });
});
