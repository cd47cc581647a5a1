// The fixture in all its forms, and one gateway before all of them, reached through a hop that adds the token.
import { join } from "node:path";
import type { TransportEntry } from "#bundle";
import type { ProgramEntry } from "#upstream";
import { startReadyChild } from "../../cli/dev/child-process.ts";
import type { ReadyChild } from "../../cli/dev/child-process.ts";
import { DEVELOPER, startGatewayWorld } from "../e2e/gateway-world.ts";
import type { GatewayWorld } from "../e2e/gateway-world.ts";
import { grantingRepository, pinLive } from "../e2e/granting-repository.ts";
import { startTokenProxy } from "./token-proxy.ts";

const FIXTURE = join(import.meta.dirname, "..", "servers", "conformance-fixture", "main.ts");

/** Forms of the fixture, each a server of its own in the policy repository. */
export const FORMS = ["dual", "stdio", "legacy", "modern"] as const;
export type Form = (typeof FORMS)[number];

export interface ConformanceWorld {
  /** URL of a form without the gateway; a program on stdio has none. */
  readonly direct: (form: Exclude<Form, "stdio">) => string;
  /** URL of a form behind the gateway. */
  readonly governed: (form: Form) => string;
  readonly gateway: GatewayWorld;
  readonly stop: () => Promise<void>;
}

/** Everything that the fixture's pins do not name is asked for by name here. */
export const ASKS = [
  "metadata: { name: asks, reason: the suite may ask anything }",
  "scope: { principals: { in: [Developer] } }",
  'allow: { sampling: ["*"], elicitation: ["*"], roots: ["*"] }',
  "",
].join("\n");

/** The suite opens a session for each scenario and leaves many of them open, with their streams. */
export const LIMITS = { maxSessionsPerPrincipal: 1_000, maxStreamsPerPrincipal: 1_000 };

/** As the fixture has it: answers of sessions are event streams, and one may end before its answer. */
export const STREAMS = { answers: "events", pollAfterMs: 5_000 };

async function startForms(): Promise<readonly ReadyChild<string>[]> {
  const start = (eras: string): Promise<ReadyChild<string>> =>
    startReadyChild<string>({
      command: process.execPath,
      args: [FIXTURE, "--eras", eras],
      readyOn: "stdout",
      parseReady: (line) => (JSON.parse(line) as { url: string }).url,
    });
  return Promise.all(["dual", "legacy", "modern"].map(start));
}

export async function startConformanceWorld(): Promise<ConformanceWorld> {
  const children = await startForms();
  const urls = new Map<string, string>(
    (["dual", "legacy", "modern"] as const).map((form, index) => [form, children[index]?.ready ?? ""]),
  );
  const programs: Readonly<Record<string, ProgramEntry>> = {
    fixture: { command: process.execPath, args: [FIXTURE, "--transport", "stdio"] },
  };
  const transports: Readonly<Record<Form, TransportEntry>> = {
    dual: { type: "streamable-http", url: urls.get("dual") ?? "" },
    stdio: { type: "stdio", program: "fixture", args: [] },
    legacy: { type: "streamable-http", url: urls.get("legacy") ?? "" },
    modern: { type: "streamable-http", url: urls.get("modern") ?? "" },
  };
  const proxy = await startTokenProxy();
  const stopAll = async (): Promise<void> => {
    await proxy.close();
    await Promise.all(children.map((child) => child.stop()));
  };
  try {
    const pinned = await Promise.all(
      FORMS.map((form) => pinLive({ id: form, transport: transports[form] }, programs)),
    );
    const gateway = await startGatewayWorld({
      workspace: grantingRepository(pinned, { "policies/asks.yaml": ASKS }),
      transports,
      programs,
      listen: { allowedOrigins: [`http://localhost:${String(proxy.port)}`] },
      gateway: { auditMode: "batch", overrides: { limits: LIMITS, streams: STREAMS } },
    });
    const tokens = new Map<string, string>();
    for (const form of FORMS) tokens.set(`/${form}/mcp`, await gateway.token(DEVELOPER, form));
    proxy.forwardTo({
      port: Number(gateway.endpoint("dual").port),
      token: (path) => tokens.get(path),
    });
    return {
      direct: (form) => (urls.get(form) ?? "").replace("127.0.0.1", "localhost"),
      governed: (form) => `http://localhost:${String(proxy.port)}/${form}/mcp`,
      gateway,
      stop: async () => {
        await gateway.stop();
        await stopAll();
      },
    };
  } catch (fault) {
    await stopAll();
    throw fault;
  }
}
