// Certificates of the MCP port: what is taken, what is refused, and what a client certificate is needed for.
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:https";
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
