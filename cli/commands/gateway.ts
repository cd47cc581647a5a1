// aegis gateway: the runtime gateway, as `aegis-gateway` starts it.
import { spawn } from "node:child_process";
import { resolve } from "node:path";
import type { Command } from "commander";
import { GATEWAY_FLAGS, gatewayEntry } from "../dev/gateway-process.ts";
import { EXIT } from "../output/exit-codes.ts";
import type { ExitCode } from "../output/exit-codes.ts";
import type { CommandHost } from "../program.ts";

export function registerGateway(program: Command, host: CommandHost): void {
  program
    .command("gateway")
    .summary("Run the gateway.")
    .description(
      "Run the gateway as `aegis-gateway` does. SIGTERM drains and stops, a second one stops at once; SIGHUP pulls the release now.",
    )
    .requiredOption("--config <gateway.json>", "process configuration")
    .option("--stdio", "serve one client on standard input and output, as a local MCP server")
    .option("--route <path>", "path of the route that --stdio serves")
    .action(
      host.action((options: GatewayCommandOptions) =>
        runGateway(
          [
            ...["--config", resolve(host.io.cwd, options.config)],
            ...(options.stdio === true ? ["--stdio"] : []),
            ...(options.route === undefined ? [] : ["--route", options.route]),
          ],
          host.io.cwd,
        ),
      ),
    );
}

interface GatewayCommandOptions {
  readonly config: string;
  readonly stdio?: boolean;
  readonly route?: string;
}

const FORWARDED = ["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP"] as const;

/** Runs it as a process of its own, under the flags that it ships with; signals are passed on. */
function runGateway(args: readonly string[], cwd: string): Promise<ExitCode> {
  const child = spawn(process.execPath, [...GATEWAY_FLAGS, gatewayEntry(), ...args], {
    stdio: "inherit",
    cwd,
  });
  for (const signal of FORWARDED) process.on(signal, () => void child.kill(signal));
  return new Promise((done, fail) => {
    child.once("error", fail);
    child.once("exit", (code) =>
      done(code === EXIT.ok ? EXIT.ok : code === EXIT.trust ? EXIT.trust : EXIT.error),
    );
  });
}
