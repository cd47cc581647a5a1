import { defineConfig } from "vitest/config";
import { LongestFirst } from "./test/longest-first.ts";

/** Tests of functions that leave nothing behind them in their process. */
const SHARED = "test/unit/{cli,compiler}/**/*.test.ts";

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
        // Loading the compiler, and V8 learning its hot functions, takes longer than most of these files.
        test: { name: "shared process", include: [SHARED], isolate: false },
      },
      {
        extends: true,
        test: { name: "own process", include: ["test/**/*.test.ts"], exclude: [SHARED] },
      },
    ],
  },
});
