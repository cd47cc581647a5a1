// Swaps releases while calls run. Two policies differ in what they decide; every answer must be the one that the
// release recorded with it gives, no call may fail, and nothing may stay behind. Run as a script:
// `node test/long/hot-swap.ts [swaps]`.
import { readdir, readFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import { DEFAULT_TENANT, decodeBundle } from "#bundle";
import type { BundleContent, PrincipalFacts } from "#bundle";
import { verifyAuditLog } from "#audit";
import { leafActionOf } from "#bundle";
import { createEvaluator } from "#pdp";
import type { Evaluator } from "#pdp";
import { decideCall } from "#policy-test";
import { startEchoWorld } from "../e2e/echo-world.ts";
import type { EchoWorld } from "../e2e/echo-world.ts";
import type { GatewayWorld } from "../e2e/gateway-world.ts";
import { grantingRepository } from "../e2e/granting-repository.ts";
import type { GrantedServer } from "../e2e/granting-repository.ts";
import { openLoadClient } from "./load-client.ts";
import type { EchoOutcome } from "./load-client.ts";
import { readRecordedCalls } from "./recorded-calls.ts";
import type { RecordedCalls } from "./recorded-calls.ts";
import { waitUntil } from "./wait-until.ts";

export interface HotSwapOptions {
  readonly swaps: number;
  readonly callers: number;
  /** Calls that are answered between two swaps, at least. */
  readonly callsPerSwap: number;
  readonly onProgress?: (swaps: number) => void;
}

export interface HotSwapReport {
  readonly swaps: number;
  readonly calls: number;
  readonly allowed: number;
  readonly denied: number;
  /** Calls without a decision of the policy. Must be empty. */
  readonly failed: readonly string[];
  /** Answers that are not the reference decision of the release recorded with them. Must be empty. */
  readonly misdecided: readonly string[];
  /** Releases that answered calls. */
  readonly releasesSeen: number;
  /** Arrivals at the server beyond the calls that were allowed. Must be 0. */
  readonly unexplainedArrivals: number;
  /** Recorded decisions beyond the calls that were answered. Must be 0. */
  readonly unansweredRecords: number;
  /** What the verifier says of the audit log. */
  readonly log: string;
  readonly before: ProcessSize;
  /** When the load has ended and one generation is left. */
  readonly after: ProcessSize;
}

export interface ProcessSize {
  readonly descriptors: number;
  readonly residentBytes: number;
}

const LETTERS = ["a", "b"] as const;
type Letter = (typeof LETTERS)[number];
const ECHO = leafActionOf("tools/call", "echo", "echo");
/** Idle connections to the server and of pollers. */
const MAX_MORE_DESCRIPTORS = 10;
/** One generation of a small bundle costs a few MiB; the heap settles after some dozens of swaps. */
const MAX_MORE_RESIDENT_BYTES = 256 * 1_024 * 1_024;
/** Calls named of each kind of fault. */
const MAX_NAMED = 5;

const callerName = (index: string): string => `load-${index}`;

interface Call {
  readonly text: string;
  readonly outcome: EchoOutcome;
}

/** Allows texts that begin with the letter. */
function policyOf(pinned: GrantedServer, letter: Letter): ReturnType<typeof grantingRepository> {
  const cedar = `permit (
  principal in Role::"Developer",
  action == Action::"tools/call",
  resource == Server::"echo"
)
when { context.primitive == "tool" && context.target == "echo" && context.arguments.text like "${letter}*" };
`;
  return grantingRepository([pinned], {
    "policies/echo.yaml": 'scope: { servers: [echo] }\nallow: { tools: ["echo"] }\n',
    "policies/echo.cedar": cedar,
  });
}

class Callers {
  readonly calls: Call[] = [];
  readonly #world: GatewayWorld;
  readonly #running: Promise<void>[] = [];
  #stopped = false;

  constructor(world: GatewayWorld) {
    this.#world = world;
  }

  start(count: number): void {
    for (let index = 0; index < count; index += 1) this.#running.push(this.#run(index));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#running);
  }

  async #run(index: number): Promise<void> {
    const caller = { subject: callerName(String(index)), roles: ["Developer"], isExternal: false };
    const client = await openLoadClient({
      endpoint: this.#world.endpoint("echo"),
      token: await this.#world.token(caller, "echo"),
      era: index % 2 === 0 ? "modern" : "legacy",
    });
    for (let call = 0; !this.#stopped; call += 1) {
      const text = `${LETTERS[call % 2] ?? "a"} ${String(index)} ${String(call)}`;
      this.calls.push({ text, outcome: await client.call(text) });
    }
    await client.close();
  }
}

async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${String(pid)}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB$/mu.exec(status)?.[1] ?? "0") * 1_024;
}

async function generations(world: GatewayWorld): Promise<number> {
  const response = await fetch(`${world.gateway.adminUrl}/status`);
  return ((await response.json()) as { generations: number }).generations;
}

async function compiled(
  world: GatewayWorld,
  workspace: ReturnType<typeof grantingRepository>,
): Promise<{ readonly bytes: Uint8Array; readonly digest: string; readonly content: BundleContent }> {
  const { bundle, diagnostics } = await world.compile(workspace);
  if (bundle === undefined) throw new Error(JSON.stringify(diagnostics));
  return { ...bundle, content: decodeBundle(bundle.bytes, bundle.digest) };
}

interface Judged {
  readonly misdecided: readonly string[];
  readonly failed: readonly string[];
  readonly releasesSeen: number;
}

function callerFacts(text: string): PrincipalFacts {
  const [, index = ""] = text.split(" ");
  return {
    type: "User",
    id: callerName(index),
    tenant: DEFAULT_TENANT,
    roles: ["Developer"],
    groups: [],
    attributes: { is_external: false },
  };
}

/** Every call against its record, and every record against the reference decision of its release. */
async function judge(
  calls: readonly Call[],
  recorded: RecordedCalls,
  references: ReadonlyMap<string, Evaluator>,
  arrived: ReadonlySet<string>,
): Promise<Judged> {
  const misdecided: string[] = [];
  const failed: string[] = [];
  const releases = new Set<number>();
  for (const { text, outcome } of calls) {
    if (outcome.kind === "broken" || (outcome.kind === "refused" && outcome.code !== "POLICY_DENIED")) {
      failed.push(`${text}: ${JSON.stringify(outcome)}`);
      continue;
    }
    const decisions = recorded.of({ text });
    const [decision] = decisions;
    const reference = decision === undefined ? undefined : references.get(decision.bundleDigest);
    if (decision === undefined || reference === undefined || decisions.length > 1) {
      misdecided.push(`${text}: recorded ${JSON.stringify(decisions)}`);
      continue;
    }
    releases.add(decision.sequence);
    const caller = { facts: callerFacts(text), missingAttributes: [] };
    const expected = await decideCall(reference, caller, ECHO, { text });
    const answered = outcome.kind === "allowed" ? "allow" : "deny";
    const agrees =
      expected.effect === answered &&
      decision.effect === answered &&
      arrived.has(text) === (answered === "allow") &&
      (outcome.kind === "allowed" ? decision.hasResult : outcome.decisionId === decision.id);
    if (!agrees) misdecided.push(`${text}: answered ${answered}, recorded ${JSON.stringify(decision)}`);
  }
  return { misdecided, failed, releasesSeen: releases.size };
}

/** Alternates between the two releases; between two swaps some calls are answered. */
async function swapUnderLoad(
  world: GatewayWorld,
  bundles: readonly { readonly bytes: Uint8Array }[],
  callers: Callers,
  options: HotSwapOptions,
): Promise<void> {
  for (let swap = 1; swap <= options.swaps; swap += 1) {
    const answered = callers.calls.length;
    const bundle = bundles[swap % bundles.length];
    if (bundle === undefined) throw new Error("no bundle to swap to");
    await world.trust.release(bundle.bytes);
    const outcome = (await world.gateway.reload()) as { kind?: string };
    if (outcome.kind !== "activated") throw new Error(`swap ${String(swap)}: ${JSON.stringify(outcome)}`);
    await waitUntil(() => callers.calls.length >= answered + options.callsPerSwap, "calls between swaps");
    options.onProgress?.(swap);
  }
}

async function measure(world: GatewayWorld): Promise<ProcessSize> {
  const { pid } = world.gateway.child.process;
  if (pid === undefined) throw new Error("the gateway has no process id");
  const { length } = await readdir(`/proc/${String(pid)}/fd`);
  return { descriptors: length, residentBytes: await residentBytes(pid) };
}

async function prove(world: EchoWorld, options: HotSwapOptions): Promise<HotSwapReport> {
  const bundles = await Promise.all(LETTERS.map((letter) => compiled(world, policyOf(world.pinned, letter))));
  const callers = new Callers(world);
  const before = await measure(world);
  callers.start(options.callers);
  await swapUnderLoad(world, bundles, callers, options);
  await callers.stop();
  await waitUntil(async () => (await generations(world)) === 1, "the last generations to end");
  const after = await measure(world);
  await world.gateway.stop();
  const recorded = await readRecordedCalls(world.gateway.auditDir, world.gateway.stateDir);
  const references = new Map<string, Evaluator>();
  for (const { digest, content } of bundles) references.set(digest, await createEvaluator(content));
  const judged = await judge(callers.calls, recorded, references, new Set(world.echo.texts()));
  for (const reference of references.values()) reference.dispose();
  const allowed = callers.calls.filter(({ outcome }) => outcome.kind === "allowed").length;
  return {
    swaps: options.swaps,
    calls: callers.calls.length,
    allowed,
    denied: callers.calls.length - allowed - judged.failed.length,
    ...judged,
    unexplainedArrivals: world.echo.counters().total - allowed,
    unansweredRecords: recorded.total - callers.calls.length,
    log: (await verifyAuditLog({ dir: world.gateway.auditDir })).outcome,
    before,
    after,
  };
}

/** Runs the proof. */
export async function run(options: HotSwapOptions): Promise<HotSwapReport> {
  const world = await startEchoWorld({ repository: (pinned) => policyOf(pinned, "a") });
  try {
    return await prove(world, options);
  } finally {
    await world.stop();
  }
}

/** The report in numbers. */
export function summaryOf(report: HotSwapReport): object {
  return { ...report, failed: report.failed.length, misdecided: report.misdecided.length };
}

/** Why the report is no proof; empty where it is. */
export function faultsOf(report: HotSwapReport): readonly string[] {
  return [
    ...report.failed.slice(0, MAX_NAMED).map((call) => `failed: ${call}`),
    ...report.misdecided.slice(0, MAX_NAMED).map((call) => `misdecided: ${call}`),
    ...(report.unexplainedArrivals === 0
      ? []
      : [`${String(report.unexplainedArrivals)} unexplained arrivals`]),
    ...(report.unansweredRecords === 0
      ? []
      : [`${String(report.unansweredRecords)} records without an answer`]),
    ...(report.releasesSeen < report.swaps
      ? [`only ${String(report.releasesSeen)} releases answered calls`]
      : []),
    ...(report.allowed === 0 || report.denied === 0 ? ["the two releases were not told apart"] : []),
    ...(report.log === "clean" ? [] : [`the audit log is ${report.log}`]),
    ...(report.after.descriptors > report.before.descriptors + MAX_MORE_DESCRIPTORS
      ? [`${String(report.after.descriptors - report.before.descriptors)} descriptors stay open`]
      : []),
    ...(report.after.residentBytes > report.before.residentBytes + MAX_MORE_RESIDENT_BYTES
      ? [`${String(report.after.residentBytes - report.before.residentBytes)} bytes stay resident`]
      : []),
  ];
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const report = await run({ swaps: Number(process.argv[2] ?? "500"), callers: 4, callsPerSwap: 8 });
  const faults = faultsOf(report);
  process.stdout.write(`${JSON.stringify({ ...summaryOf(report), faults }, undefined, 2)}\n`);
  process.exitCode = faults.length === 0 ? 0 : 1;
}
