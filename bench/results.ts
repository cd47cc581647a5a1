// The result file: one run, and the budgets it is held against.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Machine } from "./machine.ts";
import type { CompileMeasurement } from "./sections/compile.ts";
import type { DecisionResult } from "./sections/decision.ts";
import type { LifecycleResult } from "./sections/lifecycle.ts";
import type { ManyServersResult } from "./sections/many-servers.ts";
import type { PlanMeasurement } from "./sections/plan.ts";
import type { ProxyResult } from "./sections/proxy.ts";
import type { SessionsResult } from "./sections/sessions.ts";

export const RESULTS_FORMAT_VERSION = 1;
export const LATEST_RESULTS = join(import.meta.dirname, "results", "latest.json");

export const SECTIONS = ["proxy", "decision", "compile", "plan", "lifecycle", "sessions", "servers"] as const;
export type SectionName = (typeof SECTIONS)[number];

export interface BenchResults {
  readonly formatVersion: typeof RESULTS_FORMAT_VERSION;
  /** RFC 3339, when the run began. */
  readonly date: string;
  readonly commit: string;
  readonly machine: Machine;
  /** 1, 5 and 15 minutes: what else the machine did. Above the number of cores before the run, every number is coloured by it. */
  readonly loadAverage: { readonly before: readonly number[]; readonly after: readonly number[] };
  readonly settings: BenchSettings;
  readonly proxy?: ProxyResult;
  readonly decision?: readonly DecisionResult[];
  readonly compile?: CompileMeasurement;
  readonly plan?: PlanMeasurement;
  readonly lifecycle?: LifecycleResult;
  readonly sessions?: SessionsResult;
  readonly servers?: ManyServersResult;
  readonly budgets: readonly BudgetOutcome[];
}

export interface BenchSettings {
  readonly rounds: number;
  readonly connections: number;
  readonly saturationMs: number;
  readonly pacedMs: number;
}

export interface BudgetOutcome {
  readonly id: string;
  readonly what: string;
  readonly unit: string;
  readonly value: number;
  readonly bound: "at least" | "at most";
  readonly limit: number;
  readonly met: boolean;
  /** Why the value says less than it seems to. */
  readonly note?: string;
}

/** Reads a committed result file. Throws where it is of another format. */
export function readResults(path: string = LATEST_RESULTS): BenchResults {
  const results = JSON.parse(readFileSync(path, "utf8")) as BenchResults;
  if (results.formatVersion !== RESULTS_FORMAT_VERSION)
    throw new Error(`${path} has format ${String(results.formatVersion)}`);
  return results;
}
