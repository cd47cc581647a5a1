import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { afterAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import type { JsonValue } from "#std";
import {
  CONFIG_NUMBERS,
  ConfigError,
  decodeCredentials,
  decodeProcessConfig,
  decodePrograms,
  loadProcessConfig,
} from "../../../runtime/config/index.ts";
import type { ProcessConfig } from "../../../runtime/config/index.ts";

type Tree = Record<string, unknown>;

interface ConfigCase {
  readonly name: string;
  readonly schema?: "accepts";
  readonly set?: Readonly<Record<string, unknown>>;
  readonly problems?: readonly (readonly [path: string, message: string])[];
}

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), "utf8");
const cases = parse(read("../../data/config/cases.yaml")) as ConfigCase[];
const schema = JSON.parse(read("../../../runtime/config/gateway.schema.json")) as Tree;
const matchesSchema = new Ajv2020({ strict: false }).compile(schema);
const directory = mkdtempSync(join(tmpdir(), "aegis-config-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const minimal = (): Tree => ({
  release: { source: "dir:channel", channel: "prod" },
  trust: { root: "root.json", rootSha256: "a".repeat(64) },
  stateDir: "state",
});

function changed(changes: ConfigCase["set"]): Tree {
  const tree = minimal();
  for (const [path, value] of Object.entries(changes ?? {})) {
    const keys = path.slice(2).split(".");
    const last = keys.pop() ?? "";
    let target = tree;
    for (const key of keys) target = target[key] as Tree;
    if (value === null) Reflect.deleteProperty(target, last);
    else target[last] = value === "null-value" ? null : value;
  }
  return tree;
}

function decode(tree: unknown, environment: Record<string, string> = {}): ProcessConfig {
  return decodeProcessConfig(tree as JsonValue, { file: "gateway.json", baseDir: "/etc/aegis", environment });
}

function problemsOf(tree: unknown): readonly { path: string; message: string }[] {
  try {
    decode(tree);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

describe("gateway.json", () => {
  it.each(cases)("$name", ({ set, problems = [], schema: schemaVerdict }) => {
    const tree = changed(set);
    const found = problemsOf(tree);
    expect(found.map(({ path }) => path)).toEqual(problems.map(([path]) => path));
    for (const [index, [, message]] of problems.entries()) expect(found[index]?.message).toContain(message);
    // The published schema gives the same verdict.
    expect(matchesSchema(tree)).toBe(problems.length === 0 || schemaVerdict === "accepts");
  });

  it("fills in defaults and makes paths absolute", () => {
    expect(decode(minimal())).toEqual({
      listen: { host: "127.0.0.1", port: 8080 },
      admin: { host: "127.0.0.1", port: 8081 },
      release: { source: "dir:/etc/aegis/channel", channel: "prod", pollIntervalMs: 10_000, minSequence: 0 },
      trust: { root: "/etc/aegis/root.json", rootSha256: "a".repeat(64) },
      stateDir: "/etc/aegis/state",
      audit: { dir: "/etc/aegis/state/audit", mode: "sync" },
      programs: new Map(),
      credentials: new Map(),
      streams: { answers: "json", pollAfterMs: 0 },
      decisions: { engine: "interpreter" },
      limits: {
        maxRequestBytes: 1_048_576,
        maxConnections: 4_096,
        maxSessions: 10_000,
        maxSessionsPerPrincipal: 16,
        sessionIdleMs: 1_800_000,
        maxStreams: 10_000,
        maxStreamsPerPrincipal: 32,
        maxStreamBufferBytes: 262_144,
        streamStallMs: 30_000,
        maxReplayBytes: 67_108_864,
        maxReplayBytesPerSession: 4_194_304,
        maxInFlight: 1_024,
      },
      log: { level: "info" },
    });
  });

  it("resolves secrets by reference and keeps them out of messages", () => {
    const secretFile = join(directory, "secret");
    writeFileSync(secretFile, "from-file\n");
    const env = { PLAIN: "x", FROM_ENV: "env:TOKEN", FROM_FILE: `file:${secretFile}` };
    const tree = changed({ "$.programs": { notes: { command: "node", env } } });
    const program = decode(tree, { TOKEN: "from-env" }).programs.get("notes");
    expect(program?.env).toEqual({ PLAIN: "x", FROM_ENV: "from-env", FROM_FILE: "from-file" });
    const broken = changed({ "$.programs": { notes: { command: "node", env } }, "$.lisen": {} });
    expect(() => decode(broken, { TOKEN: "from-env" })).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining("from-env") as string }) as Error,
    );
  });

  it("reads secret files relative to the configuration file", () => {
    writeFileSync(join(directory, "relative-secret"), "beside\n");
    const env = { TOKEN: "file:relative-secret" };
    const file = join(directory, "with-secret.json");
    writeFileSync(file, JSON.stringify({ ...minimal(), programs: { notes: { command: "node", env } } }));
    expect(loadProcessConfig(file, {}).programs.get("notes")?.env).toEqual({ TOKEN: "beside" });
  });

  it("keeps references where the programs go into another file, and proves that they can be read", () => {
    const options = {
      file: "gateway.json",
      baseDir: directory,
      environment: { A: "a" },
      secrets: "keep",
    } as const;
    const program = { command: "node", cwd: "work", env: { A: "env:A", B: "file:relative-secret", C: "c" } };
    expect(decodePrograms({ notes: program }, options).get("notes")).toEqual({
      command: "node",
      args: [],
      cwd: join(directory, "work"),
      env: { A: "env:A", B: `file:${join(directory, "relative-secret")}`, C: "c" },
    });
    const missing = { notes: { command: "node", env: { A: "env:NOPE", B: "file:nope" } } };
    expect(() => decodePrograms(missing, options)).toThrow(/NOPE is not set[\s\S]*nope cannot be read/);
  });

  it("reads credentials by reference only, and keeps their values out of messages", () => {
    const credentials = { github: "env:GITHUB", wiki: "file:wiki-secret" };
    writeFileSync(join(directory, "wiki-secret"), "from-file\n");
    const options = { file: "gateway.json", baseDir: directory, environment: { GITHUB: "gh-value" } };
    expect(decodeCredentials(credentials, { ...options, secrets: "resolve" })).toEqual(
      new Map([
        ["github", "gh-value"],
        ["wiki", "from-file"],
      ]),
    );
    expect(decodeCredentials(credentials, { ...options, secrets: "keep" })).toEqual(
      new Map([
        ["github", "env:GITHUB"],
        ["wiki", `file:${join(directory, "wiki-secret")}`],
      ]),
    );
    const broken = {
      literal: "gh-literal",
      "bad name": "env:GITHUB",
      missing: "env:NOPE",
      split: "env:SPLIT",
    };
    const environment = { GITHUB: "gh-value", SPLIT: "split-value\r\nx-admin: 1" };
    const decodeBroken = (): unknown =>
      decodeCredentials(broken, { ...options, environment, secrets: "resolve" });
    expect(decodeBroken).toThrow(
      /literal must be env:NAME[\s\S]*bad name[\s\S]*NOPE[\s\S]*split is not a value/,
    );
    expect(decodeBroken).not.toThrow(/gh-literal|split-value|gh-value/);
  });

  it("treats inherited names as absent", () => {
    const tree = JSON.parse(
      `{"__proto__": {"stateDir": "x"}, "release": {"source": "dir:/c", "channel": "prod"}, "trust": {"root": "r", "rootSha256": "${"a".repeat(64)}"}}`,
    ) as unknown;
    expect(problemsOf(tree).map(({ path }) => path)).toEqual(["$.__proto__", "$.stateDir"]);
    const program = {
      programs: JSON.parse('{"notes": {"command": "node", "env": {"A": "env:constructor"}}}') as unknown,
    };
    expect(problemsOf({ ...minimal(), ...program })[0]?.message).toContain("is not set");
  });
});

describe("loading a file", () => {
  it("reads JSON and resolves paths against the file", () => {
    const file = join(directory, "gateway.json");
    writeFileSync(file, JSON.stringify(minimal()));
    expect(loadProcessConfig(file, {}).stateDir).toBe(join(directory, "state"));
  });

  it.each([
    ["a missing file", undefined, "cannot be read"],
    ["text that is no JSON", "{", "is not JSON"],
    ["an array", "[]", "must be an object, not an array"],
    ["null", "null", "must be an object, not null"],
  ])("refuses %s", (_, text, message) => {
    const file = join(directory, "broken.json");
    rmSync(file, { force: true });
    if (text !== undefined) writeFileSync(file, text);
    expect(() => loadProcessConfig(file, {})).toThrow(message);
  });
});

describe("gateway.schema.json", () => {
  const propertyAt = (path: string): Tree =>
    path
      .split(".")
      .reduce<Tree>((node, key) => (node["properties"] as Record<string, Tree>)[key] ?? {}, schema);

  it.each(Object.entries(CONFIG_NUMBERS))("states the range and default of %s", (path, range) => {
    expect(propertyAt(path)).toMatchObject({
      minimum: range.min,
      maximum: range.max,
      default: range.fallback,
    });
  });

  it("states every default that the decoder fills in", () => {
    const decoded = decode(minimal());
    expect(propertyAt("listen.host")["default"]).toBe(decoded.listen.host);
    expect(propertyAt("admin.host")["default"]).toBe(decoded.admin.host);
    expect(propertyAt("audit.mode")["default"]).toBe(decoded.audit.mode);
    expect(propertyAt("decisions.engine")["default"]).toBe(decoded.decisions.engine);
    expect(propertyAt("log.level")["default"]).toBe(decoded.log.level);
  });

  it("closes every object", () => {
    const open: string[] = [];
    const visit = (node: unknown, path: string): void => {
      if (typeof node !== "object" || node === null) return;
      const object = node as Tree;
      if (object["type"] === "object" && object["additionalProperties"] === undefined) open.push(path);
      for (const [key, child] of Object.entries(object)) visit(child, `${path}/${key}`);
    };
    visit(schema, "#");
    expect(open).toEqual([]);
  });
});
