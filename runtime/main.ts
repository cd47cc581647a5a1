// Process entry of the gateway: configuration, start, signals. Everything else is in gateway.ts.
import { parseArgs } from "node:util";
import { setFlagsFromString } from "node:v8";
import { ConfigError, loadProcessConfig } from "./config/index.ts";
import { startGateway } from "./gateway.ts";
import { createLogger, createMetrics } from "./telemetry/index.ts";
import { GATEWAY_VERSION } from "./version.ts";

const USAGE = `Usage: aegis-gateway --config gateway.json

Runs the gateway: pulls signed releases, governs MCP traffic, writes the audit log.

  --config FILE   process configuration (docs/gateway-configuration.md)
  --version       print the version
  --help          print this text

SIGTERM drains and stops; SIGHUP reloads the release now.
Exit codes: 0 stopped, 1 configuration or start failed, 6 root of trust refused.
`;
const DRAIN_MS = 10_000;

// V8 puts objects of sites whose objects often outlive a scavenge into the old generation at once. Those of an exchange
// are dead soon after, and there keep all younger ones they refer to alive until the next full collection.
setFlagsFromString("--no-allocation-site-pretenuring");

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { config: { type: "string" }, version: { type: "boolean" }, help: { type: "boolean" } },
  });
  if (values.help === true) return print(USAGE);
  if (values.version === true) return print(`${GATEWAY_VERSION}\n`);
  if (values.config === undefined) {
    process.stderr.write(`aegis-gateway: --config is required\n\n${USAGE}`);
    return 1;
  }
  const config = loadProcessConfig(values.config);
  const logger = createLogger({ level: config.log.level });
  const gateway = await startGateway({ config, logger, metrics: createMetrics() });
  const { host, port, adminPort, firstRelease } = gateway;
  const code = firstRelease.kind === "rejected" ? { code: firstRelease.code } : {};
  logger.info("listening", { host, port, adminPort, release: firstRelease.kind, ...code });
  process.on("SIGHUP", () => void gateway.reload().then((outcome) => logger.info("reload", { outcome })));
  await new Promise<void>((resolve) => {
    process.once("SIGTERM", () => resolve());
    process.once("SIGINT", () => resolve());
  });
  logger.info("draining", { graceMs: DRAIN_MS });
  await gateway.stop(DRAIN_MS);
  return 0;
}

function print(text: string): number {
  process.stdout.write(text);
  return 0;
}

function report(fault: unknown): number {
  if (fault instanceof ConfigError) process.stderr.write(`${fault.message}\n`);
  else process.stderr.write(`aegis-gateway: ${fault instanceof Error ? fault.message : String(fault)}\n`);
  return fault instanceof Error && fault.name === "TrustError" ? 6 : 1;
}

main().then(
  (code) => process.exit(code),
  (fault: unknown) => process.exit(report(fault)),
);
