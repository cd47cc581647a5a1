// Starts a demo server as the process it is, and talks to its control endpoint.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";

export const DEMO_DIRECTORY = join(import.meta.dirname, "../../../cli/demo/servers");

export interface DemoProcess {
  readonly url: string;
  /** Calls that reached the server, by tool. */
  readonly calls: () => Promise<Readonly<Record<string, number>>>;
  readonly control: (path: string, body: unknown) => Promise<number>;
  /** SIGTERM; resolves with the exit code. */
  readonly stop: () => Promise<number | null>;
}

export async function startDemo(name: "sql-prod" | "jira"): Promise<DemoProcess> {
  const child = spawn(process.execPath, [join(DEMO_DIRECTORY, `${name}.ts`), "--port", "0"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const line = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).once("line", resolve);
    void exited.then((code) => reject(new Error(`${name} ended with ${String(code)} before it was ready`)));
  });
  const ready = JSON.parse(line) as { readonly server: string; readonly url: string; readonly admin: string };
  if (ready.server !== name) throw new Error(`unexpected ready line: ${line}`);
  return {
    url: ready.url,
    calls: async () =>
      ((await (await fetch(`${ready.admin}/calls`)).json()) as { tools: Record<string, number> }).tools,
    control: async (path, body) => {
      const response = await fetch(ready.admin + path, { method: "POST", body: JSON.stringify(body) });
      await response.arrayBuffer();
      return response.status;
    },
    stop: () => {
      child.kill("SIGTERM");
      return exited;
    },
  };
}
