// Arm e: the decision alone, in process, at a growing number of policies in the repository, on the interpreter and on
// cedar-wasm. Each size and engine runs in a process of its own, so that none is measured on code or memory that another
// has warmed.
import { join } from "node:path";
import type { DecisionEngine } from "#config";
import { runScript } from "../servers/children.ts";
import { spreadOf } from "../statistics.ts";
import type { Spread } from "../statistics.ts";

export const DECISION_ENGINES = ["interpreter", "cedar-wasm"] as const satisfies readonly DecisionEngine[];

export interface DecisionSample {
  readonly prepareP50Micros: number;
  readonly prepareP99Micros: number;
  readonly decideP50Micros: number;
  readonly decideP99Micros: number;
}

export interface DecisionResult {
  readonly engine: DecisionEngine;
  readonly policies: number;
  /** Arguments validated and projected, facts derived. */
  readonly prepareP50Micros: Spread;
  readonly prepareP99Micros: Spread;
  /** The engine: request and context in, verdict out. */
  readonly decideP50Micros: Spread;
  readonly decideP99Micros: Spread;
}

export interface DecisionSettings {
  readonly sizes: readonly number[];
  readonly rounds: number;
  readonly decisions: number;
}

interface Arm {
  readonly engine: DecisionEngine;
  readonly policies: number;
  readonly samples: DecisionSample[];
}

const SCRIPT = join(import.meta.dirname, "decision-process.ts");

export async function measureDecisions(
  settings: DecisionSettings,
  progress: (text: string) => void,
): Promise<readonly DecisionResult[]> {
  const arms = DECISION_ENGINES.flatMap((engine) =>
    settings.sizes.map((policies): Arm => ({ engine, policies, samples: [] })),
  );
  for (let round = 0; round < settings.rounds; round++) {
    for (const { engine, policies, samples } of arms) {
      const out = await runScript(SCRIPT, [String(policies), String(settings.decisions), engine]);
      const sample = JSON.parse(out) as DecisionSample;
      samples.push(sample);
      progress(
        `round ${round + 1} decision at ${policies} policies, ${engine}: p50 ${sample.decideP50Micros.toFixed(1)} µs, p99 ${sample.decideP99Micros.toFixed(1)} µs`,
      );
    }
  }
  return arms.map(({ engine, policies, samples }) => {
    const spread = (name: keyof DecisionSample): Spread => spreadOf(samples.map((sample) => sample[name]));
    return {
      engine,
      policies,
      prepareP50Micros: spread("prepareP50Micros"),
      prepareP99Micros: spread("prepareP99Micros"),
      decideP50Micros: spread("decideP50Micros"),
      decideP99Micros: spread("decideP99Micros"),
    };
  });
}
