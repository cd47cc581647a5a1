import { defineConfig } from "vitest/config";
import { LongestFirst } from "./test/longest-first.ts";
import { MOCK_MODULES } from "./test/mock-modules.ts";

const ALL = "test/**/*.test.ts";

export default defineConfig({
  test: {
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: "forks",
    // One more than the smallest machine has cores: much of a test with real processes is waiting.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    // Real processes on a shared runner can miss a deadline. The report names every test that needed its second try.
    retry: process.env["CI"] === "true" ? 1 : 0,
    projects: [
      {
        extends: true,
        // Loading what they test, and V8 learning its hot functions, takes longer than most files.
        test: { name: "shared process", include: [ALL], exclude: [...MOCK_MODULES], isolate: false },
      },
      { extends: true, test: { name: "own process", include: [...MOCK_MODULES] } },
    ],
  },
});
