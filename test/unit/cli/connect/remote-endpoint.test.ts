// Real sockets and real certificates: what is said of a gateway that cannot be reached, or that hangs up.
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer as createTlsServer } from "node:tls";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { tlsRemedyOf } from "../../../../cli/connect/connection-fault.ts";
import { discoverAuthorizationServer } from "../../../../cli/connect/login/authorization-server.ts";
import { createRemoteEndpoint } from "../../../../cli/connect/remote-endpoint.ts";
import type { RemoteEndpoint } from "../../../../cli/connect/remote-endpoint.ts";

let dir: string;
let endpoint: RemoteEndpoint | undefined;
const servers: Server[] = [];
const sockets: Socket[] = [];
const notes: string[] = [];

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "aegis-connect-tls-"));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));
afterEach(async () => {
  await endpoint?.close();
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) server.close();
  notes.splice(0);
});

/** A certificate that signs itself, for one name. */
function certificate(name: string, ...more: readonly string[]) {
  const key = join(dir, `${name}.key`);
  const cert = join(dir, `${name}.crt`);
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const out = ["-keyout", key, "-out", cert, "-subj", `/CN=${name}`, ...more];
  execFileSync("openssl", ["req", "-x509", ...curve, ...out], { stdio: "ignore" });
  return { key: readFileSync(key), cert: readFileSync(cert) };
}

async function portOf<T extends Server>(server: T): Promise<number> {
  servers.push(server);
  server.on("connection", (socket: Socket) => sockets.push(socket.on("error", () => undefined)));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

/** The fault of one POST. */
async function faultAt(url: string): Promise<unknown> {
  const tokens = { current: () => Promise.resolve("t"), renew: () => Promise.reject(new Error("no login")) };
  endpoint = createRemoteEndpoint(new URL(url), tokens, (text) => notes.push(text), [1, 1]);
  const request = { method: "POST", headers: {}, body: "{}" } as const;
  return endpoint.send(request, AbortSignal.timeout(5_000)).catch((fault: unknown) => fault);
}

it("says of a port that no fetch connects to that nothing was sent, at once", async () => {
  expect(await faultAt("http://127.0.0.1:9/mcp")).toMatchObject({
    code: "GATEWAY_UNREACHABLE",
    message: "cannot reach 127.0.0.1:9 (bad port)",
    remedy: "HTTP clients never connect to this port; serve the gateway on another",
  });
  expect(notes).toEqual([]);
});

describe("over TLS, nothing was sent", () => {
  const tlsPort = (options: object): Promise<number> => portOf(createTlsServer(options));

  it("to a certificate of an authority that is not trusted, and says how to trust it", async () => {
    const port = await tlsPort(certificate("self", "-addext", "subjectAltName=IP:127.0.0.1"));
    expect(await faultAt(`https://127.0.0.1:${String(port)}/mcp`)).toMatchObject({
      code: "GATEWAY_UNREACHABLE",
      message: `cannot reach 127.0.0.1:${String(port)} (DEPTH_ZERO_SELF_SIGNED_CERT)`,
      remedy: expect.stringContaining("NODE_EXTRA_CA_CERTS") as string,
    });
    expect(notes).toEqual([]);
  });

  it("to a port that speaks plain HTTP", async () => {
    const port = await portOf(createHttpServer());
    expect(await faultAt(`https://127.0.0.1:${String(port)}/mcp`)).toMatchObject({
      code: "GATEWAY_UNREACHABLE",
      message: expect.stringContaining("ERR_SSL_") as string,
      remedy: expect.stringContaining("speaks no TLS") as string,
    });
    expect(notes).toEqual([]);
  });

  it("to a port that hangs up within the handshake, which is tried again", async () => {
    const port = await portOf(createServer((socket) => socket.once("data", () => socket.end())));
    expect(await faultAt(`https://127.0.0.1:${String(port)}/mcp`)).toMatchObject({
      code: "GATEWAY_UNREACHABLE",
      message: `cannot reach 127.0.0.1:${String(port)} (ECONNRESET)`,
    });
    expect(sockets).toHaveLength(3);
    expect(notes).toHaveLength(1);
  });

  it("is said of what names the authorization server, with the reason", async () => {
    const port = await tlsPort(certificate("login", "-addext", "subjectAltName=IP:127.0.0.1"));
    const challenge = { resourceMetadataUrl: undefined, scope: undefined };
    const url = new URL(`https://127.0.0.1:${String(port)}/mcp`);
    await expect(
      discoverAuthorizationServer(url, challenge, AbortSignal.timeout(5_000)),
    ).rejects.toMatchObject({
      code: "LOGIN_FAILED",
      message: `cannot reach 127.0.0.1:${String(port)} (DEPTH_ZERO_SELF_SIGNED_CERT)`,
      remedy: expect.stringContaining("NODE_EXTRA_CA_CERTS") as string,
    });
  });
});

it("says of a connection that breaks behind its request that the gateway may have seen it", async () => {
  const port = await portOf(createServer((socket) => socket.once("data", () => socket.resetAndDestroy())));
  expect(await faultAt(`http://127.0.0.1:${String(port)}/mcp`)).toMatchObject({
    code: "CONNECTION_LOST",
    message: `lost the connection to 127.0.0.1:${String(port)} (ECONNRESET)`,
  });
  expect(sockets).toHaveLength(1);
});

it.each([
  ["ERR_TLS_CERT_ALTNAME_INVALID", "host name"],
  ["CERT_HAS_EXPIRED", "renewed"],
  ["CERT_NOT_YET_VALID", "clock"],
  ["SELF_SIGNED_CERT_IN_CHAIN", "NODE_EXTRA_CA_CERTS"],
  ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "NODE_EXTRA_CA_CERTS"],
  ["UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "NODE_EXTRA_CA_CERTS"],
  ["CERT_SIGNATURE_FAILURE", "NODE_EXTRA_CA_CERTS"],
  ["ERR_SSL_WRONG_VERSION_NUMBER", "speaks no TLS"],
  ["ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION", "versions of TLS"],
  ["ECONNREFUSED", undefined],
])("has a remedy for %s", (code, part) => {
  const fault = new TypeError("fetch failed", { cause: Object.assign(new Error("x"), { code }) });
  const remedy = tlsRemedyOf(fault);
  if (part === undefined) expect(remedy).toBeUndefined();
  else expect(remedy).toContain(part);
});
