// The official conformance suite: of the fixture by itself, behind the gateway, and of a client before the gateway.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { CLIENT_SCENARIOS, runClientLegs } from "./client-legs.ts";
import type { ClientOutcome } from "./client-legs.ts";
import { total } from "./compare.ts";
import { startConformanceWorld } from "./conformance-world.ts";
import type { ConformanceWorld } from "./conformance-world.ts";
import { CLIENT_UNREACHABLE, LEGS, stale } from "./legs.ts";
import { COMMAND, renderReport } from "./report.ts";
import { runServerLegs } from "./server-legs.ts";
import type { ServerRun } from "./server-legs.ts";
import { serverTally } from "./tally.ts";

const PAGE = join(import.meta.dirname, "..", "..", "docs", "conformance.md");
/** On a machine of its own it takes a minute. */
const ALL_MS = 600_000;

let world: ConformanceWorld | undefined;
let servers: ServerRun;
let clients: readonly ClientOutcome[];

beforeAll(async () => {
  // The SDK's client tells of every tool it leaves out.
  for (const method of ["debug", "warn"] as const)
    vi.spyOn(console, method).mockImplementation(() => undefined);
  world = await startConformanceWorld();
  const started = world;
  [servers, clients] = await Promise.all([runServerLegs(started), runClientLegs()]);
}, ALL_MS);
afterAll(async () => {
  vi.restoreAllMocks();
  await world?.stop();
});

describe("a server by itself", () => {
  // Extension scenarios of tasks, which the SDK does not serve, are the 30 that fail.
  it.each([
    ["direct 2025-06-18", { passed: 56, failed: 0 }],
    ["direct 2025-11-25", { passed: 84, failed: 0 }],
    ["direct 2026-07-28", { passed: 164, failed: 30 }],
  ])("%s", (id, counts) => {
    expect(total(servers.baselines.get(id) ?? new Map())).toEqual(counts);
  });

  it("fails extension scenarios only", () => {
    for (const result of servers.baselines.values())
      for (const [scenario, checks] of result)
        if (checks.some(({ status }) => status === "FAILURE" || status === "WARNING"))
          expect(scenario).toMatch(/^tasks-/u);
  });
});

describe.each(LEGS)("$title, $revision", ({ id }) => {
  it("is not worse than the server by itself in any check", () => {
    expect(servers.legs.find(({ leg }) => leg.id === id)?.differences).toEqual([]);
  });
  it("accounts for every check of the server by itself", () => {
    const outcome = servers.legs.find(({ leg }) => leg.id === id);
    if (outcome === undefined) throw new Error(`no leg ${id}`);
    const { passed, failedInBoth, excepted, worse } = serverTally(servers, outcome);
    const direct = total(servers.baselines.get(outcome.leg.baseline) ?? new Map());
    expect(passed + failedInBoth + excepted + worse).toBe(direct.passed + direct.failed);
  });
  it("has no exception that nothing needs", () => {
    const outcome = servers.legs.find(({ leg }) => leg.id === id);
    expect(stale(outcome?.leg.unreachable ?? [], outcome?.accepted ?? [])).toEqual([]);
  });
});

describe("client scenarios with a gateway in between", () => {
  it.each(CLIENT_SCENARIOS)("$scenario, $revision", ({ scenario, revision }) => {
    const outcome = clients.find((found) => found.scenario === scenario && found.revision === revision);
    expect(total(outcome?.direct ?? new Map())).toMatchObject({ failed: 0 });
    expect(outcome?.differences).toEqual([]);
  });

  it("have no exception that nothing needs", () => {
    expect(
      stale(
        CLIENT_UNREACHABLE,
        clients.flatMap(({ accepted }) => accepted),
      ),
    ).toEqual([]);
  });
});

it(`docs/conformance.md is what "${COMMAND}" renders`, async () => {
  expect(await readFile(PAGE, "utf8")).toBe(renderReport(servers, clients));
});
