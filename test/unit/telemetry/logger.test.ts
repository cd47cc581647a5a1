// One JSON line for each event whatever data says, bounded, and without credentials.
import { inspect } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createLogger, Secret } from "../../../runtime/telemetry/index.ts";
import type { LogFields, LogLevel } from "../../../runtime/telemetry/index.ts";

const clock = { nowMs: () => 1_700_000_000_000, monotonicMs: () => 0 };

function logged(message: string, fields?: LogFields, level: LogLevel = "debug"): string[] {
  const lines: string[] = [];
  createLogger({ level, write: (line) => void lines.push(line), clock }).info(message, fields);
  return lines;
}

function fieldsOf(fields: LogFields): Record<string, unknown> {
  const [line = "{}"] = logged("m", fields);
  return JSON.parse(line) as Record<string, unknown>;
}

const JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl";

test("a line is JSON with time, level and message", () => {
  expect(logged("started", { port: 8443, path: "/a" })).toEqual([
    '{"t":"2023-11-14T22:13:20.000Z","level":"info","msg":"started","port":8443,"path":"/a"}\n',
  ]);
});

test("levels", () => {
  const lines: string[] = [];
  for (const level of ["silent", "error", "warn", "info", "debug"] as const) {
    const logger = createLogger({ level, write: (line) => void lines.push(`${level} ${line}`), clock });
    for (const method of ["error", "warn", "info", "debug"] as const) logger[method](method);
  }
  expect(lines.map((line) => line.replace(/ \{.*"msg":"(\w+)".*\n/s, " $1"))).toEqual([
    "error error",
    ...["error", "warn"].map((method) => `warn ${method}`),
    ...["error", "warn", "info"].map((method) => `info ${method}`),
    ...["error", "warn", "info", "debug"].map((method) => `debug ${method}`),
  ]);
});

describe("data cannot break out of its line", () => {
  test.each([
    ["newline", "a\nb"],
    ["carriage return", "a\rb"],
    ["ANSI escape", "\u001b[31mred"],
    ["C1 control", "a\u009b31m"],
    ["line separator", "a\u2028b\u2029c"],
    ["NUL", "a\u0000b"],
    ["lone surrogate", "a\ud800b"],
    ["right-to-left override", "a\u202eb\u2066c"],
  ])("%s", (_name, text) => {
    for (const [line = ""] of [logged(text), logged("m", { field: text }), logged("m", { [text]: 1 })]) {
      expect(line.endsWith("\n")).toBe(true);
      // Only printable characters reach the terminal, and the text is still all there.
      expect(
        [...line.slice(0, -1)].every((char) => !/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u202e\u2066]/u.test(char)),
      ).toBe(true);
      expect(JSON.stringify(JSON.parse(line))).toContain(JSON.stringify(text).slice(1, -1));
    }
  });

  test("any value at all gives exactly one line of JSON, of bounded length", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary" }),
        fc.object({ maxDepth: 8, withBigInt: true, withDate: true, withNullPrototype: true }),
        (text, fields) => {
          const lines = logged(text, fields as LogFields);
          expect(lines.length).toBe(1);
          expect(lines[0]?.indexOf("\n")).toBe((lines[0]?.length ?? 0) - 1);
          expect(typeof JSON.parse(lines[0] ?? "")).toBe("object");
        },
      ),
      { numRuns: 300, seed: 3 },
    );
  });

  test("fields cannot take the place of the logger's own", () => {
    expect(fieldsOf({ t: "1970", level: "error", msg: "forged", ["__proto__"]: 1 })).toMatchObject({
      t: "2023-11-14T22:13:20.000Z",
      level: "info",
      msg: "m",
      _t: "1970",
      _level: "error",
      _msg: "forged",
    });
  });
});

describe("bounds", () => {
  test("a long text becomes its start, its length and its hash", () => {
    const [line = ""] = logged("m", { big: "word ".repeat(200_000) });
    expect(line.length).toBeLessThan(600);
    expect(line).toMatch(/1000000 characters, sha256 [0-9a-f]{64}/);
  });

  test("depth, entries, cycles", () => {
    const cyclic: Record<string, unknown> = { name: "x" };
    cyclic["self"] = cyclic;
    const line = logged("m", {
      cyclic,
      many: Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`k${String(index)}`, index])),
      list: Array.from({ length: 1_000 }, (_, index) => index),
    })[0];
    expect(line).toContain("[too deep]");
    expect(line).toContain("[936 more]");
    expect(line?.length).toBeLessThan(4_000);
  });
});

describe("credentials never appear", () => {
  const canary = "c4n4ry-c4n4ry-c4n4ry";

  test.each([
    ["authorization", `Bearer ${canary}`],
    ["Cookie", canary],
    ["set-cookie", canary],
    ["access_token", canary],
    ["refreshToken", canary],
    ["client_secret", canary],
    ["clientAssertion", canary],
    ["SAMLResponse", canary],
    ["DPoP", canary],
    ["password", canary],
    ["X-Api-Key", canary],
  ])("a field called %s", (name, value) => {
    expect(logged("m", { [name]: value, nested: [{ [name]: { deep: value } }] }).join()).not.toContain(
      canary,
    );
  });

  test.each([
    ["a bearer header in a text", `upstream said: Authorization: Bearer ${canary}, goodbye`],
    ["a basic header in a text", `basic ${canary}==`],
    ["a form body", `grant_type=x&client_secret=${canary}&scope=y`],
    ["a JSON body in a text", `{"access_token": "${canary}", "expires_in": 5}`],
    ["an assertion", `assertion=${canary}`],
  ])("%s", (_name, text) => {
    for (const lines of [
      logged(text),
      logged("m", { text }),
      logged("m", { fault: new Error(text, { cause: new Error(text) }) }),
    ]) {
      expect(lines.join()).not.toContain(canary);
      expect(lines.join()).toContain("[redacted]");
    }
  });

  test("a JWT anywhere, also where a long text is cut", () => {
    for (const text of [
      JWT,
      `token ${JWT} rejected`,
      `${"x ".repeat(120)}${JWT}${" y".repeat(2_000)}`,
      `${"x".repeat(250)} ${JWT.repeat(50)}`,
    ]) {
      expect(logged(text, { text, error: new TypeError(text) }).join()).not.toContain(JWT.slice(10, 30));
    }
  });

  test("a Secret shows itself to no printer, and gives its value only on request", () => {
    const secret = new Secret(canary);
    expect(secret.reveal()).toBe(canary);
    const shown = [
      String(secret),
      JSON.stringify({ secret }),
      inspect({ secret }, { showHidden: true, depth: 9 }),
      ...logged("m", { s: secret }),
    ];
    for (const text of shown) {
      expect(text).toContain("[secret]");
      expect(text).not.toContain(canary);
    }
  });
});

test("a child adds its fields to every line", () => {
  const lines: string[] = [];
  const child = createLogger({ write: (line) => void lines.push(line), clock })
    .child({ server: "jira" })
    .child({ pid: 7 });
  child.warn("slow", { ms: 12 });
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({
    level: "warn",
    msg: "slow",
    server: "jira",
    pid: 7,
    ms: 12,
  });
});

test("an error keeps name, code, message and cause", () => {
  const cause = Object.assign(new Error("refused"), { code: "ECONNREFUSED" });
  expect(fieldsOf({ fault: new TypeError("fetch failed", { cause }) })["fault"]).toMatchObject({
    name: "TypeError",
    message: "fetch failed",
    cause: { code: "ECONNREFUSED" },
  });
});
