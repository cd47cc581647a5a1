// `aegis pin`: what is read from real servers, its one text form, and the differences a reviewer is shown.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { definitionDigest } from "#bundle";
import type { Era, TransportEntry } from "#bundle";
import type { JsonObject } from "#std";
import type { LiveListing } from "#upstream";
import { diffPins } from "../../../../compiler/registry/diff-pins.ts";
import { formatPins, pinContentOf, readPins, showHidden } from "../../../../compiler/registry/pin-content.ts";
import type { PinContent } from "../../../../compiler/registry/pin-content.ts";
import { pinServers } from "../../../../compiler/registry/pin-servers.ts";
import type { PinTarget } from "../../../../compiler/registry/pin-servers.ts";
import { DEMO_DIRECTORY, startDemo } from "../../demo/demo-process.ts";
import type { DemoProcess } from "../../demo/demo-process.ts";
import { json, resultFor, startRawHttpServer } from "../../upstream/raw-http-server.ts";
import type { Script } from "../../upstream/raw-http-server.ts";

const ROOT = join(import.meta.dirname, "../../../..");
const EVERYTHING = join(ROOT, "node_modules/@modelcontextprotocol/server-everything/dist/index.js");
const SCRIPTED = join(ROOT, "test/unit/upstream/programs/scripted-stdio.ts");
const http = (url: string): TransportEntry => ({ type: "streamable-http", url });
const stdio = (program: string, ...args: string[]): TransportEntry => ({ type: "stdio", program, args });

const PROGRAMS = new Map([
  ["demo-finance", { command: process.execPath, args: [join(DEMO_DIRECTORY, "finance-restricted.ts")] }],
  ["everything", { command: process.execPath, args: [EVERYTHING, "stdio"] }],
  ["scripted", { command: process.execPath, args: [SCRIPTED] }],
]);

async function pin(
  servers: readonly PinTarget[],
  timeoutMs = 20_000,
): Promise<Awaited<ReturnType<typeof pinServers>>> {
  return pinServers({ servers, programs: PROGRAMS, signal: AbortSignal.timeout(60_000), timeoutMs });
}

describe("reading real servers", () => {
  let demos: { readonly sql: DemoProcess; readonly jira: DemoProcess };
  beforeAll(async () => {
    const [sql, jira] = await Promise.all([startDemo("sql-prod"), startDemo("jira")]);
    demos = { sql, jira };
  });
  afterAll(async () => {
    await Promise.all([demos.sql.stop(), demos.jira.stop()]);
  });

  test("the template's pins are what the demo servers show, byte for byte", async () => {
    const outcomes = await pin([
      { id: "sql-prod", transport: http(demos.sql.url) },
      { id: "jira", transport: http(demos.jira.url) },
      { id: "finance-restricted", transport: stdio("demo-finance") },
    ]);
    for (const [id, outcome] of outcomes) {
      if (!outcome.ok) throw new Error(`${id}: ${outcome.error}`);
      expect(Object.keys(outcome.value.eras).sort()).toEqual(["legacy", "modern"]);
      const committed = await readFile(
        join(ROOT, "policy-repo-template/registry/pins", `${id}.json`),
        "utf8",
      );
      expect(formatPins(outcome.value)).toBe(committed);
    }
    expect(outcomes.size).toBe(3);
  });

  test("a legacy-only stdio server is pinned in its era; dead and foreign ones fail alone", async () => {
    const outcomes = await pin([
      { id: "dead", transport: http("http://127.0.0.1:9/mcp") },
      { id: "everything", transport: stdio("everything") },
      { id: "unmapped", transport: stdio("nobody-mapped-this") },
      { id: "dies", transport: stdio("scripted", "dies-at-once") },
      { id: "jira", transport: http(demos.jira.url) },
    ]);
    expect(outcomes.get("dead")).toMatchObject({ ok: false, error: "the connection failed (ECONNREFUSED)" });
    expect(outcomes.get("unmapped")).toMatchObject({
      ok: false,
      error: 'no executable is configured for program "nobody-mapped-this"',
    });
    expect(outcomes.get("dies")).toMatchObject({
      ok: false,
      error: expect.stringContaining("exit code 3") as unknown,
    });
    expect(outcomes.get("jira")?.ok).toBe(true);
    const everything = outcomes.get("everything");
    expect(everything?.ok === true && Object.keys(everything.value.eras)).toEqual(["legacy"]);
  });

  test("two readings give the same bytes", async () => {
    const texts = [];
    for (let round = 0; round < 2; round++) {
      const outcome = (await pin([{ id: "everything", transport: stdio("everything") }])).get("everything");
      texts.push(outcome?.ok === true ? formatPins(outcome.value) : outcome?.error);
    }
    expect(texts[0]).toBe(texts[1]);
    expect(formatPins(readPins(texts[0] ?? ""))).toBe(texts[0]);
  });
});

describe("era probes and bad lists", () => {
  const discover = { supportedVersions: ["2026-07-28"], capabilities: { tools: {} }, resultType: "complete" };
  const initialize = { protocolVersion: "2025-11-25", capabilities: { tools: {} }, serverInfo: {} };
  const listing =
    (tools: unknown[], rest: Record<string, unknown> = {}): Script =>
    (request, response) => {
      if (request.method !== "POST" || request.body.id === undefined)
        return void response.writeHead(request.method === "GET" ? 405 : 202).end();
      const result =
        request.body.method === "server/discover"
          ? discover
          : request.body.method === "initialize"
            ? initialize
            : { tools, ...rest };
      json(response, resultFor(request, result));
    };
  const refusing =
    (status: number): Script =>
    (request, response) => {
      if (request.body.method === "server/discover") return void response.writeHead(status).end();
      return listing([{ name: "t" }])(request, response);
    };

  async function pinRaw(script: Script, timeoutMs?: number): Promise<string> {
    const server = await startRawHttpServer(script);
    const outcome = (await pin([{ id: "raw", transport: http(server.url) }], timeoutMs)).get("raw");
    await server.close();
    return outcome?.ok === true
      ? Object.keys(outcome.value.eras).sort().join("+")
      : (outcome?.error ?? "nothing");
  }

  test.each([400, 404, 405, 415])("HTTP %d to the probe means legacy", async (status) => {
    expect(await pinRaw(refusing(status))).toBe("legacy");
  });

  // An outage must not turn into a pin of the older era.
  test.each([401, 403, 429, 500, 503])(
    "HTTP %d to the probe is a failure, not a downgrade",
    async (status) => {
      expect(await pinRaw(refusing(status))).toBe(`HTTP status ${String(status)}`);
    },
  );

  test.each<[string, Script, string]>([
    ["a name listed twice", listing([{ name: "t" }, { name: "t" }]), 'tools/list lists "t" twice'],
    ["an item without a name", listing([{ title: "t" }]), "tools/list lists an item without a name"],
    ["pages in a circle", listing([], { nextCursor: "again" }), "tools/list pages in a circle"],
    ["no list", listing([], { tools: 5 }), "tools/list answered without tools"],
  ])("%s", async (_name, script, error) => {
    expect(await pinRaw(script)).toBe(error);
  });

  test("a server that never answers fails within its time", async () => {
    expect(await pinRaw(() => undefined, 300)).toBe("not done within 1 s");
  });

  test("all pages are read", async () => {
    const pages: Script = (request, response) => {
      const cursor = request.body.params?.["cursor"];
      if (request.body.method !== "tools/list") return listing([])(request, response);
      const page = cursor === undefined ? 0 : Number(cursor);
      json(
        response,
        resultFor(request, {
          tools: [{ name: `t${String(page)}` }],
          ...(page < 3 ? { nextCursor: String(page + 1) } : {}),
        }),
      );
    };
    const server = await startRawHttpServer(pages);
    const outcome = (await pin([{ id: "raw", transport: http(server.url) }])).get("raw");
    await server.close();
    expect(outcome?.ok === true && outcome.value.entries.map((entry) => [entry.name, entry.eras])).toEqual(
      ["t0", "t1", "t2", "t3"].map((name) => [name, ["legacy", "modern"]]),
    );
  });
});

function contentOf(tools: readonly JsonObject[], eras: readonly Era[] = ["modern"]): PinContent {
  const listings = eras.map((era): LiveListing => {
    const definitions = tools.map((definition) => ({
      kind: "tool" as const,
      name: String(definition["name"]),
      digest: definitionDigest(definition),
      definition,
    }));
    return { era, entry: { protocolVersion: era, capabilities: {}, serverInfo: {} }, definitions };
  });
  return pinContentOf("s", listings);
}

describe("text form", () => {
  test("eras that show the same definition share an entry; different ones have their own", () => {
    const legacy = contentOf([{ name: "b" }, { name: "a" }], ["legacy", "modern"]);
    expect(legacy.entries.map((entry) => [entry.name, entry.eras])).toEqual([
      ["a", ["legacy", "modern"]],
      ["b", ["legacy", "modern"]],
    ]);
    const entry = { protocolVersion: "x", capabilities: {}, serverInfo: {} };
    const one = (era: Era, description: string): LiveListing => {
      const definition = { name: "t", description };
      return {
        era,
        entry,
        definitions: [{ kind: "tool", name: "t", digest: definitionDigest(definition), definition }],
      };
    };
    expect(pinContentOf("s", [one("modern", "new"), one("legacy", "old")]).entries).toHaveLength(2);
  });

  test("hidden characters are escapes in the file and themselves in the value; numbers keep their digits", () => {
    const content = contentOf([{ name: "t", description: "a\u200bb\u202ec\u{e0041}d", big: 1 }]);
    const text = formatPins(content).replace('"big": 1', '"big": 9007199254740993');
    expect(text).toContain('"a\\u200bb\\u202ec\\udb40\\udc41d"');
    expect(readPins(text).entries[0]?.definition["description"]).toBe("a\u200bb\u202ec\u{e0041}d");
    expect(formatPins(readPins(text))).toBe(text);
  });

  test.each([
    "",
    "{}",
    '{"formatVersion":2,"server":"s"}',
    '{"formatVersion":1,"server":"s","tools":[{}]}',
    '{"formatVersion":1,"formatVersion":1,"server":"s"}',
  ])("%j is no pin file", (text) => {
    expect(() => readPins(text)).toThrow();
  });

  test("visible text is left alone", () => {
    expect(showHidden("plain text, grüße 漢字 🙂")).toBe("plain text, grüße 漢字 🙂");
  });
});

describe("differences", () => {
  const schema = { type: "object" };
  const before = contentOf(
    [
      { name: "kept", description: "same" },
      { name: "t", description: "good", inputSchema: schema, annotations: { readOnlyHint: true } },
      { name: "z" },
    ],
    ["legacy", "modern"],
  );

  test("none", () => {
    expect(diffPins(before, before)).toEqual([]);
  });

  test("each aspect by name, both eras as one change, hidden characters visible", () => {
    const after = contentOf(
      [
        { name: "kept", description: "same" },
        { name: "new" },
        {
          name: "t",
          description: "go\u200bod",
          inputSchema: { type: "object", required: ["x"] },
          execution: {},
        },
      ],
      ["legacy", "modern"],
    );
    const eras = ["legacy", "modern"];
    const lines = diffPins(before, after).map(
      (change) =>
        `${change.what} ${change.impact} ${change.leaf?.name ?? ""}${change.pointer} ${change.message}`,
    );
    expect(lines).toEqual([
      "added widens new tool added",
      "removed widens t/annotations/readOnlyHint readOnlyHint changed from true to absent",
      "changed text t/description description changed: [-good-] {+go⟨U+200B⟩od+}",
      "added widens t/execution execution added",
      "changed breaks t/inputSchema/required x: is required now",
      "removed breaks z tool removed",
    ]);
    expect(diffPins(before, after).every((change) => change.eras.length === eras.length)).toBe(true);
  });

  test("an era that came or went", () => {
    const oneEra = contentOf([{ name: "kept", description: "same" }], ["modern"]);
    const bothEras = contentOf([{ name: "kept", description: "same" }], ["legacy", "modern"]);
    expect(diffPins(oneEra, bothEras)).toMatchObject([
      { what: "added", aspect: "announcement", eras: ["legacy"] },
      { what: "added", aspect: "leaf", eras: ["legacy"] },
    ]);
    expect(diffPins(bothEras, oneEra)).toMatchObject([
      { what: "removed", aspect: "announcement", eras: ["legacy"] },
      { what: "removed", aspect: "leaf" },
    ]);
  });
});
