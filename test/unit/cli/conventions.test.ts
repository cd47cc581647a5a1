// What every command has in common: help, wrong use, formats, colour, exit codes.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { EXIT } from "#cli";
import { compileCache } from "../../compile-cache.ts";
import { RELEASE, ROOT, createDesk, prepareRelease } from "./cli-fixture.ts";
import type { Desk } from "./cli-fixture.ts";

let desk: Desk;
beforeAll(async () => {
  desk = createDesk("template");
  await prepareRelease(desk);
  await desk.ok(...RELEASE);
});
afterAll(() => desk.remove());

const ESCAPE = "\u001b";
const COMMANDS = [
  "init",
  "check",
  "fmt",
  "test",
  "plan",
  "explain",
  "pin",
  "dev",
  "build",
  "keys new",
  "keys show",
  "root init",
  "root rotate",
  "release",
  "rollback",
  "verify",
  "inspect",
  "diff",
  "gateway",
  "connect",
  "audit verify",
] as const;

describe("exit codes", () => {
  it("are a contract with scripts", () => {
    expect(EXIT).toEqual({
      ok: 0,
      error: 1,
      changes: 2,
      checkFailed: 3,
      testsFailed: 4,
      gate: 5,
      trust: 6,
      drift: 7,
      auditIncomplete: 8,
    });
  });
});

describe("help", () => {
  it("lists every command with what it is for, and the exit codes", async () => {
    const { out, err } = await desk.ok("--help");
    expect(err).toBe("");
    for (const command of COMMANDS)
      expect(out).toMatch(new RegExp(`^ {2}${command.split(" ")[0]}\\b.* {2,}\\S`, "mu"));
    expect(out).toContain("8 audit incomplete");
    expect(Math.max(...out.split("\n").map((line) => line.length))).toBeLessThan(121);
  });

  it.each(COMMANDS)("%s --help says what it does and each of its options", async (command) => {
    const { out, err } = await desk.ok(...command.split(" "), "--help");
    expect(err).toBe("");
    expect(out).toMatch(new RegExp(`^Usage: aegis ${command}\\b`, "u"));
    expect(out).not.toMatch(/undefined|\[object|default: \[\]/u);
    const options = out.split("\n").filter((line) => /^ {2}-/u.test(line));
    expect(options.length).toBeGreaterThan(0);
    for (const option of options)
      expect(option).toMatch(/^ {2}(?:-\w, )?--[\w-]+(?: <[^>]+>)?(?: {2,}\S|$)/u);
  });

  it("is matched by docs/cli.md: every command and every option", async () => {
    const documentation = readFileSync(join(ROOT, "docs/cli.md"), "utf8");
    for (const command of COMMANDS) {
      expect(documentation).toContain(`aegis ${command}`);
      const { out } = await desk.ok(...command.split(" "), "--help");
      const options = [...out.matchAll(/^ {2}(?:-\w, )?(--[\w-]+)/gmu)].map((match) => match[1] ?? "");
      expect(options.filter((option) => option !== "--help" && !documentation.includes(option))).toEqual([]);
    }
  });

  it("is what no command at all gives, with exit 1", async () => {
    const { code, out, err } = await desk.run();
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toContain("Usage: aegis");
    expect((await desk.run("keys")).code).toBe(1);
  });

  it("has a version", async () => {
    expect(await desk.run("--version")).toEqual({ code: 0, out: "0.1.0\n", err: "" });
  });
});

describe("wrong use", () => {
  it.each([
    [["chek"], "unknown command 'chek'\n(Did you mean check?)"],
    [["verfy"], "(Did you mean verify?)"],
    [["keys", "nwe"], "(Did you mean new?)"],
    [["audit", "verfiy"], "(Did you mean verify?)"],
    [["check", "--formt", "json"], "(Did you mean --format?)"],
    [["check", "--format", "xml"], "Allowed choices are text, json, github, sarif."],
    [["build", "repo", "-o", "x", "--format", "yaml"], "Allowed choices are text, json."],
    [["test", "repo", "--format", "xml"], "text, json, junit"],
    [["check", "a", "b"], "too many arguments for 'check'"],
    [["build", "repo"], "required option '-o, --output <file.aegis>' not specified"],
    [["release", "p.aegis"], "required option"],
    [["root", "init", "-o", "x"], "required option '--key <file>' not specified"],
    [["gateway"], "required option '--config <gateway.json>' not specified"],
    [["inspect"], "missing required argument 'file.aegis'"],
    [["keys", "new", "x.json", "--algorithm", "RSA"], "Allowed choices are Ed25519, ES256."],
  ])("%j exits 1, says why on standard error, and writes nothing", async (argv, message) => {
    const before = desk.listing();
    const { code, out, err } = await desk.run(...argv);
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toContain(message);
    expect(desk.listing()).toEqual(before);
  });
});

const JSON_COMMANDS: readonly (readonly string[])[] = [
  ["check", "repo", "--format", "json"],
  ["test", "repo", "--format", "json"],
  ["plan", "repo", "--base", "p.aegis", "--format", "json"],
  ["explain", "repo", "--principal", "developer", "--call", "select", "--format", "json"],
  ["build", "repo", "-o", "again.aegis", "--format", "json"],
  ["keys", "new", "another.json", "--format", "json"],
  ["root", "init", "--key", "k.json", "-o", "another-root.json", "--format", "json"],
  [...RELEASE, "--format", "json"],
  ["verify", "ch", "--root", "root.json", "--format", "json"],
  ["verify", "p.aegis", "--format", "json"],
  ["inspect", "p.aegis", "--format", "json"],
  ["keys", "show", "k.json", "--format", "json"],
  ["diff", "p.aegis", "p.aegis", "--format", "json"],
];

describe("output", () => {
  it.each(JSON_COMMANDS.map((argv) => [argv.join(" "), argv] as const))(
    "%s: one document with a formatVersion",
    async (_name, argv) => {
      const { out } = await desk.ok(...argv);
      const document = JSON.parse(out) as Record<string, unknown>;
      expect(["number", "string"]).toContain(typeof document["formatVersion"]);
      expect(out).not.toContain(ESCAPE);
    },
  );

  it("is coloured where the stream is a terminal, and only there", async () => {
    cpSync(desk.path("repo"), desk.path("faulty"), { recursive: true });
    writeFileSync(desk.path("faulty/policies/new.yaml"), "deny: { tools: [nothing] }\n");
    const plain = await desk.run("check", "faulty");
    const painted = await desk.runWith({ colorErr: true }, "check", "faulty");
    rmSync(desk.path("faulty"), { recursive: true });
    expect(plain.err).not.toContain(ESCAPE);
    expect(painted.err).toContain(`${ESCAPE}[`);
    expect(painted.err.replaceAll(new RegExp(`${ESCAPE}\\[\\d+m`, "gu"), "")).toBe(plain.err);
  });
});

describe("as a process", () => {
  const bin = join(ROOT, "node_modules/.bin/aegis");
  const environment = {
    PATH: `${join(ROOT, "node_modules/.bin")}:${process.env["PATH"] ?? ""}`,
    HOME: "/nonexistent",
    ...compileCache(),
  };
  const aegis = (argv: readonly string[], env: Readonly<Record<string, string>> = {}) =>
    spawnSync(bin, argv, { cwd: desk.dir, encoding: "utf8", env: { ...environment, ...env } });

  it("exits with the code of the command and keeps the streams apart", () => {
    const passed = aegis(["check", "repo"]);
    expect([passed.status, passed.stdout]).toEqual([0, ""]);
    expect(passed.stderr).toContain("0 errors, 0 warnings");
    expect(passed.stderr).not.toContain(ESCAPE);
    mkdirSync(desk.path("broken"), { recursive: true });
    writeFileSync(desk.path("broken/aegis.yaml"), "rules: []\n");
    expect(aegis(["check", "broken"]).status).toBe(3);
    expect(aegis(["verify", "ch", "--root", "k.json"]).status).toBe(6);
    expect(aegis(["chek"]).status).toBe(1);
    expect(aegis(["--version"]).stdout).toBe("0.1.0\n");
  });

  it("paints nothing into a pipe or under NO_COLOR, whatever FORCE_COLOR says", () => {
    for (const env of [{}, { NO_COLOR: "1" }, { FORCE_COLOR: "1", NO_COLOR: "1" }]) {
      const { stdout, stderr } = aegis(["test", "repo"], env);
      expect(stdout + stderr).not.toContain(ESCAPE);
    }
  });

  it("takes a repository that a pipe leads to and a closed pipe", () => {
    const { status, stdout } = spawnSync("sh", ["-c", `'${bin}' inspect p.aegis | head -1`], {
      cwd: desk.dir,
      encoding: "utf8",
      env: environment,
    });
    expect([status, stdout.split(" ")[0]]).toEqual([0, "acme-mcp"]);
  });
});

describe("gateway", () => {
  const gateway = (config: string) =>
    spawnSync(join(ROOT, "node_modules/.bin/aegis"), ["gateway", "--config", config], {
      cwd: desk.dir,
      encoding: "utf8",
      timeout: 60_000,
      env: { PATH: `${join(ROOT, "node_modules/.bin")}:${process.env["PATH"] ?? ""}`, ...compileCache() },
    });

  it.each([
    ["missing.json", "the file cannot be read"],
    ["k.json", "$.crv is not a known key"],
    ["p.aegis", "JSON"],
  ])("with %s exits 1 with the reason and writes nothing", (config, message) => {
    const before = desk.listing();
    const { status, stdout, stderr } = gateway(config);
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toContain(`${desk.path(config)} is not usable`);
    expect(stderr).toContain(message);
    expect(desk.listing()).toEqual(before);
  });
});
