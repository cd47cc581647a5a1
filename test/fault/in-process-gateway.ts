// A gateway within the process of its test, so that the test can put faults into its stages. All else is real: listener,
// release, audit writer.
import { join } from "node:path";
import { compile } from "#compiler";
import { decodeProcessConfig, startGateway } from "#gateway";
import type { Gateway } from "#gateway";
import type { JsonObject } from "#std";
import { createLogger, createMetrics } from "#telemetry";
import { freePort } from "../../cli/dev/free-port.ts";
import { createThrowawayIssuer } from "../../cli/dev/throwaway-issuer.ts";
import { createThrowawayTrust } from "../../cli/dev/throwaway-trust.ts";
import type { Stages } from "../../runtime/stages/stages.ts";
import { CHANNEL } from "../e2e/world.ts";

type CompileOptions = Parameters<typeof compile>[0];
type Overlay = NonNullable<CompileOptions["overlay"]>;

export interface InProcessOptions {
  /** Empty; removed by the caller. */
  readonly dir: string;
  readonly workspace: NonNullable<CompileOptions["workspace"]>;
  readonly transports: NonNullable<Overlay["transports"]>;
  /** Local servers, as gateway.json names them. */
  readonly programs?: object;
  /** In place of each stage, by its name. */
  readonly wrap: (key: keyof Stages, run: StageRun) => StageRun;
  readonly admissionDeadlineMs?: number;
}

export type StageRun = (exchange: never, signal: AbortSignal) => unknown;

export interface InProcessGateway {
  readonly gateway: Gateway;
  /** `http://127.0.0.1:<port>`, without a slash at the end. */
  readonly origin: string;
  /** Of dana, who has these roles, for one endpoint. */
  readonly token: (path: string, roles: readonly string[]) => Promise<string>;
}

/** @throws {Error} with the diagnostics where the workspace does not compile */
export async function startInProcess(options: InProcessOptions): Promise<InProcessGateway> {
  const { dir, workspace, transports, programs = {}, wrap, admissionDeadlineMs } = options;
  const [issuer, trust, port] = await Promise.all([
    createThrowawayIssuer(),
    createThrowawayTrust(dir, CHANNEL),
    freePort(),
  ]);
  const origin = `http://127.0.0.1:${port}`;
  const overlay = { environment: CHANNEL, publicUrl: origin, issuers: [issuer.overlay], transports };
  const { bundle, diagnostics } = await compile({ dir, workspace, overlay });
  if (bundle === undefined) throw new Error(JSON.stringify(diagnostics));
  await trust.release(bundle.bytes);
  const config = decodeProcessConfig(
    {
      listen: { host: "127.0.0.1", port },
      admin: { host: "127.0.0.1", port: 0 },
      release: { source: `dir:${trust.channelDir}`, channel: CHANNEL },
      trust: { root: trust.rootPath, rootSha256: trust.rootSha256 },
      stateDir: join(dir, "state"),
      audit: { dir: join(dir, "audit"), mode: "sync" },
      programs: JSON.parse(JSON.stringify(programs)) as JsonObject,
    },
    { file: "gateway.json", baseDir: dir, environment: {} },
  );
  const gateway = await startGateway({
    config,
    logger: createLogger({ level: "silent" }),
    metrics: createMetrics(),
    wrapStages: (stages) => wrapEach(stages, wrap),
    ...(admissionDeadlineMs === undefined ? {} : { admissionDeadlineMs }),
  });
  const token: InProcessGateway["token"] = (path, roles) =>
    issuer.mint({ subject: "dana", audience: `${origin}${path}`, claims: { roles, is_external: false } });
  return { gateway, origin, token };
}

function wrapEach(stages: Stages, wrap: InProcessOptions["wrap"]): Stages {
  const wrapped = Object.entries(stages).map(([key, stage]) => {
    const run: StageRun = (exchange, signal) => (stage as { readonly run: StageRun }).run(exchange, signal);
    return [key, { name: stage.name, run: wrap(key as keyof Stages, run) }];
  });
  return Object.fromEntries(wrapped) as Stages;
}
