// Workspaces: a directory and a Git tree give the same files; links, escapes and excess are refused.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { WORKSPACE_LIMITS, WorkspaceError, compile, directoryWorkspace, gitWorkspace } from "#compiler";

let root = "";

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "aegis-workspace-"));
});

afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

function write(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

function git(...args: readonly string[]): string {
  const identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"];
  return execFileSync("git", [...identity, ...args], { cwd: root, encoding: "utf8" });
}

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof WorkspaceError) return error.code;
    throw error;
  }
  return "none";
}

const PROJECT = "apiVersion: aegis.dev/v1\nkind: Project\nmetadata: { name: t }\n";

describe("directory", () => {
  test("lists documents only, sorted, and reads what it lists", () => {
    write("aegis.yaml", PROJECT);
    write("policies/b/z.yaml", "deny: {}\n");
    write("policies/a.cedar", "");
    write("node_modules/x/policies/p.yaml", "deny: {}\n");
    write("README.md", "x");
    const workspace = directoryWorkspace(root);
    expect(workspace.list()).toEqual(["aegis.yaml", "policies/a.cedar", "policies/b/z.yaml"]);
    expect(Buffer.from(workspace.read("aegis.yaml")).toString()).toBe(PROJECT);
    expect(codeOf(() => workspace.read("README.md"))).toBe("SOURCE_UNSAFE");
    expect(codeOf(() => workspace.read("../../etc/passwd"))).toBe("SOURCE_UNSAFE");
  });

  test("a link in a document folder is refused, with its place", async () => {
    write("aegis.yaml", PROJECT);
    mkdirSync(join(root, "policies"));
    symlinkSync("/etc/passwd", join(root, "policies/p.yaml"));
    expect(codeOf(() => directoryWorkspace(root))).toBe("SOURCE_UNSAFE");
    const { diagnostics, bundle } = await compile({ dir: root });
    expect(bundle).toBeUndefined();
    expect(diagnostics).toMatchObject([
      { code: "SOURCE_UNSAFE", severity: "error", file: "policies/p.yaml", line: 1 },
    ]);
  });

  test("a file that became a link after it was listed is not followed", () => {
    write("aegis.yaml", PROJECT);
    const workspace = directoryWorkspace(root);
    rmSync(join(root, "aegis.yaml"));
    symlinkSync("/etc/passwd", join(root, "aegis.yaml"));
    expect(() => workspace.read("aegis.yaml")).toThrow(/ELOOP|symbolic/u);
  });

  test("depth and file size are capped", () => {
    write(`policies/${"d/".repeat(WORKSPACE_LIMITS.maxDepth)}p.yaml`, "deny: {}\n");
    expect(codeOf(() => directoryWorkspace(root))).toBe("SOURCE_UNSAFE");
    rmSync(join(root, "policies"), { recursive: true });
    write("policies/p.yaml", "x".repeat(WORKSPACE_LIMITS.maxFileBytes + 1));
    expect(codeOf(() => directoryWorkspace(root))).toBe("SOURCE_LIMIT");
  });

  test("a directory that does not exist is the caller's fault", async () => {
    await expect(compile({ dir: join(root, "none") })).rejects.toThrow("ENOENT");
  });
});

describe("Git tree", () => {
  beforeEach(() => {
    git("init", "-q", "-b", "main");
  });

  test("reads a commit whatever the working tree holds, from a folder of the repository too", () => {
    write("repo/aegis.yaml", PROJECT);
    write("repo/policies/ä b.yaml", "deny: {}\n");
    write("repo/policies/bin.cedar", "// \u00e9\n\n");
    write("other.yaml", "x: 1\n");
    git("add", "-A");
    git("commit", "-q", "-m", "one");
    write("repo/aegis.yaml", "changed: 1\n");
    const workspace = gitWorkspace(join(root, "repo"), "main");
    expect(workspace.list()).toEqual(["aegis.yaml", "policies/bin.cedar", "policies/ä b.yaml"]);
    expect(Buffer.from(workspace.read("aegis.yaml")).toString()).toBe(PROJECT);
    expect(Buffer.from(workspace.read("policies/bin.cedar")).toString()).toBe("// \u00e9\n\n");
    expect(workspace.description).toMatch(/^main \([0-9a-f]{12}\)$/u);
    expect(codeOf(() => workspace.read("other.yaml"))).toBe("SOURCE_UNSAFE");
  });

  test("links in the tree are refused", () => {
    write("aegis.yaml", PROJECT);
    mkdirSync(join(root, "policies"));
    symlinkSync("../aegis.yaml", join(root, "policies/p.yaml"));
    git("add", "-A");
    git("commit", "-q", "-m", "one");
    expect(codeOf(() => gitWorkspace(root, "HEAD"))).toBe("SOURCE_UNSAFE");
  });

  test.each(["nope", "--output=/tmp/x", "HEAD:aegis.yaml", ""])("the reference %j is refused", (ref) => {
    write("aegis.yaml", PROJECT);
    git("add", "-A");
    git("commit", "-q", "-m", "one");
    expect(() => gitWorkspace(root, ref)).toThrow();
  });
});
