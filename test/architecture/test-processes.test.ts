// Test files share processes, so one that mocks a module must have a process of its own.
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { MOCK_MODULES } from "../mock-modules.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const MOCKS = /^vi\.(?:mock|doMock)\(/mu;

it("every file that mocks a module is in MOCK_MODULES", () => {
  const files = globSync("test/**/*.test.ts", { cwd: ROOT });
  expect(files.length).toBeGreaterThan(100);
  const mocking = files.filter((file) => MOCKS.test(readFileSync(join(ROOT, file), "utf8")));
  expect(mocking.sort()).toEqual([...MOCK_MODULES].sort());
});
