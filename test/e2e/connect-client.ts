// `aegis connect` as a process, below an MCP client of the official SDK, with a home of its own.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { compileCache } from "../compile-cache.ts";
import { followLogin } from "./openid-provider.ts";

const ROOT = join(import.meta.dirname, "..", "..");

export type Era = "legacy" | "modern";

export interface ConnectedClient {
  readonly client: Client;
  /** What `aegis connect` said to a person so far. */
  readonly notes: () => string;
  /** Addresses of logins that were printed. */
  readonly logins: readonly string[];
  readonly close: () => Promise<void>;
}

export interface ConnectHome {
  readonly dir: string;
  readonly stateDir: string;
  /** Plays the browser: what the login page redirects to is visited. `visit` may look at the address first. */
  readonly open: (
    args: readonly string[],
    era: Era,
    options?: { readonly env?: Record<string, string>; readonly visit?: (answer: URL) => Promise<void> },
  ) => Promise<ConnectedClient>;
  readonly remove: () => Promise<void>;
}

/** The SDK asks for the era in a process of its own below its base class, whose standard error nobody sees. */
class WatchedTransport extends StdioClientTransport {}

export const visitPage = async (answer: URL): Promise<void> => void (await (await fetch(answer)).text());

export async function connectHome(): Promise<ConnectHome> {
  const dir = await mkdtemp(join(tmpdir(), "aegis-connect-test-"));
  return {
    dir,
    stateDir: join(dir, "state", "aegis", "connect"),
    open: async (args, era, { env = {}, visit = visitPage } = {}) => {
      const logins: string[] = [];
      let notes = "";
      const broken = Promise.withResolvers<never>();
      broken.promise.catch(() => undefined);
      const transport = new WatchedTransport({
        command: process.execPath,
        args: [join(ROOT, "cli", "main.ts"), "connect", "--no-browser", ...args],
        env: {
          ...{ HOME: dir, XDG_STATE_HOME: join(dir, "state"), PATH: process.env["PATH"] ?? "" },
          ...compileCache(),
          ...env,
        },
        stderr: "pipe",
      });
      transport.stderr?.on("data", (chunk: Buffer) => {
        const before = notes.split("\n").length - 1;
        notes += chunk.toString("utf8");
        for (const line of notes.split("\n").slice(before, -1)) {
          const url = /log in here: (\S+)/u.exec(line)?.[1];
          if (url === undefined) continue;
          logins.push(url);
          followLogin(url).then(visit).catch(broken.reject);
        }
      });
      const client = new Client(
        { name: "desk", version: "1.0.0" },
        { versionNegotiation: { mode: era === "legacy" ? "legacy" : { pin: "2026-07-28" } } },
      );
      try {
        await Promise.race([client.connect(transport), broken.promise]);
      } catch (error) {
        await client.close();
        throw new Error(`${String(error)}\n${notes}`, { cause: error });
      }
      return { client, notes: () => notes, logins, close: () => client.close() };
    },
    remove: () => rm(dir, { recursive: true, force: true }),
  };
}
