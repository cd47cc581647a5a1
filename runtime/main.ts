// Process entry of the gateway: configuration, start, signals. Everything else is in gateway.ts.
import { parseArgs } from "node:util";
import { setFlagsFromString } from "node:v8";
import { ConfigError, loadProcessConfig } from "./config/index.ts";
import type { ProcessConfig } from "./config/index.ts";
import { LocalStartError } from "./connections.ts";
import { startGateway } from "./gateway.ts";
import { createTokenSource, standardStreams } from "./listener/index.ts";
import type { LocalServerOptions } from "./listeners.ts";
import { listenForStop } from "./stop-signals.ts";
import { createLogger, createMetrics } from "./telemetry/index.ts";
import { GATEWAY_VERSION } from "./version.ts";

const USAGE = `Usage: aegis-gateway --config gateway.json [--stdio --route PATH]

Runs the gateway: pulls signed releases, governs MCP traffic, writes the audit log.

  --config FILE   process configuration (docs/gateway-configuration.md)
  --stdio         serve one client on standard input and output, as a local MCP server; the caller is whom the token
                  of stdio.token in the configuration names
  --route PATH    path of the route that --stdio serves
  --version       print the version
  --help          print this text

SIGTERM drains and stops, a second one stops at once, and so does SIGQUIT; SIGHUP reloads the release now.
Exit codes: 0 stopped, 1 configuration or start failed, 6 root of trust refused, 128 + the signal stopped at once.
`;
const ORDERLY = { graceMs: 10_000, closeMs: 6_000 };
/**
 * A client that has ended its input has all its answers, or signals because it does not wait for them. It kills soon after:
 * clients of the SDK signal after 2 s and kill after 4 s.
 */
const CLIENT_GONE = { graceMs: 0, closeMs: 1_200 };

// V8 puts objects of sites whose objects often outlive a scavenge into the old generation at once. Those of an exchange
// are dead soon after, and there keep all younger ones they refer to alive until the next full collection.
setFlagsFromString("--no-allocation-site-pretenuring");

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      config: { type: "string" },
      stdio: { type: "boolean" },
      route: { type: "string" },
      version: { type: "boolean" },
      help: { type: "boolean" },
    },
  });
  if (values.help === true) return print(USAGE);
  if (values.version === true) return print(`${GATEWAY_VERSION}\n`);
  if (values.config === undefined) {
    process.stderr.write(`aegis-gateway: --config is required\n\n${USAGE}`);
    return 1;
  }
  const config = loadProcessConfig(values.config);
  const local = localServer(values.stdio === true, values.route, config);
  const logger = createLogger({ level: config.log.level });
  const stop = listenForStop();
  const gateway = await startGateway({
    ...{ config, logger, metrics: createMetrics() },
    ...(local === undefined ? {} : { local }),
  });
  const { host, port, adminPort, firstRelease } = gateway;
  const code = firstRelease.kind === "rejected" ? { code: firstRelease.code } : {};
  const where = local === undefined ? { host, port } : { stdio: local.routePath };
  logger.info("listening", { ...where, adminPort, release: firstRelease.kind, ...code });
  process.on("SIGHUP", () => void gateway.reload().then((outcome) => logger.info("reload", { outcome })));
  const ended = await Promise.race([stop.asked(), ...(gateway.localEnded ? [gateway.localEnded] : [])]);
  const isClientGone = local !== undefined && process.stdin.readableEnded;
  const { graceMs, closeMs } = isClientGone ? CLIENT_GONE : ORDERLY;
  logger.info("draining", { cause: ended, graceMs });
  await gateway.stop(graceMs, closeMs);
  // A client that lost its session, or a token, is to see that the server did not end as it should.
  return LOST.has(ended) ? 1 : 0;
}

const LOST: ReadonlySet<string> = new Set(["session", "unauthorised", "expired"]);

/** @throws {Error} with what to do where a local server cannot know its caller */
function localServer(
  stdio: boolean,
  route: string | undefined,
  config: ProcessConfig,
): LocalServerOptions | undefined {
  if (!stdio) {
    if (route !== undefined) throw new Error("--route is for --stdio");
    return undefined;
  }
  if (route === undefined)
    throw new Error("--stdio needs --route with the path of a route, such as /team/mcp");
  const place = config.stdio?.token;
  if (place === undefined)
    throw new Error(
      'no token: set "stdio": { "token": "env:NAME" } or { "token": "file:path" } in the configuration',
    );
  if (createTokenSource(place)() === undefined) {
    const where = place.kind === "env" ? `the environment variable ${place.name}` : `the file ${place.path}`;
    throw new Error(`no token: ${where} holds none; put an access token for the route there`);
  }
  return { routePath: route, streams: standardStreams() };
}

function print(text: string): number {
  process.stdout.write(text);
  return 0;
}

function report(fault: unknown): number {
  if (fault instanceof ConfigError) process.stderr.write(`${fault.message}\n`);
  else if (fault instanceof LocalStartError) process.stderr.write(`aegis-gateway: ${refusedToken(fault)}\n`);
  else process.stderr.write(`aegis-gateway: ${fault instanceof Error ? fault.message : String(fault)}\n`);
  return fault instanceof Error && fault.name === "TrustError" ? 6 : 1;
}

function refusedToken({ code, message }: LocalStartError): string {
  const remedy = code.startsWith("AUTHN_")
    ? "the token must be a valid access token for the URL of the route; put a new one where stdio.token says"
    : "see docs/errors.md";
  return `the local server was refused: ${message} (${code}); ${remedy}`;
}

main().then(
  (code) => process.exit(code),
  (fault: unknown) => process.exit(report(fault)),
);
