import { defineConfig } from "vitest/config";
import { LongestFirst } from "./test/longest-first.ts";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: "forks",
    // One more than the smallest machine has cores: much of a test with real processes is waiting.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    // Real processes on a shared runner can miss a deadline. The report names every test that needed its second try.
    retry: process.env["CI"] === "true" ? 1 : 0,
  },
});
