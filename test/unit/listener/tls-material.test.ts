// Certificates of the MCP port: what is taken, what is refused, and what a client certificate is needed for.
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:https";
import { connect } from "node:tls";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { openTlsMaterial, startHttpListener } from "../../../runtime/listener/index.ts";
import type { TlsFiles } from "../../../runtime/listener/index.ts";

const YEAR_MS = 366 * 24 * 3_600_000;
const dir = mkdtempSync(join(tmpdir(), "aegis-tls-"));
const at = (name: string): string => join(dir, name);
const files: TlsFiles = { cert: at("server.crt"), key: at("server.key"), minVersion: "TLSv1.2" };

function make(name: string): void {
  execFileSync(
    "openssl",
    [
      ...[
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "30",
      ],
      ...["-keyout", at(`${name}.key`), "-out", at(`${name}.crt`), "-subj", `/CN=${name}`],
    ],
    { stdio: "ignore" },
  );
}

function install(name: string): void {
  copyFileSync(at(`${name}.crt`), files.cert);
  copyFileSync(at(`${name}.key`), files.key);
}

beforeAll(() => {
  for (const name of ["a", "b", "client"]) make(name);
});
beforeEach(() => install("a"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

it("takes a new certificate, tells of it once, and not of the same one", async () => {
  const material = await openTlsMaterial(files, Date.now);
  const told: unknown[] = [];
  material.onActivated((context) => told.push(context.cert));
  expect(await material.reload()).toEqual({ kind: "unchanged" });
  install("b");
  expect(await material.reloadIfChanged()).toEqual({ kind: "activated" });
  expect(await material.reloadIfChanged()).toEqual({ kind: "unchanged" });
  expect(told).toEqual([readFileSync(at("b.crt"))]);
  expect(material.status()).toMatchObject({ subject: "CN=b", rejected: 0, lastRejection: null });
  expect(Date.parse(material.status().expiresAt)).toBeGreaterThan(Date.now());
});

it("refuses one that has expired or is not valid yet, and one without its key", async () => {
  let nowMs = Date.now();
  const material = await openTlsMaterial(files, () => nowMs);
  install("b");
  nowMs += YEAR_MS;
  expect(await material.reload()).toMatchObject({
    kind: "rejected",
    reason: expect.stringContaining("expired"),
  });
  nowMs -= 2 * YEAR_MS;
  expect(await material.reload()).toMatchObject({
    kind: "rejected",
    reason: expect.stringContaining("not valid before"),
  });
  copyFileSync(at("a.key"), files.key);
  expect((await material.reload()).kind).toBe("rejected");
  rmSync(files.key);
  expect(await material.reload()).toEqual({ kind: "rejected", reason: `${files.key} cannot be read` });
  expect(material.status()).toMatchObject({ subject: "CN=a", rejected: 4 });
});

it("does not start without a certificate that can be used", async () => {
  rmSync(files.cert);
  await expect(openTlsMaterial(files, Date.now)).rejects.toThrow(`${files.cert} cannot be read`);
});

it("asks for a client certificate where authorities are given", async () => {
  const tls = await openTlsMaterial({ ...files, ca: at("client.crt") }, Date.now);
  const listener = await startHttpListener({
    ...{ host: "127.0.0.1", port: 0, tls },
    handle: (inbound) => Promise.resolve(inbound.reply.json(200, "{}")),
  });
  const ask = (client: string | undefined): Promise<number> =>
    new Promise((resolve, reject) => {
      const shown =
        client === undefined
          ? {}
          : { cert: readFileSync(at(`${client}.crt`)), key: readFileSync(at(`${client}.key`)) };
      request(
        { host: "127.0.0.1", port: listener.port, rejectUnauthorized: false, agent: false, ...shown },
        (response) => {
          response.resume();
          resolve(response.statusCode ?? 0);
        },
      )
        .on("error", reject)
        .end();
    });
  try {
    expect(await ask("client")).toBe(200);
    await expect(ask(undefined)).rejects.toThrow();
    await expect(ask("b")).rejects.toThrow();
  } finally {
    await listener.close(0);
  }
});

interface Handshake {
  readonly isResumed: boolean;
  /** Common name of the certificate that the server showed; none where it was a resumption. */
  readonly shown: unknown;
  /** What a later handshake can go on from. */
  readonly session: Buffer;
}

/** One connection with a request, as TLS 1.3 sends tickets only after the handshake. */
function shake(port: number, version: "TLSv1.2" | "TLSv1.3", session?: Buffer): Promise<Handshake> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      ...{ host: "127.0.0.1", port, rejectUnauthorized: false, minVersion: version, maxVersion: version },
      ...{ cert: readFileSync(at("client.crt")), key: readFileSync(at("client.key")) },
      ...(session === undefined ? {} : { session }),
    });
    let latest = session;
    socket.on("session", (ticket: Buffer) => (latest = ticket));
    socket.once("error", reject);
    socket.once("secureConnect", () => {
      const isResumed = socket.isSessionReused();
      const shown = isResumed ? undefined : socket.getPeerCertificate().subject.CN;
      socket.write("GET /m HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
      let heard = "";
      socket.on("data", (chunk: Buffer) => (heard += chunk.toString("latin1")));
      socket.once("end", () => {
        // With TLS 1.3 the server judges a client certificate only after the client holds the handshake for done.
        if (latest === undefined || !heard.startsWith("HTTP/1.1 200")) reject(new Error("not served"));
        else resolve({ isResumed, shown, session: latest });
      });
    });
  });
}

it.each(["TLSv1.2", "TLSv1.3"] as const)(
  "shows a new certificate, and asks by new authorities, also where a client goes on from a session (%s)",
  async (version) => {
    copyFileSync(at("client.crt"), at("ca.crt"));
    const tls = await openTlsMaterial({ ...files, ca: at("ca.crt") }, Date.now);
    const listener = await startHttpListener({
      ...{ host: "127.0.0.1", port: 0, tls },
      handle: (inbound) => Promise.resolve(inbound.reply.json(200, "{}")),
    });
    try {
      const first = await shake(listener.port, version);
      expect(first).toMatchObject({ isResumed: false, shown: "a" });
      expect(await shake(listener.port, version, first.session)).toMatchObject({ isResumed: true });
      install("b");
      expect((await tls.reload()).kind).toBe("activated");
      const second = await shake(listener.port, version, first.session);
      expect(second).toMatchObject({ isResumed: false, shown: "b" });
      expect(await shake(listener.port, version, second.session)).toMatchObject({ isResumed: true });
      copyFileSync(at("a.crt"), at("ca.crt"));
      expect((await tls.reload()).kind).toBe("activated");
      await expect(shake(listener.port, version, second.session)).rejects.toThrow();
    } finally {
      await listener.close(0);
    }
  },
);

it.each([
  ["sends nothing more", ""],
  ["goes on sending", "\r\n"],
])("cuts a client that does not read by a reset of the connection below: it %s", async (_name, more) => {
  const material = await openTlsMaterial(files, Date.now);
  const cut = Promise.withResolvers<undefined>();
  const listener = await startHttpListener({
    host: "127.0.0.1",
    port: 0,
    handle: (inbound) => {
      inbound.onClosed(() => cut.resolve(undefined));
      inbound.reply.json(200, Buffer.alloc(24 * 1_048_576, "x"));
      return Promise.resolve();
    },
    tls: material,
    limits: { streamStallMs: 200 },
  });
  const client = connect({ host: "127.0.0.1", port: listener.port, rejectUnauthorized: false });
  const sending = setInterval(() => client.write(more), 25);
  try {
    client.pause();
    client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    await cut.promise;
    const failed = once(client, "error");
    clearInterval(sending);
    client.resume();
    expect((await failed)[0]).toMatchObject({ code: "ECONNRESET" });
    await expect.poll(listener.connectionCount).toBe(0);
  } finally {
    clearInterval(sending);
    client.destroy();
    await listener.close(0);
  }
});
