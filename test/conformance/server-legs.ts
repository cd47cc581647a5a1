// Runs legs of the server suite against a world, a few at a time.
import { count, reachable, worseThan } from "./compare.ts";
import type { Difference } from "./compare.ts";
import type { ConformanceWorld } from "./conformance-world.ts";
import { BASELINES, LEGS, isReachable } from "./legs.ts";
import type { Leg } from "./legs.ts";
import { runServerScenario, runServerSuite } from "./suite.ts";
import type { Revision, SuiteResult } from "./suite.ts";

export interface LegOutcome {
  readonly leg: Leg;
  readonly result: SuiteResult;
  /** `result` without what cannot be reached. */
  readonly reachable: SuiteResult;
  /** Worse than the direct run although it could be reached. */
  readonly differences: readonly Difference[];
  /** Worse than the direct run, as `leg.unreachable` says. */
  readonly accepted: readonly Difference[];
}

export interface ServerRun {
  readonly baselines: ReadonlyMap<string, SuiteResult>;
  readonly legs: readonly LegOutcome[];
}

/** Runs of the suite wait for its own timers most of the time. */
const AT_ONCE = 3;
/** Scenarios of a run that are looked at again. More are no matter of time. */
const MAX_AGAIN = 4;

export async function runServerLegs(
  world: ConformanceWorld,
  wanted: (leg: Leg) => boolean = () => true,
): Promise<ServerRun> {
  const legs = LEGS.filter(wanted);
  const needed = BASELINES.filter(({ id }) => legs.some(({ baseline }) => baseline === id));
  const baselines = new Map<string, SuiteResult>();
  await inTurns(
    needed.map(({ id, form, revision }) => async () => {
      const url = world.direct(form);
      const first = await runServerSuite(url, revision);
      baselines.set(id, await settled(url, revision, first, unexpected(first)));
    }),
  );
  const results = new Map<Leg, SuiteResult>();
  await inTurns(
    legs.map((leg) => async () => {
      results.set(leg, await runServerSuite(world.governed(leg.form), leg.revision));
    }),
  );
  const outcomes: LegOutcome[] = [];
  for (const leg of legs) {
    const baseline: SuiteResult = baselines.get(leg.baseline) ?? new Map();
    const first: SuiteResult = results.get(leg) ?? new Map();
    const isPlace = (place: Pick<Difference, "scenario" | "check">): boolean =>
      isReachable(leg.unreachable, place);
    const worse = worseThan(baseline, first).filter(isPlace);
    const scenarios = worse.map(({ scenario }) => scenario);
    const result = await settled(world.governed(leg.form), leg.revision, first, scenarios);
    const all = worseThan(baseline, result);
    outcomes.push({
      leg,
      result,
      reachable: reachable(result, isPlace),
      differences: all.filter(isPlace),
      accepted: all.filter((difference) => !isPlace(difference)),
    });
  }
  return { baselines, legs: outcomes };
}

/**
 * The run with a few of its scenarios once more, one after the other: the suite waits a second for most things, and what
 * runs beside it can take longer.
 */
async function settled(
  url: string,
  revision: Revision,
  result: SuiteResult,
  scenarios: readonly string[],
): Promise<SuiteResult> {
  const suspects = new Set(scenarios);
  if (suspects.size > MAX_AGAIN) return result;
  const again = new Map(result);
  for (const scenario of suspects)
    for (const [name, checks] of await runServerScenario(url, revision, scenario))
      if (name === scenario) again.set(name, checks);
  return again;
}

/** What a server by itself fails in; that it has no tasks is known. */
function unexpected(result: SuiteResult): readonly string[] {
  return [...result].flatMap(([scenario, checks]) =>
    !scenario.startsWith("tasks-") && count(checks).failed > 0 ? [scenario] : [],
  );
}

/** A few at once, the rest in turn. */
export async function inTurns(tasks: readonly (() => Promise<void>)[], atOnce = AT_ONCE): Promise<void> {
  const waiting = [...tasks];
  const work = async (): Promise<void> => {
    for (let task = waiting.shift(); task !== undefined; task = waiting.shift()) await task();
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, tasks.length) }, work));
}
