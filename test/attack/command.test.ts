// `npm run attack` as a process: what it refuses to start with, what it makes of a target, and what the documentation shows.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startEchoWorld } from "../e2e/echo-world.ts";
import type { EchoWorld } from "../e2e/echo-world.ts";
import { DEVELOPER } from "../e2e/gateway-world.ts";

let world: EchoWorld;
let token: string;
beforeAll(async () => {
  world = await startEchoWorld();
  token = await world.token(DEVELOPER, "echo");
});
afterAll(() => world.stop());

async function attack(...args: readonly string[]) {
  const child = spawn(process.execPath, [join(import.meta.dirname, "main.ts"), ...args], {
    env: { ...process.env, TOKEN: token, BAD: "not-a-token" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let out = "";
  let err = "";
  child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString("utf8")));
  child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString("utf8")));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, out, err };
}

it.each([
  ["a refused token", ["--token", "env:BAD"], /answers 401 .* refuses the token; give one/u],
  ["no token where one is wanted", [], /answers 401 .* wants a token \(--token/u],
  ["a file that is not there", ["--token", "file:/nope"], /cannot read the token: ENOENT/u],
  [
    "an unknown offer",
    ["--offers", "legacyy"],
    /legacyy \(did you mean legacy\?\); it knows modern, legacy/u,
  ],
  ["an offer like no other", ["--offers", "foo"], /does not know foo; it knows modern, legacy/u],
  ["a pattern that is none", ["--only", "["], /--only: /u],
])("%s is one line and exit 2", async (_name, args, text) => {
  const { code, out, err } = await attack("--url", world.endpoint("echo").href, ...args);
  expect(err).toMatch(text);
  expect(err.trim().split("\n")).toHaveLength(1);
  expect({ code, out }).toEqual({ code: 2, out: "" });
});

it("ends as docs/attack-corpus.md shows", async () => {
  const page = await readFile(join(import.meta.dirname, "..", "..", "docs", "attack-corpus.md"), "utf8");
  const shown = /^\d+ cases at .*$/mu.exec(page)?.[0];
  const { code, err } = await attack(
    ...["--url", world.endpoint("echo").href, "--token", "env:TOKEN", "--offers", "streams"],
  );
  expect(err.trim()).toBe(shown);
  expect(code).toBe(0);
});

it("attacks a server of 2025-11-25 alone with its own requests", async () => {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on("data", (piece: Buffer) => void pieces.push(piece));
    request.on("end", () => {
      const isModern = request.headers["mcp-protocol-version"] === "2026-07-28";
      if (!isModern) seen.push(String(request.headers["mcp-session-id"]));
      const isOpening = Buffer.concat(pieces).includes('"initialize"');
      response.writeHead(isOpening && !isModern ? 200 : 400, isOpening ? { "mcp-session-id": "s1" } : {});
      response.end("{}");
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/mcp`;
    const { err } = await attack("--url", url, "--expect", "refusal", "--only", "^J");
    const [cases, passed, failed, inapplicable] = (err.match(/\d+(?= (?:cases|pass|fail|not))/gu) ?? []).map(
      Number,
    );
    expect(err).toContain("at 2025-11-25");
    expect(inapplicable).toBe(1);
    expect((passed ?? 0) + (failed ?? 0)).toBe((cases ?? 0) - 1);
    expect(passed).toBeGreaterThan(60);
    expect(seen.filter((session) => session === "s1").length).toBeGreaterThan(60);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
