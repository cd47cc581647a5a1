// Where a call's processor time goes: the loaded gateway at saturation under V8's sampling profiler, the samples counted
// by the source file that asked for the work. Usage: node bench/profile.ts [--audit batch|sync] [--out FILE]
//   [--keep FILE]   where the .cpuprofile goes, for a viewer such as that of Chromium
import { copyFileSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { buildGateway } from "../cli/build/build-artefacts.ts";
import { createThrowawayIssuer } from "../cli/dev/throwaway-issuer.ts";
import { cpuMicros, describeMachine, loadAverage } from "./machine.ts";
import { MAX_OWN_POLICIES, benchRepo } from "./repo/bench-repo.ts";
import { benchCall, requireAnswer } from "./sections/call.ts";
import { pinEcho } from "./sections/proxy.ts";
import { runLoad, startEcho } from "./servers/children.ts";
import { startMeasuredGateway } from "./servers/gateway.ts";

/** Before it, the optimising compiler is still at work. */
const WARM_UP_MS = 20_000;
const MEASURED_MS = 8_000;
const CONNECTIONS = 64;
const SHOWN = 40;

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  readonly children?: readonly number[];
}

interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  /** Microseconds between samples. */
  readonly timeDeltas: readonly number[];
}

interface Measured {
  readonly profile: CpuProfile;
  readonly bundle: string;
  readonly callsPerSecond: number;
  readonly cpuMicrosPerCall: number;
  readonly writerCpuMicrosPerCall: number;
}

async function measure(
  dir: string,
  entry: string,
  auditMode: string,
  keep: string | undefined,
): Promise<Measured> {
  const echo = await startEcho();
  try {
    const issuer = await createThrowawayIssuer();
    const files = benchRepo({
      echoPins: await pinEcho(echo.url),
      ownPolicies: MAX_OWN_POLICIES,
      loaded: true,
    });
    const profiles = join(dir, "profiles");
    const gateway = await startMeasuredGateway({
      dir: join(dir, "gateway"),
      entry,
      files,
      issuer: issuer.overlay,
      echoUrl: echo.url,
      audit: { mode: auditMode },
      nodeFlags: ["--cpu-prof", `--cpu-prof-dir=${profiles}`],
    });
    let report;
    let used;
    try {
      const call = await benchCall(issuer, gateway.url);
      await requireAnswer(gateway.url, call);
      const target = { url: gateway.url, ...call, connections: CONNECTIONS, warmUpMs: 0 };
      await runLoad({ ...target, durationMs: WARM_UP_MS });
      const writer = gateway.auditWriterPid ?? gateway.pid;
      const before = [cpuMicros(gateway.pid), cpuMicros(writer)] as const;
      report = await runLoad({ ...target, durationMs: MEASURED_MS });
      used = [cpuMicros(gateway.pid) - before[0], cpuMicros(writer) - before[1]] as const;
    } finally {
      await gateway.stop();
    }
    const file = readdirSync(profiles).find((name) => name.endsWith(".cpuprofile")) ?? "";
    if (keep !== undefined) copyFileSync(join(profiles, file), keep);
    return {
      profile: JSON.parse(readFileSync(join(profiles, file), "utf8")) as CpuProfile,
      bundle: readFileSync(entry, "utf8"),
      callsPerSecond: report.perSecond,
      cpuMicrosPerCall: used[0] / report.answered,
      writerCpuMicrosPerCall: used[1] / report.answered,
    };
  } finally {
    await echo.stop();
  }
}

/** The source file of each line of the bundle: esbuild writes its path as a comment before it. */
function sourceOfLine(bundle: string): (line: number) => string {
  const sources: string[] = [];
  let current = "(bundle)";
  for (const line of bundle.split("\n")) {
    current = /^\/\/ ((?:runtime|node_modules)\/\S+)$/.exec(line)?.[1] ?? current;
    sources.push(current);
  }
  return (line) => sources[line] ?? "(bundle)";
}

const ENGINE_WORK: ReadonlyMap<string, string> = new Map([
  ["(garbage collector)", "garbage collection"],
  ["(program)", "V8 and system calls outside JavaScript"],
  ["(root)", "V8 and system calls outside JavaScript"],
]);

/** Who asked for the work of a node: the nearest function of the bundle above it, else the part of Node it is in. */
function askerOf(
  node: ProfileNode,
  parentOf: ReadonlyMap<number, ProfileNode>,
  source: (line: number) => string,
): string {
  const engine = ENGINE_WORK.get(node.callFrame.functionName);
  if (engine !== undefined) return engine;
  let nodePart: string | undefined;
  for (let frame: ProfileNode | undefined = node; frame !== undefined; frame = parentOf.get(frame.id)) {
    const { url, lineNumber } = frame.callFrame;
    if (url.endsWith("/gateway.js")) {
      const file = source(lineNumber);
      return file.startsWith("runtime/")
        ? file
        : (/^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? file);
    }
    if (url.includes("cedar_wasm")) return "cedar-wasm";
    if (url.startsWith("node:")) nodePart = url;
  }
  return nodePart === undefined ? "V8 and system calls outside JavaScript" : `Node itself: ${nodePart}`;
}

const SOCKET_WRITES: ReadonlySet<string> = new Set([
  "writev",
  "writeUtf8String",
  "writeLatin1String",
  "writeBuffer",
]);

function tally(measured: Measured): {
  readonly rows: readonly (readonly [string, number, number])[];
  readonly busy: number;
} {
  const { nodes, samples, timeDeltas } = measured.profile;
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const parentOf = new Map(
    nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node] as const)),
  );
  const source = sourceOfLine(measured.bundle);
  const total = timeDeltas.reduce((sum, delta) => sum + delta, 0);
  const spent = new Map<string, { all: number; writes: number }>();
  let elapsed = 0;
  let busy = 0;
  for (const [index, id] of samples.entries()) {
    const delta = timeDeltas[index] ?? 0;
    elapsed += delta;
    const node = byId.get(id);
    // The load ends shortly before the process does; only its last part is counted.
    if (
      node === undefined ||
      elapsed < total - MEASURED_MS * 1_000 ||
      node.callFrame.functionName === "(idle)"
    )
      continue;
    busy += delta;
    const asker = askerOf(node, parentOf, source);
    const entry = spent.get(asker) ?? { all: 0, writes: 0 };
    entry.all += delta;
    if (SOCKET_WRITES.has(node.callFrame.functionName)) entry.writes += delta;
    spent.set(asker, entry);
  }
  const rows = [...spent].map(([asker, { all, writes }]) => [asker, all / busy, writes / busy] as const);
  return { rows: rows.sort((a, b) => b[1] - a[1]).slice(0, SHOWN), busy };
}

function render(measured: Measured, auditMode: string, before: readonly number[]): string {
  const { cpu, cores, node } = describeMachine();
  const percent = (share: number): string => (share < 0.0005 ? "" : (share * 100).toFixed(1));
  const lines = tally(measured).rows.map(
    ([asker, all, writes]) =>
      `| ${asker} | ${percent(all)} | ${(all * measured.cpuMicrosPerCall).toFixed(1)} | ${percent(writes)} |`,
  );
  return `# Where a call's processor time goes

\`node bench/profile.ts --audit ${auditMode}\`: the loaded gateway (10 policies, pins, limits, redaction, audit \`${auditMode}\`) at
saturation, ${String(CONNECTIONS)} connections, ${String(MEASURED_MS / 1_000)} s after ${String(WARM_UP_MS / 1_000)} s of warm-up. ${cpu}, ${String(cores)} cores, Node ${node}, load average before ${before.join(" ")}.

${Math.round(measured.callsPerSecond)} calls/s; processor time of a call: gateway ${Math.round(measured.cpuMicrosPerCall)} µs (all threads, with the profiler), audit writer ${Math.round(measured.writerCpuMicrosPerCall)} µs.
A sample counts for the source file nearest to it that asked for the work, so that a system call counts for its caller;
the last column is the part of it that was spent in a write to a socket.

| asked for by | % | µs | of it socket writes % |
| --- | --- | --- | --- |
${lines.join("\n")}
`;
}

const { values } = parseArgs({
  options: { audit: { type: "string", default: "batch" }, out: { type: "string" }, keep: { type: "string" } },
});
const outdir = join(import.meta.dirname, "..", "dist", "bench", "gateway");
await buildGateway(outdir);
const dir = mkdtempSync(join(tmpdir(), "aegis-profile-"));
try {
  const before = loadAverage();
  const text = render(
    await measure(dir, join(outdir, "gateway.js"), values.audit, values.keep),
    values.audit,
    before,
  );
  if (values.out === undefined) process.stdout.write(text);
  else writeFileSync(values.out, text);
} finally {
  rmSync(dir, { recursive: true, force: true });
}
