// Kills the gateway, or its audit writer alone, again and again while calls run. After each kill the log verifies
// clean; in the end every call that was acknowledged and every call that reached the server is in it as allowed.
// Run as a script: `node test/long/crash.ts gateway|writer [kills]`.
import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { verifyAuditLog } from "#audit";
import { startEchoWorld } from "../e2e/echo-world.ts";
import type { EchoWorld } from "../e2e/echo-world.ts";
import { DEVELOPER } from "../e2e/gateway-world.ts";
import type { GatewayWorld } from "../e2e/gateway-world.ts";
import { seededRandom } from "../unit/audit/seeded-random.ts";
import { openLoadClient } from "./load-client.ts";
import { readRecordedCalls } from "./recorded-calls.ts";
import { waitUntil } from "./wait-until.ts";

export interface CrashOptions {
  readonly victim: "gateway" | "writer";
  readonly kills: number;
  readonly callers: number;
  readonly seed: number;
  readonly onProgress?: (kills: number) => void;
}

export interface CrashReport {
  readonly victim: string;
  readonly kills: number;
  /** Calls whose result came back. */
  readonly acknowledged: number;
  /** Calls that the gateway refused because it could not record them. */
  readonly refused: number;
  /** Calls whose connection broke. Only where the gateway itself is killed. */
  readonly broken: number;
  /** Calls that reached the server. */
  readonly arrived: number;
  /** Acknowledged, but no allow is in the log. Must be 0. */
  readonly lost: number;
  /** Reached the server, but no allow is in the log. Must be 0. */
  readonly unrecorded: number;
  /** Calls that reached the server more than once. Must be 0. */
  readonly repeated: number;
  /** What the verifier found after a kill, where that is not `clean`. Must be empty. */
  readonly unclean: readonly string[];
  /** Outcomes that a kill does not explain. Must be empty. */
  readonly strange: readonly string[];
  /** What the gateway logged of calls that it could not record, where an outcome is strange. */
  readonly said: readonly string[];
  /** Longest time from a kill to the next acknowledged call, milliseconds. */
  readonly recoveryMaxMs: number;
  /** Allowed decisions without a result or a gap record, at the end. Must be 0. */
  readonly openDecisions: number;
}

const MAX_PAUSE_MS = 60;
const CALLS_BETWEEN_KILLS = 8;
const MAX_NAMED = 5;

/** Callers that can be held between two calls. */
class Load {
  readonly acknowledged: string[] = [];
  readonly strange: string[] = [];
  refused = 0;
  broken = 0;
  held = false;
  readonly #options: CrashOptions;
  #active = 0;
  #stopped = false;
  readonly #running: Promise<void>[] = [];

  constructor(options: CrashOptions) {
    this.#options = options;
  }

  async start(world: GatewayWorld): Promise<void> {
    const token = await world.token(DEVELOPER, "echo");
    for (let index = 0; index < this.#options.callers; index += 1)
      this.#running.push(this.#run(world, token, index));
  }

  /** Resolves when no call is under way. */
  async hold(): Promise<void> {
    this.held = true;
    await waitUntil(() => this.#active === 0, "calls to end");
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#running);
  }

  async #run(world: GatewayWorld, token: string, index: number): Promise<void> {
    const client = await openLoadClient({ endpoint: world.endpoint("echo"), token, era: "modern" });
    for (let call = 0; !this.#stopped; call += 1) {
      if (this.held) {
        await delay(1);
        continue;
      }
      const text = `${String(index)} ${String(call)}`;
      this.#active += 1;
      const outcome = await client.call(text);
      this.#active -= 1;
      if (outcome.kind === "allowed") {
        this.acknowledged.push(text);
        continue;
      }
      const explained =
        outcome.kind === "broken"
          ? this.#options.victim === "gateway"
          : outcome.code === "AUDIT_UNAVAILABLE" && this.#options.victim === "writer";
      if (!explained) this.strange.push(`${text}: ${JSON.stringify(outcome)}`);
      if (outcome.kind === "broken") this.broken += 1;
      else this.refused += 1;
      // A gateway that is away refuses at once: let it come back.
      await delay(5);
    }
    await client.close();
  }
}

function gatewayPid(world: GatewayWorld): number {
  const { pid } = world.gateway.child.process;
  if (pid === undefined) throw new Error("the gateway has no process id");
  return pid;
}

/** The only child of a gateway without stdio servers. */
async function writerPid(world: GatewayWorld): Promise<number | undefined> {
  const pid = String(gatewayPid(world));
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
  const [child] = children.trim().split(" ");
  return child === undefined || child === "" ? undefined : Number(child);
}

async function killGateway(world: GatewayWorld): Promise<void> {
  process.kill(gatewayPid(world), "SIGKILL");
  await world.gateway.child.ended;
  await world.restartGateway();
}

async function killWriter(world: GatewayWorld): Promise<void> {
  let pid: number | undefined;
  await waitUntil(async () => (pid = await writerPid(world)) !== undefined, "a writer to kill");
  if (pid === undefined) throw new Error("no writer");
  process.kill(pid, "SIGKILL");
  await waitUntil(async () => ![undefined, pid].includes(await writerPid(world)), "the next writer");
}

async function verdict(world: GatewayWorld): Promise<string | undefined> {
  const { outcome, firstBad } = await verifyAuditLog({ dir: world.gateway.auditDir });
  return outcome === "clean" ? undefined : `${outcome}: ${JSON.stringify(firstBad)}`;
}

async function killAgainAndAgain(
  world: GatewayWorld,
  load: Load,
  options: CrashOptions,
): Promise<{ readonly unclean: readonly string[]; readonly recoveryMaxMs: number }> {
  const random = seededRandom(options.seed);
  const unclean: string[] = [];
  let recoveryMaxMs = 0;
  for (let kill = 1; kill <= options.kills; kill += 1) {
    const acknowledged = load.acknowledged.length;
    await waitUntil(
      () => load.acknowledged.length >= acknowledged + CALLS_BETWEEN_KILLS,
      "calls before a kill",
    );
    await delay(random() * MAX_PAUSE_MS);
    const killedMs = performance.now();
    await (options.victim === "gateway" ? killGateway(world) : killWriter(world));
    const afterKill = load.acknowledged.length;
    await waitUntil(() => load.acknowledged.length > afterKill, "the first call after a kill");
    recoveryMaxMs = Math.max(recoveryMaxMs, performance.now() - killedMs);
    // A live log can end in a record that is being written: look while nothing is.
    await load.hold();
    const fault = await verdict(world);
    if (fault !== undefined) unclean.push(`kill ${String(kill)}: ${fault}`);
    load.held = false;
    options.onProgress?.(kill);
  }
  return { unclean, recoveryMaxMs };
}

async function prove(world: EchoWorld, options: CrashOptions): Promise<CrashReport> {
  const load = new Load(options);
  await load.start(world);
  const { unclean, recoveryMaxMs } = await killAgainAndAgain(world, load, options);
  await load.stop();
  await world.gateway.stop();
  const final = await verifyAuditLog({ dir: world.gateway.auditDir });
  const { of } = await readRecordedCalls(world.gateway.auditDir, world.gateway.stateDir);
  const isRecorded = (text: string): boolean => of({ text }).some(({ effect }) => effect === "allow");
  const arrived = world.echo.texts();
  const count = (texts: readonly string[]): number => texts.filter((text) => !isRecorded(text)).length;
  return {
    victim: options.victim,
    kills: options.kills,
    acknowledged: load.acknowledged.length,
    refused: load.refused,
    broken: load.broken,
    arrived: arrived.length,
    lost: count(load.acknowledged),
    unrecorded: count(arrived),
    repeated: arrived.length - new Set(arrived).size,
    unclean:
      final.outcome === "clean" ? unclean : [...unclean, `at the end: ${JSON.stringify(final.firstBad)}`],
    strange: load.strange,
    said: load.strange.length === 0 ? [] : world.log.filter((line) => line.includes("not recorded")),
    recoveryMaxMs: Math.round(recoveryMaxMs),
    openDecisions: final.openDecisions,
  };
}

/** Runs the proof. */
export async function run(options: CrashOptions): Promise<CrashReport> {
  const world = await startEchoWorld();
  try {
    return await prove(world, options);
  } finally {
    await world.stop();
  }
}

/** The report in numbers. */
export function summaryOf(report: CrashReport): object {
  const { said: _said, ...rest } = report;
  return { ...rest, strange: report.strange.length };
}

/** Why the report is no proof; empty where it is. */
export function faultsOf(report: CrashReport): readonly string[] {
  const counted = (["lost", "unrecorded", "repeated", "openDecisions"] as const).flatMap((name) =>
    report[name] === 0 ? [] : [`${name}: ${String(report[name])}`],
  );
  return [
    ...counted,
    ...report.unclean.slice(0, MAX_NAMED),
    ...report.strange.slice(0, MAX_NAMED),
    ...report.said.slice(0, MAX_NAMED),
    ...(report.acknowledged < report.kills * CALLS_BETWEEN_KILLS ? ["too few calls to prove anything"] : []),
  ];
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const victim = process.argv[2] === "writer" ? "writer" : "gateway";
  const kills = Number(process.argv[3] ?? (victim === "writer" ? "500" : "20"));
  const report = await run({ victim, kills, callers: 4, seed: 1 });
  const faults = faultsOf(report);
  process.stdout.write(`${JSON.stringify({ ...summaryOf(report), faults }, undefined, 2)}\n`);
  process.exitCode = faults.length === 0 ? 0 : 1;
}
