// One repository, one digest: whatever the directory, the clock, the locale, the umask, the file times and the order in
// which a directory lists its files. Real processes, because most of these are fixed when a process starts.
import { execFileSync, spawnSync } from "node:child_process";
import { hash } from "node:crypto";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compileCache } from "../../compile-cache.ts";
import { ROOT, TEMPLATE, createDesk } from "./cli-fixture.ts";
import type { Desk } from "./cli-fixture.ts";

let desk: Desk;
let expected: Uint8Array;
beforeAll(async () => {
  desk = createDesk("template");
  await desk.ok("build", "repo", "-o", "expected.aegis");
  expected = readFileSync(desk.path("expected.aegis"));
});
afterAll(() => desk.remove());

const ENV = { PATH: process.env["PATH"], ...compileCache() };

/** Builds in a process of its own, under a umask, and gives what it printed and wrote. */
function build(cwd: string, dir: string, options: { env?: Record<string, string>; umask?: string } = {}) {
  const output = `${desk.path(`out-${hash("sha256", cwd + dir + JSON.stringify(options)).slice(0, 8)}`)}.aegis`;
  const command = `umask ${options.umask ?? "022"}; exec "$@"`;
  const { status, stdout, stderr } = spawnSync(
    "sh",
    ["-c", command, "sh", process.execPath, join(ROOT, "cli/bin/aegis.js"), "build", dir, "-o", output],
    { cwd, encoding: "utf8", env: { ...ENV, ...options.env } },
  );
  if (status !== 0) throw new Error(stderr);
  return { digest: stdout.split(" ")[0], bytes: readFileSync(output) };
}

function expectSame(built: ReturnType<typeof build>): void {
  expect(built.digest).toBe(hash("sha256", expected));
  expect(Buffer.compare(built.bytes, expected)).toBe(0);
}

/** Every file of the template, in the order a walk gives them. */
function filesOf(dir: string): readonly string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(dir, join(entry.parentPath, entry.name)));
}

describe("the same repository", () => {
  it.each([
    [
      "a locale in which i has no dot, another time zone and home, and a umask that keeps all others out",
      {
        env: {
          LC_ALL: "tr_TR.UTF-8",
          LANG: "tr_TR.UTF-8",
          TZ: "Asia/Kathmandu",
          HOME: "/nonexistent",
          CI: "1",
        },
        umask: "077",
      },
    ],
    [
      "the C locale, a time zone beyond the date line, and a umask that keeps nobody out",
      { env: { LC_ALL: "C", TZ: "Pacific/Kiritimati", COLUMNS: "40" }, umask: "000" },
    ],
  ])("gives the same bytes under %s", (_name, options) => {
    expectSame(build(desk.dir, "repo", options));
  });

  it("gives the same bytes from within a deeper directory with blanks in its name, files made backwards", () => {
    const files = [...filesOf(TEMPLATE)].sort().reverse();
    for (const [index, file] of files.entries()) {
      const path = desk.path("a/b c/ü", file);
      mkdirSync(dirname(path), { recursive: true });
      cpSync(join(TEMPLATE, file), path);
      utimesSync(path, 86_400 * index, 86_400 * index);
      chmodSync(path, index % 2 === 0 ? 0o600 : 0o755);
    }
    expectSame(build(desk.path("a/b c/ü"), "."));
  });

  it("gives the same bytes from a clone, with .git beside the documents", () => {
    const git = (cwd: string, ...argv: string[]): unknown =>
      execFileSync("git", ["-c", "user.name=a", "-c", "user.email=a@example.net", ...argv], {
        cwd,
        stdio: "pipe",
      });
    cpSync(TEMPLATE, desk.path("origin"), { recursive: true });
    git(desk.path("origin"), "init", "-q");
    git(desk.path("origin"), "add", "-A");
    git(desk.path("origin"), "commit", "-q", "-m", "first");
    git(desk.dir, "clone", "-q", "origin", "clone");
    expect(statSync(desk.path("clone/.git")).isDirectory()).toBe(true);
    expectSame(build(desk.dir, "clone"));
  });

  it("gives other bytes where a document says something else", async () => {
    cpSync(TEMPLATE, desk.path("other"), { recursive: true });
    const limits = desk.path("other/limits.yaml");
    writeFileSync(limits, readFileSync(limits, "utf8").replace("limit: 600", "limit: 601"));
    await desk.ok("build", "other", "-o", "other.aegis");
    expect(Buffer.compare(readFileSync(desk.path("other.aegis")), expected)).not.toBe(0);
  });
});
