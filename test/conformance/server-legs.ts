// Runs legs of the server suite against a world, a few at a time.
import { reachable, worseThan } from "./compare.ts";
import type { Difference } from "./compare.ts";
import type { ConformanceWorld } from "./conformance-world.ts";
import { BASELINES, LEGS, isReachable } from "./legs.ts";
import type { Leg } from "./legs.ts";
import { runServerSuite } from "./suite.ts";
import type { SuiteResult } from "./suite.ts";

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

export async function runServerLegs(
  world: ConformanceWorld,
  wanted: (leg: Leg) => boolean = () => true,
): Promise<ServerRun> {
  const legs = LEGS.filter(wanted);
  const needed = BASELINES.filter(({ id }) => legs.some(({ baseline }) => baseline === id));
  const baselines = new Map<string, SuiteResult>();
  await inTurns(
    needed.map(({ id, form, revision }) => async () => {
      baselines.set(id, await runServerSuite(world.direct(form), revision));
    }),
  );
  const outcomes = new Map<string, LegOutcome>();
  await inTurns(
    legs.map((leg) => async () => {
      const result = await runServerSuite(world.governed(leg.form), leg.revision);
      const baseline: SuiteResult = baselines.get(leg.baseline) ?? new Map();
      const all = worseThan(baseline, result);
      const isPlace = (place: Pick<Difference, "scenario" | "check">): boolean =>
        isReachable(leg.unreachable, place);
      outcomes.set(leg.id, {
        leg,
        result,
        reachable: reachable(result, isPlace),
        differences: all.filter(isPlace),
        accepted: all.filter((difference) => !isPlace(difference)),
      });
    }),
  );
  return { baselines, legs: legs.flatMap(({ id }) => outcomes.get(id) ?? []) };
}

/** A few at once, the rest in turn. */
export async function inTurns(tasks: readonly (() => Promise<void>)[], atOnce = AT_ONCE): Promise<void> {
  const waiting = [...tasks];
  const work = async (): Promise<void> => {
    for (let task = waiting.shift(); task !== undefined; task = waiting.shift()) await task();
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, tasks.length) }, work));
}
