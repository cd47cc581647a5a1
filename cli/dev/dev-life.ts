// The life around a development gateway: a run directory, what was started in order, Ctrl-C, and everything ended in
// the opposite order.
import { join } from "node:path";
import { CliError } from "../output/cli-error.ts";
import { EXIT } from "../output/exit-codes.ts";
import type { ExitCode } from "../output/exit-codes.ts";
import type { CliIo } from "../output/io.ts";
import { reportFault } from "../output/report-fault.ts";
import type { DevRun } from "./dev-run.ts";
import { openGatewayLog } from "./gateway-log.ts";
import type { GatewayLog } from "./gateway-log.ts";
import { openRunDir } from "./run-dir.ts";
import { listenForStop } from "./stop-signal.ts";

export interface DevLife {
  readonly io: CliIo;
  /** Aborted by Ctrl-C, SIGTERM and SIGHUP. */
  readonly signal: AbortSignal;
  readonly runDir: string;
  readonly log: GatewayLog;
  /** Runs at the end, last registered first. */
  readonly atEnd: (cleanup: () => Promise<void>) => void;
}

/**
 * Runs `work` and ends what it registered, however it ends; never throws. A stop by the user is success.
 * `state` is where the run directory is kept; undefined = a temporary one, removed.
 */
export async function untilStopped(
  io: CliIo,
  state: string | undefined,
  work: (life: DevLife) => Promise<ExitCode>,
): Promise<ExitCode> {
  const stop = listenForStop(io.env["npm_lifecycle_event"] !== undefined);
  const cleanups: (() => Promise<void>)[] = [];
  try {
    const runDir = await openRunDir(state, io.cwd);
    cleanups.push(runDir.close);
    const log = openGatewayLog(join(runDir.path, "gateway.log"));
    cleanups.push(log.close);
    const atEnd = (cleanup: () => Promise<void>): void => void cleanups.push(cleanup);
    return await work({ io, signal: stop.signal, runDir: runDir.path, log, atEnd });
  } catch (fault) {
    return stop.signal.aborted ? EXIT.ok : reportFault(fault, io);
  } finally {
    let isClean = true;
    for (const cleanup of cleanups.reverse()) {
      await cleanup().catch((fault: unknown) => {
        isClean = false;
        io.err(`while stopping: ${String(fault)}\n`);
      });
    }
    if (isClean) io.err(state === undefined ? "stopped; nothing is left behind\n" : "stopped\n");
    stop.dispose();
  }
}

/** Follows saves until the user stops; a gateway that ends by itself is a fault. */
export async function stayUp(run: DevRun, { log }: DevLife): Promise<void> {
  const ended = run.server.gateway.child.ended.then((code) => {
    throw new CliError(`the gateway ended by itself with ${String(code)}`, { help: log.tail() });
  });
  await Promise.race([run.follow(), ended]);
}
