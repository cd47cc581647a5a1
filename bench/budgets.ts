// The performance budgets, and how a run is held against them. A budget of a section that was not run is left out.
import type { BenchResults, BudgetOutcome } from "./results.ts";
import type { ProxyArmResult } from "./sections/proxy.ts";

type Measured = Omit<BenchResults, "budgets">;

const MEGABYTE = 1_000_000;

export function budgetOutcomes(results: Measured): readonly BudgetOutcome[] {
  return [
    ...proxyBudgets(results),
    ...decisionBudgets(results),
    ...compileBudgets(results),
    ...planBudgets(results),
    ...lifecycleBudgets(results),
    ...sessionBudgets(results),
    ...manyServersBudgets(results),
  ];
}

function atLeast(id: string, what: string, unit: string, value: number, limit: number): BudgetOutcome {
  return { id, what, unit, value, bound: "at least", limit, met: value >= limit };
}

function atMost(id: string, what: string, unit: string, value: number, limit: number): BudgetOutcome {
  return { id, what, unit, value, bound: "at most", limit, met: value <= limit };
}

function proxyBudgets({ proxy }: Measured): readonly BudgetOutcome[] {
  if (proxy === undefined) return [];
  const batch = proxy.arms["aegis-loaded"];
  const sync = proxy.arms["aegis-loaded-sync"];
  const { fdatasync } = proxy;
  return [
    atLeast(
      "throughput-batch",
      "throughput over the bare hop, audit batch",
      "ratio",
      batch.ratio.median,
      0.7,
    ),
    atLeast("throughput-sync", "throughput over the bare hop, audit sync", "ratio", sync.ratio.median, 0.6),
    ...addedLatency("batch", batch, 0.3, 3),
    ...addedLatency("sync", sync, fdatasync.p50Ms.median + 0.2, fdatasync.p99Ms.median + 3),
  ];
}

function addedLatency(
  mode: string,
  arm: ProxyArmResult,
  p50LimitMs: number,
  p99LimitMs: number,
): readonly BudgetOutcome[] {
  const { addedP50Ms, addedP99Ms, ratePerSecond } = arm.halfLoad;
  const carried = Math.round(arm.perSecond.median);
  const queues = carried < ratePerSecond;
  const note = `carries ${carried} of ${ratePerSecond} calls/s, so it queues`;
  return [
    atMost(`added-p50-${mode}`, `added p50 at half load, audit ${mode}`, "ms", addedP50Ms.median, p50LimitMs),
    atMost(`added-p99-${mode}`, `added p99 at half load, audit ${mode}`, "ms", addedP99Ms.median, p99LimitMs),
  ].map((outcome) => (queues ? { ...outcome, note } : outcome));
}

function decisionBudgets({ decision = [] }: Measured): readonly BudgetOutcome[] {
  const interpreted = decision.filter(({ engine }) => engine === "interpreter");
  const first = interpreted[0];
  const last = interpreted.at(-1);
  if (first === undefined || last === undefined) return [];
  const growth = last.decideP50Micros.median / first.decideP50Micros.median;
  return [
    atMost("decision-p50", `decision p50 at ${last.policies} policies`, "µs", last.decideP50Micros.median, 5),
    atMost(
      "decision-p99",
      `decision p99 at ${last.policies} policies`,
      "µs",
      last.decideP99Micros.median,
      50,
    ),
    atMost(
      "decision-flat",
      `decision p50, ${last.policies} over ${first.policies} policies`,
      "ratio",
      growth,
      1.5,
    ),
  ];
}

function compileBudgets({ compile }: Measured): readonly BudgetOutcome[] {
  if (compile === undefined) return [];
  const what = `${compile.tools} tools × ${compile.policies} policies`;
  return [
    atMost("compile-time", `check and build, ${what}`, "ms", compile.compileMs.median, 5_000),
    atMost(
      "compile-rss",
      `resident size of check and build, ${what}`,
      "MB",
      compile.maxRssBytes.median / MEGABYTE,
      1_000,
    ),
  ];
}

function planBudgets({ plan }: Measured): readonly BudgetOutcome[] {
  if (plan === undefined) return [];
  const what = `plan of one changed policy, both sides compiled, ${plan.tools} tools × ${plan.policies} policies`;
  return [atMost("plan-time", what, "ms", plan.wholeMs.median, 5_000)];
}

function lifecycleBudgets({ lifecycle }: Measured): readonly BudgetOutcome[] {
  if (lifecycle === undefined) return [];
  const { activation } = lifecycle;
  return [
    atMost("activation-time", "activation of that bundle", "ms", activation.activationMs.median, 1_000),
    atMost("activation-stall", "event-loop stall of that activation", "ms", activation.stallMs.median, 20),
    atMost("activation-dropped", "calls dropped by that activation", "calls", activation.dropped, 0),
    atMost("cold-start", "gateway cold start", "ms", lifecycle.coldStartMs.median, 1_000),
    atMost("idle-rss", "gateway resident size, idle", "MB", lifecycle.idleRssBytes.median / MEGABYTE, 150),
  ];
}

function manyServersBudgets({ servers }: Measured): readonly BudgetOutcome[] {
  if (servers === undefined) return [];
  const what = `${servers.servers} servers with ${servers.pins} pins`;
  return [
    atMost("list", `a filtered list over ${what}`, "ms", servers.listStageMs.median, 5),
    atMost("idle-sockets", `sockets that ${what} hold when idle`, "sockets", servers.sockets.idle, 0),
  ];
}

function sessionBudgets({ sessions }: Measured): readonly BudgetOutcome[] {
  if (sessions === undefined) return [];
  const { idle, slow, p50Ratio, p99Ratio, failed } = sessions.crowd;
  const what = `beside ${idle} idle and ${slow} slow connections, over alone`;
  return [
    atMost("crowd-p50", `p50 of a healthy client ${what}`, "ratio", p50Ratio, 2),
    atMost("crowd-p99", `p99 of a healthy client ${what}`, "ratio", p99Ratio, 2),
    atMost("crowd-failed", "its calls that failed", "calls", failed, 0),
  ];
}
