// `npm run attack` as a process: what it refuses to start with, what it makes of a target, and what the documentation shows.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
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

type Handler = (request: IncomingMessage, response: ServerResponse) => void;
interface Row {
  readonly id: string;
  readonly outcome: string;
  readonly reason: string;
}

async function withServer(handler: Handler, use: (url: string) => Promise<void>): Promise<void> {
  const server = createServer(handler);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    await use(`http://127.0.0.1:${String((server.address() as AddressInfo).port)}/mcp`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
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
  ["arguments that are not JSON", ["--arguments", "nojson"], /^error: --arguments is not JSON: .*nojson/u],
  [
    "arguments that are a list",
    ["--flood-arguments", "[1]"],
    /--flood-arguments is not a JSON object, such/u,
  ],
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

it("says which schemes it takes", async () => {
  const { code, err } = await attack("--url", "ws://127.0.0.1:1/mcp");
  expect(err).toMatch(/^error: --url is ws:\/\/, and http and https are supported: .* HTTP\/1\.1/u);
  expect(code).toBe(2);
});

it("lists what cannot be aimed at a URL, with the reason", async () => {
  const { out } = await attack(
    ...["--url", world.endpoint("echo").href, "--token", "env:TOKEN", "--only", "^(?:J16|T2[789]|T32)"],
    ...["--format", "json"],
  );
  const { results } = JSON.parse(out) as { results: readonly Row[] };
  const attacks = new Set(results.map(({ id }) => id.slice(0, 3)));
  expect([...attacks].toSorted()).toEqual(["J16", "T27", "T28", "T29", "T32"]);
  expect(results.every(({ outcome }) => outcome === "not-applicable")).toBe(true);
  expect(results[0]?.reason).toMatch(/needs a hostile server behind the target/u);
});

describe("where the ordinary requests do not work", () => {
  const refuseAll: Handler = (_request, response) => void response.writeHead(400).end("{}");
  const emptyPage: Handler = (_request, response) => void response.writeHead(200).end("<p>hello</p>");
  const silent: Handler = () => undefined;
  it.each([
    ["refuses everything", refuseAll, /came back: status 400, body "\{\}"/u],
    ["is no MCP endpoint", emptyPage, /came back: status 200, body "<p>hello<\/p>"/u],
    ["never answers", silent, /came back: no complete answer within 300 ms/u],
  ])("a target that %s is one error, and nothing is judged", async (_name, handler, text) => {
    await withServer(handler, async (url) => {
      const { code, out, err } = await attack("--url", url, "--timeout", "300");
      expect(err).toMatch(text);
      expect(err).toMatch(/sent T00-list, POST \/mcp tools\/list of 2026-07-28; .* Check that the path/u);
      expect(err.trim().split("\n")).toHaveLength(1);
      expect({ code, out }).toEqual({ code: 2, out: "" });
    });
  });

  it("a wrong path of a gateway is that error too", async () => {
    const url = new URL("/nowhere/mcp", world.endpoint("echo")).href;
    const { code, err } = await attack("--url", url, "--token", "env:TOKEN");
    expect(err).toMatch(/POST \/nowhere\/mcp tools\/list .* came back: status 404/u);
    expect(code).toBe(2);
  });

  it("a tool that the target does not have is that error too", async () => {
    const url = world.endpoint("echo").href;
    const { code, err } = await attack("--url", url, "--token", "env:TOKEN", "--tool", "nothing");
    expect(err).toMatch(/sent T00-call, .* --tool and --arguments are a call that it allows/u);
    expect(code).toBe(2);
  });

  it.each([["modern"], ["legacy"]])(
    "--anyway gives every case a row, of a target that never answers, as %s",
    async (era) => {
      await withServer(silent, async (url) => {
        const { code, out, err } = await attack(
          ...[
            "--url",
            url,
            "--timeout",
            "100",
            "--anyway",
            "--offers",
            era,
            "--only",
            "^(?:T00|T01|T30|J01)",
          ],
        );
        expect(out).toMatch(/^T01-origin\s+fail\s+-\s.*no complete answer within 100 ms/mu);
        expect(out).toMatch(/^T30-\S+\s+fail\s/mu);
        // An HTTP server of Node answers one of them by itself: no Host.
        expect(out).not.toMatch(/^(?!T01-host-missing)\S+\s+pass\s/mu);
        expect(err).toMatch(/^\d+ cases at .* \d\d+ fail, /u);
        expect(code).toBe(1);
      });
    },
  );
});

it("attacks a server of 2025-11-25 alone with its own requests", async () => {
  const seen: string[] = [];
  const openOnly: Handler = (request, response) => {
    const pieces: Buffer[] = [];
    request.on("data", (piece: Buffer) => void pieces.push(piece));
    request.on("end", () => {
      const isModern = request.headers["mcp-protocol-version"] === "2026-07-28";
      if (!isModern) seen.push(String(request.headers["mcp-session-id"]));
      const isOpening = Buffer.concat(pieces).includes('"initialize"');
      response.writeHead(isOpening && !isModern ? 200 : 400, isOpening ? { "mcp-session-id": "s1" } : {});
      response.end("{}");
    });
  };
  await withServer(openOnly, async (url) => {
    const { err } = await attack("--url", url, "--expect", "refusal", "--only", "^J", "--anyway");
    const [cases, passed, failed, inapplicable] = (err.match(/\d+(?= (?:cases|pass|fail|not))/gu) ?? []).map(
      Number,
    );
    expect(err).toContain("at 2025-11-25");
    // One that 2025-11-25 has not, and what a server would answer (J16).
    expect(inapplicable).toBeGreaterThan(1);
    expect((passed ?? 0) + (failed ?? 0)).toBe((cases ?? 0) - (inapplicable ?? 0));
    expect(passed).toBeGreaterThan(60);
    expect(seen.filter((session) => session === "s1").length).toBeGreaterThan(60);
  });
});
