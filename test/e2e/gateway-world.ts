// A gateway process in front of given MCP servers, on a policy repository that is compiled and released for it.
// Everything is real and on loopback; nothing outlives `stop`.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TransportEntry } from "#bundle";
import { compile } from "#compiler";
import type { CompileResult, OverlayIssuer, Workspace } from "#compiler";
import type { ProgramEntry } from "#upstream";
import { freePort } from "../../cli/dev/free-port.ts";
import { startGatewayProcess } from "../../cli/dev/gateway-process.ts";
import type { GatewayProcess, GatewayProcessOptions } from "../../cli/dev/gateway-process.ts";
import { createThrowawayIssuer } from "../../cli/dev/throwaway-issuer.ts";
import type { ThrowawayIssuer } from "../../cli/dev/throwaway-issuer.ts";
import { createThrowawayTrust } from "../../cli/dev/throwaway-trust.ts";
import type { ThrowawayTrust } from "../../cli/dev/throwaway-trust.ts";

export const CHANNEL = "dev";

export interface Caller {
  readonly subject: string;
  readonly roles: readonly string[];
  readonly isExternal?: boolean;
}

export const DEVELOPER: Caller = { subject: "dana", roles: ["Developer", "Employee"], isExternal: false };
export const EMPLOYEE: Caller = { subject: "erin", roles: ["Employee"], isExternal: false };
export const EXTERNAL: Caller = { subject: "xavier", roles: ["Developer"], isExternal: true };

export interface GatewayWorld {
  readonly dir: string;
  readonly trust: ThrowawayTrust;
  readonly issuer: ThrowawayIssuer;
  readonly gateway: GatewayProcess;
  readonly log: readonly string[];
  readonly endpoint: (server: string) => URL;
  readonly token: (caller: Caller, server: string) => Promise<string>;
  /** Compiles with this world's addresses. */
  readonly compile: (workspace?: Workspace) => Promise<CompileResult>;
  /** Compiles, releases and reloads; the digest that is active afterwards. */
  readonly release: (workspace?: Workspace) => Promise<string>;
  /** Starts the gateway again on the same directory, after it was stopped or killed. */
  readonly restartGateway: () => Promise<GatewayProcess>;
  readonly stop: () => Promise<void>;
}

export interface GatewayWorldOptions {
  /** The world's directory; a new temporary one where absent. Removed by `stop`. */
  readonly dir?: string;
  /** The repository that is compiled where `compile` and `release` are given none. */
  readonly workspace: Workspace;
  readonly transports: Readonly<Record<string, TransportEntry>>;
  readonly programs?: Readonly<Record<string, ProgramEntry>>;
  readonly pinMaxAgeMs?: number;
  /** Accepted in the place of the throw-away issuer, whose `token` is then refused. */
  readonly issuers?: readonly OverlayIssuer[];
  readonly gateway?: Partial<GatewayProcessOptions>;
  /** Members of `listen` in gateway.json beside host and port. */
  readonly listen?: Readonly<Record<string, unknown>>;
  /** Keys and channel; one throw-away key where absent. */
  readonly createTrust?: (dir: string, channel: string) => Promise<ThrowawayTrust>;
}

export async function createWorldDir(): Promise<string> {
  return mkdtemp(join(tmpdir(), "aegis-world-"));
}

export async function startGatewayWorld(options: GatewayWorldOptions): Promise<GatewayWorld> {
  const dir = options.dir ?? (await createWorldDir());
  const [issuer, trust, port] = await Promise.all([
    createThrowawayIssuer(),
    (options.createTrust ?? createThrowawayTrust)(dir, CHANNEL),
    freePort(),
  ]);
  const publicUrl = `http://127.0.0.1:${port}`;
  const log: string[] = [];
  const compileHere = (workspace: Workspace = options.workspace): Promise<CompileResult> =>
    compile({
      dir,
      workspace,
      overlay: {
        environment: CHANNEL,
        publicUrl,
        issuers: options.issuers ?? [issuer.overlay],
        transports: options.transports,
        ...(options.pinMaxAgeMs === undefined ? {} : { pinMaxAgeMs: options.pinMaxAgeMs }),
      },
    });
  const publish = async (workspace?: Workspace): Promise<string> => {
    const { bundle, diagnostics } = await compileHere(workspace);
    if (bundle === undefined) throw new Error(`does not compile: ${JSON.stringify(diagnostics)}`);
    return (await trust.release(bundle.bytes)).digest;
  };
  const startGateway = (): Promise<GatewayProcess> =>
    startGatewayProcess({
      dir,
      port,
      channel: CHANNEL,
      channelDir: trust.channelDir,
      rootPath: trust.rootPath,
      rootSha256: trust.rootSha256,
      programs: options.programs ?? {},
      onLog: (line) => void log.push(line),
      ...options.gateway,
      overrides: {
        ...(options.listen === undefined ? {} : { listen: { host: "127.0.0.1", port, ...options.listen } }),
        ...options.gateway?.overrides,
      },
    });
  await publish();
  let gateway = await startGateway();
  return {
    dir,
    trust,
    issuer,
    get gateway() {
      return gateway;
    },
    log,
    endpoint: (server) => new URL(`${publicUrl}/${server}/mcp`),
    token: (caller, server) =>
      issuer.mint({
        subject: caller.subject,
        audience: `${publicUrl}/${server}/mcp`,
        claims: {
          roles: [...caller.roles],
          ...(caller.isExternal === undefined ? {} : { is_external: caller.isExternal }),
        },
      }),
    compile: compileHere,
    release: async (workspace) => {
      const digest = await publish(workspace);
      await gateway.reload();
      return digest;
    },
    restartGateway: async () => {
      gateway = await startGateway();
      return gateway;
    },
    stop: async () => {
      await gateway.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
