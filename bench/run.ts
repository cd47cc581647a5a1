// npm run bench: every arm in one run on one machine, a table of what was measured, and the result file.
// Usage: node bench/run.ts [--quick] [--only proxy|decision|compile|plan|lifecycle|sessions|servers] [--out FILE]
import { execFileSync } from "node:child_process";
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { buildGateway } from "../cli/build/build-artefacts.ts";
import { budgetOutcomes } from "./budgets.ts";
import { describeMachine, loadAverage } from "./machine.ts";
import { renderText } from "./render.ts";
import { LATEST_RESULTS, RESULTS_FORMAT_VERSION, SECTIONS } from "./results.ts";
import type { BenchResults, SectionName } from "./results.ts";
import { measureCompile } from "./sections/compile.ts";
import { measureDecisions } from "./sections/decision.ts";
import { measureLifecycle } from "./sections/lifecycle.ts";
import { measureManyServers } from "./sections/many-servers.ts";
import { measurePlan } from "./sections/plan.ts";
import { measureProxy } from "./sections/proxy.ts";
import { measureSessions } from "./sections/sessions.ts";

const USAGE = `Usage: npm run bench -- [options]

  --quick        short rounds and small sizes: shows that everything runs, measures nothing worth keeping
  --only NAME    one section: ${SECTIONS.join(", ")}
  --out FILE     where the result file goes; default for a whole run that is not quick: bench/results/latest.json
`;

interface Sizes {
  readonly proxy: Parameters<typeof measureProxy>[2];
  readonly decision: Parameters<typeof measureDecisions>[0];
  readonly compile: Parameters<typeof measureCompile>[0];
  readonly plan: Parameters<typeof measurePlan>[0];
  readonly lifecycle: Parameters<typeof measureLifecycle>[2];
  readonly sessions: Parameters<typeof measureSessions>[2];
  readonly servers: Parameters<typeof measureManyServers>[2];
}

const FULL: Sizes = {
  proxy: {
    rounds: 5,
    connections: 64,
    warmUpMs: 2_000,
    saturationMs: 5_000,
    pacedMs: 4_000,
    firstWarmUpMs: 8_000,
  },
  decision: { sizes: [10, 100, 1_000, 10_000], rounds: 3, decisions: 10_000 },
  compile: { tools: 500, policies: 1_000, rounds: 3 },
  plan: { tools: 500, policies: 1_000, rounds: 3 },
  lifecycle: { tools: 500, policies: 1_000, starts: 5, activations: 3 },
  sessions: { sessions: 1_000, idle: 5_000, slow: 5_000, rounds: 3, pacedMs: 12_000 },
  servers: { servers: 300, pins: 2_000, lists: 50 },
};

const QUICK: Sizes = {
  proxy: {
    rounds: 1,
    connections: 16,
    warmUpMs: 300,
    saturationMs: 1_000,
    pacedMs: 1_000,
    firstWarmUpMs: 500,
  },
  decision: { sizes: [10, 100], rounds: 1, decisions: 500 },
  compile: { tools: 50, policies: 100, rounds: 1 },
  plan: { tools: 50, policies: 100, rounds: 1 },
  lifecycle: { tools: 50, policies: 100, starts: 1, activations: 1 },
  sessions: { sessions: 50, idle: 100, slow: 100, rounds: 1, pacedMs: 1_000 },
  servers: { servers: 20, pins: 100, lists: 5 },
};

interface Options {
  readonly quick: boolean;
  readonly sections: readonly SectionName[];
  readonly out: string | undefined;
}

async function measure(options: Options, dir: string, entry: string): Promise<BenchResults> {
  const sizes = options.quick ? QUICK : FULL;
  const wants = (name: SectionName): boolean => options.sections.includes(name);
  const progress = (text: string): void => void process.stderr.write(`${text}\n`);
  const before = loadAverage();
  const date = new Date().toISOString();
  const { rounds, connections, saturationMs, pacedMs } = sizes.proxy;
  const measured = {
    formatVersion: RESULTS_FORMAT_VERSION,
    date,
    commit: commitOf(),
    machine: describeMachine(),
    settings: { rounds, connections, saturationMs, pacedMs },
    ...(wants("proxy") ? { proxy: await measureProxy(dir, entry, sizes.proxy, progress) } : {}),
    ...(wants("decision") ? { decision: await measureDecisions(sizes.decision, progress) } : {}),
    ...(wants("compile") ? { compile: await measureCompile(sizes.compile, progress) } : {}),
    ...(wants("plan") ? { plan: await measurePlan(sizes.plan, progress) } : {}),
    ...(wants("lifecycle")
      ? { lifecycle: await measureLifecycle(dir, entry, sizes.lifecycle, progress) }
      : {}),
    ...(wants("sessions") ? { sessions: await measureSessions(dir, entry, sizes.sessions, progress) } : {}),
    ...(wants("servers") ? { servers: await measureManyServers(dir, entry, sizes.servers, progress) } : {}),
    loadAverage: { before, after: loadAverage() },
  } as const;
  return { ...measured, budgets: budgetOutcomes(measured) };
}

function commitOf(): string {
  try {
    const git = (...args: string[]): string =>
      execFileSync("git", args, { cwd: import.meta.dirname, encoding: "utf8" }).trim();
    return `${git("rev-parse", "--short", "HEAD")}${git("status", "--porcelain", "--", "../runtime") === "" ? "" : " with changes"}`;
  } catch {
    return "no commit";
  }
}

function readOptions(): Options | undefined {
  const { values } = parseArgs({
    options: {
      quick: { type: "boolean", default: false },
      only: { type: "string" },
      out: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  const only = SECTIONS.find((name) => name === values.only);
  if (values.help || (values.only !== undefined && only === undefined)) return undefined;
  const whole = only === undefined && !values.quick;
  return {
    quick: values.quick,
    sections: only === undefined ? SECTIONS : [only],
    out: values.out ?? (whole ? LATEST_RESULTS : undefined),
  };
}

async function main(): Promise<number> {
  const options = readOptions();
  if (options === undefined) {
    process.stderr.write(USAGE);
    return 1;
  }
  const outdir = join(import.meta.dirname, "..", "dist", "bench", "gateway");
  await buildGateway(outdir);
  const dir = mkdtempSync(join(tmpdir(), "aegis-bench-"));
  try {
    const results = await measure(options, dir, join(outdir, "gateway.js"));
    process.stdout.write(renderText(results));
    if (options.out !== undefined) {
      mkdirSync(dirname(options.out), { recursive: true });
      writeFileSync(options.out, `${JSON.stringify(results, null, 2)}\n`);
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
  return 0;
}

process.exitCode = await main();
