// A hostile pull request cannot crash, hang or exhaust the process that checks it: a sample here, all of them in
// test/run-long.ts.
import { describe, expect, test } from "vitest";
import { HOSTILE_REPOSITORIES } from "./hostile-repositories.ts";
import { faultsOf, measureCheck } from "./measured-check.ts";

test("names are unique, and there are many", () => {
  expect(new Set(HOSTILE_REPOSITORIES.map(({ name }) => name)).size).toBe(HOSTILE_REPOSITORIES.length);
  expect(HOSTILE_REPOSITORIES.length).toBeGreaterThanOrEqual(100);
});

describe("aegis check as a process", () => {
  test.each(HOSTILE_REPOSITORIES.filter(({ small }) => small))(
    "$name",
    async (repository) => {
      expect(faultsOf(repository, await measureCheck(repository))).toEqual([]);
    },
    120_000,
  );
});
