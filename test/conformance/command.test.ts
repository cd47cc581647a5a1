// The command of the conformance run: how it is used, and what it says where there is nothing to run.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { expect, it } from "vitest";

function run(...args: readonly string[]): Promise<{ code: unknown; out: string; err: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [join(import.meta.dirname, "run.ts"), ...args], (fault, out, err) => {
      resolve({ code: fault === null ? 0 : fault.code, out, err });
    });
  });
}

it("--help says how it is used, and what there is to run", async () => {
  const { code, out, err } = await run("--help");
  expect(out).toMatch(/^Usage: node test\/conformance\/run\.ts /u);
  expect(out).toMatch(/^ {2}dual 2025-11-25$/mu);
  expect(out).toMatch(/^ {2}sse-retry$/mu);
  expect({ code, err }).toEqual({ code: 0, err: "" });
});

it.each([
  ["a leg that is none", ["--leg", "typo"], /^error: no leg and no client scenario contains "typo"$/mu],
  ["a scenario that is none", ["--client", "--leg", "dual"], /^error: no client scenario contains "dual"$/mu],
])("%s is an error with the list", async (_name, args, text) => {
  const { code, out, err } = await run(...args);
  expect(err).toMatch(text);
  expect(err).toMatch(/^ {2}stdio 2026-07-28$/mu);
  expect({ code, out }).toEqual({ code: 1, out: "" });
});

it.each([
  ["an unknown option", ["--typo"], /^error: Unknown option '--typo'.*--help/u],
  ["a page of one leg", ["--write", "--leg", "dual"], /^error: --write runs everything/u],
])("%s is an error", async (_name, args, text) => {
  const { code, out, err } = await run(...args);
  expect(err).toMatch(text);
  expect(err.trim().split("\n")).toHaveLength(1);
  expect({ code, out }).toEqual({ code: 1, out: "" });
});

it("what was not run has no line", async () => {
  const { code, out } = await run("--leg", "initialize");
  expect(out).toMatch(/^client initialize, 2025-11-25: [1-9]\d* passed directly/mu);
  expect(out).not.toMatch(/both eras|bridged/u);
  expect(code).toBe(0);
}, 60_000);
