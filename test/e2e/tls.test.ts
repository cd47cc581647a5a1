// The MCP port over TLS: Streamable HTTP, WebSocket and HTTP+SSE behind one certificate that is exchanged under way.
import { execFileSync } from "node:child_process";
import { copyFileSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { connect } from "node:tls";
import type { PeerCertificate } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import type { ProcessConfig } from "../../runtime/config/index.ts";
import { startGateway } from "../../runtime/gateway.ts";
import { createLogger, createMetrics } from "../../runtime/telemetry/index.ts";
import { startEchoWorld } from "./echo-world.ts";
import type { EchoWorld } from "./echo-world.ts";
import { DEVELOPER, createWorldDir } from "./gateway-world.ts";
import { modernHeaders, modernMeta } from "./raw-call.ts";

let world: EchoWorld;
let dir = "";
let token = "";
const file = (name: string): string => join(dir, name);

/** A certificate for loopback that signs itself. */
function makeCertificate(name: string, days = "2"): void {
  execFileSync(
    "openssl",
    [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
      ...["-keyout", file(`${name}.key`), "-out", file(`${name}.crt`), "-days", days],
      ...["-subj", `/CN=${name}`, "-addext", "subjectAltName=IP:127.0.0.1"],
    ],
    { stdio: "ignore" },
  );
}

function install(name: string): void {
  copyFileSync(file(`${name}.crt`), file("server.crt"));
  copyFileSync(file(`${name}.key`), file("server.key"));
}

beforeAll(async () => {
  dir = await createWorldDir();
  for (const name of ["first", "second", "third"]) makeCertificate(name);
  install("first");
  world = await startEchoWorld({
    dir,
    listen: { tls: { cert: file("server.crt"), key: file("server.key"), minVersion: "TLSv1.3" } },
  });
  token = await world.token(DEVELOPER, "echo");
}, 60_000);
afterAll(() => world.stop());

const port = (): number => Number(world.endpoint("echo").port);

function peer(maxVersion: "TLSv1.2" | "TLSv1.3" = "TLSv1.3"): Promise<PeerCertificate> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port: port(), rejectUnauthorized: false, maxVersion });
    socket.once("error", reject).once("secureConnect", () => {
      resolve(socket.getPeerCertificate());
      socket.destroy();
    });
  });
}

const commonName = async (): Promise<unknown> => (await peer()).subject.CN;

async function status(): Promise<{ readonly tls: Readonly<Record<string, unknown>> }> {
  return (await (await fetch(`${world.gateway.adminUrl}/status`)).json()) as never;
}

describe("the MCP port over TLS", () => {
  it("serves every transport, and nothing in plain text", async () => {
    const discover = JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method: "server/discover",
      params: { _meta: modernMeta() },
    });
    const headers = {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
    };
    const posted = { ...headers, ...modernHeaders("server/discover") };
    expect(await ask("POST", "/echo/mcp", posted, discover)).toMatchObject({ status: 200 });
    const stream = await ask("GET", "/echo/mcp/sse", { ...headers, accept: "text/event-stream" });
    expect(stream.text).toMatch(/^event: endpoint\n/u);
    const url = `wss://127.0.0.1:${String(port())}/echo/mcp`;
    const socket = new WebSocket(url, "mcp", { headers, rejectUnauthorized: false });
    const answer = await new Promise<string>((resolve, reject) => {
      socket.once("error", reject).once("open", () => socket.send(discover));
      socket.once("message", (data: Buffer) => resolve(data.toString("utf8")));
    });
    expect(answer).toContain("supportedVersions");
    socket.terminate();
    await expect(fetch(world.endpoint("echo"))).rejects.toThrow();
    await expect(peer("TLSv1.2")).rejects.toThrow();
  });

  it("exchanges its certificate when the files change, and on a reload", async () => {
    expect(await commonName()).toBe("first");
    expect((await status()).tls).toMatchObject({ subject: "CN=first", rejected: 0 });
    install("second");
    await world.gateway.reload();
    expect(await commonName()).toBe("second");
    install("third");
    await expect.poll(commonName, { timeout: 15_000, interval: 200 }).toBe("third");
  }, 30_000);

  it("keeps the certificate where the new one cannot be used", async () => {
    install("third");
    await world.gateway.reload();
    const { fingerprint } = (await status()).tls;
    const before = Number((await status()).tls["rejected"]);
    writeFileSync(file("server.crt"), "not a certificate");
    await world.gateway.reload();
    copyFileSync(file("first.crt"), file("server.crt"));
    await world.gateway.reload();
    expect(await commonName()).toBe("third");
    const { tls } = await status();
    expect(tls["fingerprint"]).toBe(fingerprint);
    expect(Number(tls["rejected"])).toBeGreaterThanOrEqual(before + 2);
    expect(String(tls["lastRejection"])).toContain("no certificate with its key");
    expect(String(tls["lastRejection"])).not.toContain("BEGIN");
    expect(world.log.some((line) => line.includes("certificate refused"))).toBe(true);
    const metrics = await (await fetch(`${world.gateway.adminUrl}/metrics`)).text();
    expect(metrics).toMatch(/aegis_certificate_loads_total\{outcome="rejected"\} [2-9]/u);
  });
});

it("reads the certificate before anything starts, and names the file that cannot be used", async () => {
  const start = (cert: string, key: string): Promise<unknown> => {
    const tls = { cert: file(cert), key: file(key), minVersion: "TLSv1.3" } as const;
    // Whatever starts first would miss its part of the configuration.
    const config = { listen: { tls }, trust: { root: file("no-root.json") } } as unknown as ProcessConfig;
    return startGateway({ config, logger: createLogger({ level: "error" }), metrics: createMetrics() });
  };
  await expect(start("absent.crt", "first.key")).rejects.toThrow(/absent\.crt cannot be read$/u);
  await expect(start("first.crt", "second.key")).rejects.toThrow(/are no certificate with its key$/u);
});

function ask(
  method: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  body?: string,
): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const asked = request(
      { host: "127.0.0.1", port: port(), path, method, headers, rejectUnauthorized: false },
      (response) => {
        response.setEncoding("utf8").once("data", (text: string) => {
          resolve({ status: response.statusCode ?? 0, text });
          asked.destroy();
        });
      },
    );
    asked.on("error", reject).end(body);
  });
}
