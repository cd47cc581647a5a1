// Arm e: the decision alone, in process, at a growing number of policies in the repository. Each size runs in a process
// of its own, so that no size is measured on code or memory that another has warmed.
import { join } from "node:path";
import { runScript } from "../servers/children.ts";
import { spreadOf } from "../statistics.ts";
import type { Spread } from "../statistics.ts";

export interface DecisionSample {
  readonly prepareP50Micros: number;
  readonly prepareP99Micros: number;
  readonly decideP50Micros: number;
  readonly decideP99Micros: number;
}

export interface DecisionResult {
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

const SCRIPT = join(import.meta.dirname, "decision-process.ts");

export async function measureDecisions(
  settings: DecisionSettings,
  progress: (text: string) => void,
): Promise<readonly DecisionResult[]> {
  const samples = new Map<number, DecisionSample[]>(settings.sizes.map((size) => [size, []]));
  for (let round = 0; round < settings.rounds; round++) {
    for (const size of settings.sizes) {
      const out = await runScript(SCRIPT, [String(size), String(settings.decisions)]);
      const sample = JSON.parse(out) as DecisionSample;
      samples.get(size)?.push(sample);
      progress(
        `round ${round + 1} decision at ${size} policies: p50 ${sample.decideP50Micros.toFixed(1)} µs, p99 ${sample.decideP99Micros.toFixed(1)} µs`,
      );
    }
  }
  return [...samples].map(([policies, own]) => {
    const spread = (name: keyof DecisionSample): Spread => spreadOf(own.map((sample) => sample[name]));
    return {
      policies,
      prepareP50Micros: spread("prepareP50Micros"),
      prepareP99Micros: spread("prepareP99Micros"),
      decideP50Micros: spread("decideP50Micros"),
      decideP99Micros: spread("decideP99Micros"),
    };
  });
}
