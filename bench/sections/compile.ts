// Arm f, first part: check and build of a big repository, each time in a fresh process.
import { join } from "node:path";
import { runScript } from "../servers/children.ts";
import { spreadOf } from "../statistics.ts";
import type { Spread } from "../statistics.ts";

export interface CompileSample {
  /** Check and build: documents in memory to bundle bytes. */
  readonly compileMs: number;
  /** Highest resident size of the process. */
  readonly maxRssBytes: number;
  readonly bundleBytes: number;
}

export interface CompileSettings {
  readonly tools: number;
  readonly policies: number;
  readonly rounds: number;
}

export interface CompileMeasurement {
  readonly tools: number;
  readonly policies: number;
  readonly compileMs: Spread;
  readonly maxRssBytes: Spread;
  readonly bundleBytes: number;
}

const SCRIPT = join(import.meta.dirname, "compile-process.ts");

export async function measureCompile(
  { tools, policies, rounds }: CompileSettings,
  progress: (text: string) => void,
): Promise<CompileMeasurement> {
  const samples: CompileSample[] = [];
  for (let round = 0; round < rounds; round++) {
    const sample = JSON.parse(await runScript(SCRIPT, [String(tools), String(policies)])) as CompileSample;
    samples.push(sample);
    progress(`round ${round + 1} check and build: ${Math.round(sample.compileMs)} ms`);
  }
  return {
    tools,
    policies,
    compileMs: spreadOf(samples.map(({ compileMs }) => compileMs)),
    maxRssBytes: spreadOf(samples.map(({ maxRssBytes }) => maxRssBytes)),
    bundleBytes: samples[0]?.bundleBytes ?? 0,
  };
}
