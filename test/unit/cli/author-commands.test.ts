// init, check, fmt, build: what an author of policies relies on.
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TEMPLATE, createDesk } from "./cli-fixture.ts";
import type { Desk } from "./cli-fixture.ts";

let desk: Desk;
beforeEach(() => {
  desk = createDesk("template");
});
afterEach(() => desk.remove());

const edit = (file: string, change: (text: string) => string): void =>
  writeFileSync(desk.path("repo", file), change(readFileSync(desk.path("repo", file), "utf8")));

describe("init", () => {
  it("fills a new directory with a repository that checks, tests and builds", async () => {
    const { out, err } = await desk.ok("init", "new/one");
    expect(out).toBe(`${desk.path("new/one")}\n`);
    expect(err).toContain("aegis check");
    await desk.ok("check", "new/one");
    await desk.ok("test", "new/one");
    for (const file of [".github/workflows/aegis.yml", "CODEOWNERS", "policies/sql-prod.cedar"]) {
      expect(readFileSync(desk.path("new/one", file))).toEqual(readFileSync(`${TEMPLATE}/${file}`));
    }
  });

  it("takes an empty directory and one with nothing but .git", async () => {
    mkdirSync(desk.path("empty"));
    await desk.ok("init", "empty");
    mkdirSync(desk.path("git/.git"), { recursive: true });
    await desk.ok("init", "git");
  });

  it("overwrites nothing", async () => {
    mkdirSync(desk.path("full"));
    writeFileSync(desk.path("full/notes.txt"), "mine");
    const before = desk.listing();
    const { code, err } = await desk.run("init", "full");
    expect(code).toBe(1);
    expect(err).toContain(`${desk.path("full")} is not empty (notes.txt)`);
    expect((await desk.run("init", "full/notes.txt")).code).toBe(1);
    expect(desk.listing()).toEqual(before);
  });
});

describe("check", () => {
  const withWarning = (): void =>
    edit("policies/sql-prod.cedar", (text) => text.replace("^\\\\s*SELECT", "SELECT"));

  it("passes the template without a finding, and with a warning on standard error", async () => {
    expect(await desk.run("check", "repo")).toEqual({ code: 0, out: "", err: "0 errors, 0 warnings\n" });
    withWarning();
    const { code, out, err } = await desk.run("check", "repo");
    expect({ code, out }).toEqual({ code: 0, out: "" });
    expect(err).toMatch(/^policies\/sql-prod\.cedar:11:33: warning CEDAR_REGEX_UNANCHORED: /u);
    expect(err).toMatch(/\n0 errors, 1 warning\n$/u);
  });

  it("exits 3 for an error and names file, line, column and code, in every format", async () => {
    edit("policies/baseline.yaml", (text) => text.replace("failMode: closed", "failMode: open"));
    const text = await desk.run("check", "repo");
    expect(text.code).toBe(3);
    expect(text.err).toMatch(/^policies\/baseline\.yaml:\d+:\d+: error [A-Z_]+: /mu);
    const json = await desk.run("check", "repo", "--format", "json");
    expect(json.code).toBe(3);
    expect(JSON.parse(json.out)).toMatchObject({ formatVersion: 1, errors: 1 });
    const github = await desk.run("check", "repo", "--format", "github");
    expect(github.code).toBe(3);
    expect(github.out).toMatch(/^::error file=policies\/baseline\.yaml,line=\d+,col=\d+/u);
    const sarif = await desk.run("check", "repo", "--format", "sarif");
    expect(sarif.code).toBe(3);
    expect(JSON.parse(sarif.out)).toMatchObject({ version: "2.1.0" });
  });

  it("counts warnings against --max-warnings", async () => {
    withWarning();
    expect((await desk.run("check", "repo", "--max-warnings", "1")).code).toBe(0);
    const { code, err } = await desk.run("check", "repo", "--max-warnings", "0");
    expect(code).toBe(3);
    expect(err).toContain("1 warning, at most 0 allowed");
  });

  it("writes nothing, whatever it finds", async () => {
    const before = desk.listing();
    for (const format of ["text", "json", "github", "sarif"])
      await desk.run("check", "repo", "--format", format);
    expect(desk.listing()).toEqual(before);
  });

  it.each([".", "repo/policies", "missing"])("exits 1 where %s is no policy repository", async (dir) => {
    const { code, err, out } = await desk.run("check", dir);
    expect(code).toBe(1);
    expect(err).toContain("is not a policy repository: it has no aegis.yaml");
    expect(err).toContain("help: ");
    expect(out).toBe("");
  });
});

describe("fmt", () => {
  it("settles a document once, and prints which", async () => {
    edit("policies/baseline.yaml", (text) => text.replace("deny:", "deny:   # why\n\n\n"));
    edit("policies/sql-prod.cedar", (text) => text.replace("permit (", "permit(  "));
    const check = await desk.run("fmt", "repo", "--check");
    expect(check.code).toBe(7);
    const { out } = await desk.ok("fmt", "repo");
    expect(out).toBe(check.out);
    expect(out.split("\n")).toContain("policies/sql-prod.cedar");
    const settled = desk.listing();
    expect(await desk.run("fmt", "repo", "--check")).toEqual({ code: 0, out: "", err: "" });
    expect((await desk.ok("fmt", "repo")).out).toBe("");
    expect(desk.listing()).toEqual(settled);
    await desk.ok("check", "repo");
  });

  it("finds the template formatted", async () => {
    expect(await desk.run("fmt", "repo", "--check")).toEqual({ code: 0, out: "", err: "" });
  });

  it("adds headers only when asked", async () => {
    const before = readFileSync(desk.path("repo/policies/baseline.yaml"), "utf8");
    await desk.ok("fmt", "repo", "--add-header");
    expect(readFileSync(desk.path("repo/policies/baseline.yaml"), "utf8")).toContain("kind: Policy");
    if (before.includes("kind:")) throw new Error("the template was to have a document without header");
  });

  it("writes no document where one does not parse", async () => {
    edit("policies/jira.yaml", (text) => `${text}\n   bad: [`);
    edit("policies/sql-prod.cedar", (text) => text.replace("permit (", "permit(  "));
    const before = desk.listing();
    const { code, err } = await desk.run("fmt", "repo");
    expect(code).toBe(3);
    expect(err).toContain("policies/jira.yaml:");
    expect(desk.listing()).toEqual(before);
  });
});

describe("build", () => {
  it("gives the same bytes from two places, and the digest is the sha256sum", async () => {
    const first = await desk.ok("build", "repo", "-o", "a.aegis");
    await desk.ok("init", "elsewhere/again");
    const second = await desk.ok("build", "elsewhere/again", "-o", "out/b.aegis", "--format", "json");
    const report = JSON.parse(second.out) as { formatVersion: number; digest: string; sizeBytes: number };
    expect(report.formatVersion).toBe(1);
    expect(first.out).toBe(`${report.digest}  a.aegis\n`);
    expect(readFileSync(desk.path("a.aegis"))).toEqual(readFileSync(desk.path("out/b.aegis")));
    expect(report.sizeBytes).toBe(readFileSync(desk.path("a.aegis")).length);
    const sum = execFileSync("sha256sum", ["a.aegis"], { cwd: desk.dir, encoding: "utf8" });
    expect(sum).toBe(first.out);
  });

  it("changes the digest with a policy and not with a comment or a test of the same meaning", async () => {
    const digest = async (): Promise<string> =>
      (await desk.ok("build", "repo", "-o", "x.aegis")).out.slice(0, 64);
    const before = await digest();
    edit("README.md", (text) => `${text}\nmore\n`);
    expect(await digest()).toBe(before);
    edit("policies/baseline.yaml", (text) => text.replace("[SELECT]", "[SELECT, INSERT]"));
    expect(await digest()).not.toBe(before);
  });

  it("writes nothing where the repository does not check, and leaves an earlier bundle alone", async () => {
    await desk.ok("build", "repo", "-o", "x.aegis");
    edit("policies/sql-prod.cedar", (text) => text.replace("permit", "allow"));
    const before = desk.listing();
    for (const output of ["x.aegis", "y.aegis"]) {
      const { code, out, err } = await desk.run("build", "repo", "-o", output);
      expect({ code, out }).toEqual({ code: 3, out: "" });
      expect(err).toMatch(/^policies\/sql-prod\.cedar:\d+:\d+: error /mu);
    }
    expect(desk.listing()).toEqual(before);
  });
});
