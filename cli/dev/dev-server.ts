// The one mechanism behind `npm start` and `aegis dev`: a policy repository compiled, signed with a throw-away key and
// served by a gateway process, and compiled, signed and swapped again on request.
import type { IssuerEntry, PrincipalFacts, RouteEntry, TransportEntry } from "#bundle";
import { compile } from "#compiler";
import type { CompileResult, CompiledBundle, Overlay } from "#compiler";
import { isJsonObject } from "#std";
import type { ProgramEntry } from "#upstream";
import { CliError } from "../output/cli-error.ts";
import { EXIT } from "../output/exit-codes.ts";
import { hasErrors } from "../output/project.ts";
import { freePort } from "./free-port.ts";
import { startGatewayProcess } from "./gateway-process.ts";
import type { GatewayProcess } from "./gateway-process.ts";
import { claimsOf } from "./test-callers.ts";
import { createThrowawayIssuer } from "./throwaway-issuer.ts";
import { createThrowawayTrust } from "./throwaway-trust.ts";
import { documentState } from "./watch-files.ts";

export interface DevServerOptions {
  /** The policy repository; only read. */
  readonly dir: string;
  /** Keys, channel, state and audit log go here. */
  readonly runDir: string;
  /** Environment that is served; also the release channel. */
  readonly environment: string;
  /** Taken where it is free. */
  readonly preferredPort: number;
  readonly transports?: Readonly<Record<string, TransportEntry>>;
  readonly programs: Readonly<Record<string, ProgramEntry>>;
  /** References to the secrets of upstreams by logical name: `env:NAME`, `file:/path`. */
  readonly credentials?: ReadonlyMap<string, string>;
  readonly pinMaxAgeMs?: NonNullable<Overlay["pinMaxAgeMs"]>;
  readonly onLog?: (line: string) => void;
  readonly signal: AbortSignal;
}

/** A compiled repository without errors. */
export interface SoundResult extends CompileResult {
  readonly bundle: CompiledBundle;
}

export type DevUpdate =
  /** Errors: what was active stays active. */
  | { readonly kind: "broken"; readonly result: CompileResult }
  | { readonly kind: "unchanged"; readonly result: SoundResult }
  | {
      readonly kind: "activated";
      readonly result: SoundResult;
      readonly previous: SoundResult;
      readonly sequence: number;
      /** From the end of the compilation to the gateway's word that the release is active. */
      readonly swapMs: number;
    }
  /** The gateway did not take the release: what was active stays active. */
  | { readonly kind: "refused"; readonly result: SoundResult; readonly detail: string };

export interface DevProject {
  /** State of the documents that the last compilation read. */
  readonly documentState: () => string;
  readonly compile: () => Promise<CompileResult>;
  /** Signs and publishes; the sequence of the release. */
  readonly release: (result: SoundResult) => Promise<number>;
  /** Starts the gateway on what was released. */
  readonly serve: (result: SoundResult) => Promise<DevServer>;
}

export interface DevServer {
  readonly gateway: GatewayProcess;
  readonly active: () => SoundResult;
  readonly endpoints: () => readonly RouteEntry[];
  /** A token for one endpoint: `resource` of its route. */
  readonly token: (caller: PrincipalFacts, resource: string) => Promise<string>;
  /** Compiles again; releases and swaps where the bundle is another one. */
  readonly update: () => Promise<DevUpdate>;
  readonly stop: () => Promise<void>;
}

export function isSound(result: CompileResult): result is SoundResult {
  return result.bundle !== undefined && !hasErrors(result);
}

/** Makes keys, an issuer and an empty channel; nothing is compiled or started yet. */
export async function prepareDevProject(options: DevServerOptions): Promise<DevProject> {
  const [issuer, trust, port] = await Promise.all([
    createThrowawayIssuer(),
    createThrowawayTrust(options.runDir, options.environment),
    freePort(options.preferredPort),
  ]);
  const overlay: Overlay = {
    environment: options.environment,
    publicUrl: `http://127.0.0.1:${port}`,
    issuers: [issuer.overlay],
    ...(options.transports === undefined ? {} : { transports: options.transports }),
    ...(options.pinMaxAgeMs === undefined ? {} : { pinMaxAgeMs: options.pinMaxAgeMs }),
  };
  let state = "";
  const compileNow = async (): Promise<CompileResult> => {
    state = await documentState(options.dir);
    return compile({ dir: options.dir, overlay });
  };
  const release = async (result: SoundResult): Promise<number> =>
    (await trust.release(result.bundle.bytes)).sequence;
  const serve = async (first: SoundResult): Promise<DevServer> => {
    const gateway = await startGatewayProcess({
      dir: options.runDir,
      port,
      channel: options.environment,
      channelDir: trust.channelDir,
      rootPath: trust.rootPath,
      rootSha256: trust.rootSha256,
      programs: options.programs,
      overrides: { credentials: Object.fromEntries(options.credentials ?? []) },
      ownGroup: true,
      signal: options.signal,
      ...(options.onLog === undefined ? {} : { onLog: options.onLog }),
    });
    const refusal = await refusalOf(gateway, first);
    if (refusal !== undefined) {
      await gateway.stop();
      throw new CliError(`the gateway refused the release: ${refusal}`, { exitCode: EXIT.trust });
    }
    let active = first;
    const environment = (): { routes: readonly RouteEntry[]; issuers: readonly IssuerEntry[] } =>
      active.bundle.content.routes.environments[options.environment] ?? { routes: [], issuers: [] };
    return {
      gateway,
      active: () => active,
      endpoints: () => environment().routes,
      token: (caller, resource) => {
        const entry = environment().issuers.find((item) => item.issuer === issuer.overlay.issuer);
        const claims = entry === undefined ? {} : claimsOf(caller, entry);
        return issuer.mint({ subject: caller.id, audience: resource, claims });
      },
      update: async () => {
        const outcome = await update(await compileNow(), active, release, gateway);
        if (outcome.kind === "activated") active = outcome.result;
        return outcome;
      },
      stop: gateway.stop,
    };
  };
  return { documentState: () => state, compile: compileNow, release, serve };
}

async function update(
  result: CompileResult,
  active: SoundResult,
  release: (result: SoundResult) => Promise<number>,
  gateway: GatewayProcess,
): Promise<DevUpdate> {
  if (!isSound(result)) return { kind: "broken", result };
  if (result.bundle.digest === active.bundle.digest) return { kind: "unchanged", result };
  const startedMs = performance.now();
  const sequence = await release(result);
  const refusal = await refusalOf(gateway, result);
  if (refusal !== undefined) return { kind: "refused", result, detail: refusal };
  return { kind: "activated", result, previous: active, sequence, swapMs: performance.now() - startedMs };
}

/** Has the gateway look for a release now; why the expected one is not active then, or undefined where it is. */
async function refusalOf(gateway: GatewayProcess, expected: SoundResult): Promise<string | undefined> {
  const outcome = await gateway.reload();
  if (!isJsonObject(outcome)) return "no outcome";
  // `unchanged` with the expected digest: it was active already.
  if (outcome["kind"] !== "rejected" && outcome["digest"] === expected.bundle.digest) return undefined;
  return [outcome["code"], outcome["detail"]].filter((text) => typeof text === "string").join(": ");
}
