// aegis diff: what a reviewer is told of two bundles, from real repositories and from hostile files.
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bundleDigest, decodeBundleFile, definitionDigest, encodeBundle } from "#bundle";
import type { JsonObject } from "#std";
import { RELEASE, createDesk, prepareRelease } from "./cli-fixture.ts";
import type { Desk } from "./cli-fixture.ts";

interface Change {
  readonly section: string;
  readonly what: string;
  readonly subject: string;
  readonly members: readonly { member: string; before?: string; after?: string }[];
  readonly source?: object;
  readonly residuals?: readonly { action: string; list: string; before?: string; after?: string }[];
}

const ESCAPE = "\u001b";

let desk: Desk;
beforeAll(async () => {
  desk = createDesk("template");
  await prepareRelease(desk);
  await desk.ok(...RELEASE);
});
afterAll(() => desk.remove());

/** Builds the repository after some files of it were edited, and compares. */
async function diffAfter(
  name: string,
  edit: (file: (path: string) => { read: () => string; write: (text: string) => void }) => void,
): Promise<{ text: string; changes: readonly Change[] }> {
  cpSync(desk.path("repo"), desk.path(name), { recursive: true });
  edit((path) => ({
    read: () => readFileSync(desk.path(name, path), "utf8"),
    write: (text) => writeFileSync(desk.path(name, path), text),
  }));
  await desk.ok("build", name, "-o", `${name}.aegis`);
  const { out: text } = await desk.ok("diff", "p.aegis", `${name}.aegis`);
  const { out } = await desk.ok("diff", "p.aegis", `${name}.aegis`, "--format", "json");
  const { formatVersion, same, changes } = JSON.parse(out) as {
    formatVersion: number;
    same: boolean;
    changes: readonly Change[];
  };
  expect({ formatVersion, same }).toEqual({ formatVersion: 1, same: false });
  return { text, changes };
}

describe("diff", () => {
  it("says that a bundle is the same as itself, as a file, a channel and a commit", async () => {
    const git = (...argv: string[]): unknown =>
      execFileSync("git", ["-c", "user.name=a", "-c", "user.email=a@example.net", ...argv], {
        cwd: desk.path("repo"),
        stdio: "pipe",
      });
    git("init", "-q");
    git("add", "-A");
    git("commit", "-q", "-m", "first");
    for (const other of ["p.aegis", "ch", "HEAD"]) {
      const { code, out } = await desk.run("diff", "p.aegis", other, "--dir", "repo", "--detailed-exitcode");
      expect({ other, code }).toEqual({ other, code: 0 });
      expect(out).toContain("The same bundle.");
    }
    rmSync(desk.path("repo/.git"), { recursive: true });
  });

  it("names an added policy, where it stands, and the definitions it decides", async () => {
    const { text, changes } = await diffAfter("denied", (file) => {
      file("policies/more.yaml").write('deny: { tools: ["sql.query"] }\n');
    });
    const policy = changes.find(({ section }) => section === "policies");
    expect(policy).toMatchObject({
      what: "added",
      subject: "policies/more.yaml#/deny/tools/0",
      source: { file: "policies/more.yaml", line: 1 },
    });
    expect(policy?.residuals?.[0]).toMatchObject({ action: "tools/call:sql-prod/sql.query", list: "call" });
    expect(text).toContain("  + forbid policies/more.yaml#/deny/tools/0\n      policies/more.yaml:1:");
    expect(text).toContain("tools/call:sql-prod/sql.query");
    const back = await desk.ok("diff", "denied.aegis", "p.aegis");
    expect(back.out).toContain("  - forbid policies/more.yaml#/deny/tools/0");
    expect((await desk.run("diff", "denied.aegis", "p.aegis", "--detailed-exitcode")).code).toBe(2);
  });

  it("tells a policy that moved from one that changed", async () => {
    const moved = await diffAfter("moved", (file) => {
      const cedar = file("policies/sql-prod.cedar");
      cedar.write(`// a line more\n${cedar.read()}`);
    });
    expect(new Set(moved.changes.map(({ section, what }) => `${section} ${what}`))).toEqual(
      new Set(["policies moved"]),
    );
    const changed = await diffAfter("changed", (file) => {
      const cedar = file("policies/sql-prod.cedar");
      cedar.write(cedar.read().replace("SELECT", "SELECT|WITH"));
    });
    const policy = changed.changes.find(({ section, what }) => section === "policies" && what === "changed");
    expect(policy?.subject).toBe("policies/sql-prod.cedar#0");
    const [residual] = policy?.residuals ?? [];
    expect(residual?.before).not.toBe(residual?.after);
    expect(changed.text).toContain("SELECT|WITH");
  });

  it("shows a changed definition member by member, with hidden characters made visible", async () => {
    // Made by hand: the compiler refuses such a pin.
    const bytes = readFileSync(desk.path("p.aegis"));
    const { content } = decodeBundleFile(bytes, bundleDigest(bytes));
    const edited = structuredClone(content) as typeof content;
    const tool = edited.registry.servers
      .flatMap(({ leaves }) => leaves)
      .find(({ kind, definitions }) => kind === "tool" && definitions.length > 0);
    for (const entry of (tool?.definitions ?? []) as unknown as {
      digest: string;
      definition: JsonObject;
    }[]) {
      entry.definition = { ...entry.definition, description: "Find\u200b \u001b[31mtickets" };
      entry.digest = definitionDigest(entry.definition);
    }
    writeFileSync(desk.path("pinned.aegis"), encodeBundle(edited, { compilerVersion: "0.1.0" }));
    const { out: text } = await desk.ok("diff", "p.aegis", "pinned.aegis");
    const { out } = await desk.ok("diff", "p.aegis", "pinned.aegis", "--format", "json");
    const { changes } = JSON.parse(out) as { changes: readonly Change[] };
    const definition = changes.find(({ section }) => section === "definitions");
    expect(definition?.members[0]).toMatchObject({ member: "/description", impact: "text" });
    expect(text).toMatch(/U\+200B/u);
    expect(text).toMatch(/U\+001B/u);
    expect(text).not.toContain("\u001b");
    expect(text).not.toContain("\u200b");
  });

  it("shows limits, routes and transforms by key and member", async () => {
    const { text } = await diffAfter("tables", (file) => {
      const limits = file("limits.yaml");
      limits.write(limits.read().replace("limit: 600", "limit: 7"));
      const routes = file("routes.yaml");
      routes.write(routes.read().replace("deadline: 30s", "deadline: 20s"));
      const baseline = file("policies/baseline.yaml");
      baseline.write(baseline.read().replace("$.response.assignee.email", "$.response.assignee"));
    });
    expect(text).toContain("limits\n  ~ per-principal\n      limit  600 → 7\n");
    expect(text).toContain("deadlineMs  30000 → 20000");
    expect(text).toContain("transforms\n");
    for (const line of text.split("\n")) expect(line.length, line).toBeLessThanOrEqual(80);
  });

  it("paints signs on a terminal only, and the text is otherwise the same", async () => {
    const plain = await desk.run("diff", "p.aegis", "denied.aegis");
    const painted = await desk.runWith({ colorOut: true }, "diff", "p.aegis", "denied.aegis");
    expect(painted.out).toContain("\u001b[32m+");
    expect(painted.out.replaceAll(new RegExp(`${ESCAPE}\\[\\d+m`, "gu"), "")).toBe(plain.out);
  });

  it.each([
    ["a file of 70 MB", "big.aegis", 6, "BUNDLE_TOO_LARGE"],
    ["half a file", "half.aegis", 6, "BUNDLE_INVALID"],
    ["an empty file", "empty.aegis", 6, "BUNDLE_INVALID"],
    ["a directory for a file", "dir.aegis", 6, "BUNDLE_UNREADABLE"],
    ["a pipe", "pipe", 6, "BUNDLE_UNREADABLE"],
    ["a device without end", "/dev/zero", 6, "BUNDLE_UNREADABLE"],
    ["a root", "root.json", 6, "BUNDLE_INVALID"],
    ["a directory without a release", "./dir.aegis/", 6, "RELEASE_SOURCE_UNAVAILABLE"],
    ["a channel whose bundle is another", "swapped", 6, "BUNDLE_DIGEST_MISMATCH"],
    ["a channel without its bundle", "lacking", 6, "BUNDLE_UNREADABLE"],
    ["a channel with a statement of 1 MB", "bloated", 6, "RELEASE_INVALID"],
    ["what is not there", "none.aegis", 1, "no such file"],
    ["what is no reference", "nobody/knows", 1, "no Git reference"],
    ["an option in the place of a reference", "--upload-pack=x", 1, "unknown option"],
  ])("refuses %s on either side", async (_name, hostile, exitCode, message) => {
    const bytes = readFileSync(desk.path("p.aegis"));
    writeFileSync(desk.path("big.aegis"), "");
    truncateSync(desk.path("big.aegis"), 70 * 1024 * 1024);
    writeFileSync(desk.path("half.aegis"), bytes.subarray(0, bytes.length / 2));
    writeFileSync(desk.path("empty.aegis"), "");
    mkdirSync(desk.path("dir.aegis"), { recursive: true });
    execFileSync("sh", ["-c", "test -p pipe || mkfifo pipe"], { cwd: desk.dir });
    const digest = (await desk.ok("inspect", "p.aegis", "--format", "json")).out;
    const bundle = `${(JSON.parse(digest) as { digest: string }).digest}.aegis`;
    for (const channel of ["swapped", "lacking", "bloated"])
      cpSync(desk.path("ch"), desk.path(channel), { recursive: true });
    cpSync(desk.path("denied.aegis"), desk.path("swapped", bundle));
    rmSync(desk.path("lacking", bundle), { force: true });
    truncateSync(desk.path("bloated/release.json"), 1024 * 1024);
    for (const sides of [
      ["p.aegis", hostile],
      [hostile, "p.aegis"],
    ]) {
      const { code, out, err } = await desk.run("diff", ...sides, "--dir", "repo");
      expect({ sides, code, out }).toEqual({ sides, code: exitCode, out: "" });
      expect(err).toContain(message);
    }
  });
});
