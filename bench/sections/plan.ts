// Arm g: the plan of one changed policy in a big repository, each time in a fresh process.
import { join } from "node:path";
import { runScript } from "../servers/children.ts";
import { spreadOf } from "../statistics.ts";
import type { Spread } from "../statistics.ts";

export interface PlanSample {
  /** Two compiled sides to the JSON of the plan. */
  readonly planMs: number;
  /** The documents of both sides to the JSON of the plan: what `aegis plan` takes. */
  readonly wholeMs: number;
  /** Calls that were decided on both sides. */
  readonly calls: number;
  readonly rows: number;
  readonly planBytes: number;
}

export interface PlanSettings {
  readonly tools: number;
  readonly policies: number;
  readonly rounds: number;
}

export interface PlanMeasurement {
  readonly tools: number;
  readonly policies: number;
  readonly planMs: Spread;
  readonly wholeMs: Spread;
  readonly calls: number;
  readonly rows: number;
  readonly planBytes: number;
}

const SCRIPT = join(import.meta.dirname, "plan-process.ts");

export async function measurePlan(
  { tools, policies, rounds }: PlanSettings,
  progress: (text: string) => void,
): Promise<PlanMeasurement> {
  const samples: PlanSample[] = [];
  for (let round = 0; round < rounds; round++) {
    const sample = JSON.parse(await runScript(SCRIPT, [String(tools), String(policies)])) as PlanSample;
    samples.push(sample);
    progress(
      `round ${round + 1} plan: ${Math.round(sample.planMs)} ms, with both compilations ${Math.round(sample.wholeMs)} ms`,
    );
  }
  const [first] = samples;
  return {
    tools,
    policies,
    planMs: spreadOf(samples.map(({ planMs }) => planMs)),
    wholeMs: spreadOf(samples.map(({ wholeMs }) => wholeMs)),
    calls: first?.calls ?? 0,
    rows: first?.rows ?? 0,
    planBytes: first?.planBytes ?? 0,
  };
}
