// Command-line options of the demo servers.
import { parseArgs } from "node:util";

export interface DemoOptions {
  /** Port of the MCP endpoint on 127.0.0.1; 0 = any free one. */
  readonly port: number;
  /** Port of the control endpoint on 127.0.0.1; 0 = any free one. */
  readonly adminPort: number;
  /** Where calls are also appended, one JSON line each. */
  readonly callsFile: string | undefined;
}

function portOf(name: string, text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535) throw new Error(`--${name} is not a port: ${text}`);
  return port;
}

/** @throws {Error} for an unknown option or a malformed port. */
export function readDemoOptions(
  defaultPort: number,
  argv: readonly string[] = process.argv.slice(2),
): DemoOptions {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      port: { type: "string", default: String(defaultPort) },
      "admin-port": { type: "string", default: "0" },
      "calls-file": { type: "string" },
    },
  });
  return {
    port: portOf("port", values.port),
    adminPort: portOf("admin-port", values["admin-port"]),
    callsFile: values["calls-file"],
  };
}
