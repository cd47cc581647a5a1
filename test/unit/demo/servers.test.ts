// The demo servers, through real SDK clients of both eras: they do what the demonstration says of them, unprotected.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DEMO_DIRECTORY, startDemo } from "./demo-process.ts";
import type { DemoProcess } from "./demo-process.ts";

const ERAS = ["modern", "legacy"] as const;
type EraName = (typeof ERAS)[number];

async function connect(url: string, era: EraName): Promise<Client> {
  const client = new Client(
    { name: "test", version: "1" },
    { versionNegotiation: { mode: era === "modern" ? "auto" : "legacy" } },
  );
  await client.connect(new StreamableHTTPClientTransport(new URL(url)));
  return client;
}

describe("sql-prod", () => {
  let demo: DemoProcess;
  beforeAll(async () => {
    demo = await startDemo("sql-prod");
  });
  afterAll(async () => {
    expect(await demo.stop()).toBe(0);
  });

  test.each(ERAS)("%s: runs SQL, counts, reports errors in the result", async (era) => {
    const client = await connect(demo.url, era);
    const before = (await demo.calls())["sql.query"] ?? 0;
    const good = await client.callTool({
      name: "sql.query",
      arguments: { sql: "SELECT name FROM customers WHERE country = 'GB' ORDER BY name" },
    });
    expect(good.structuredContent).toEqual({
      rows: [{ name: "Ada Lovelace" }, { name: "Alan Turing" }],
      rowCount: 2,
    });
    expect(JSON.parse((good.content as { text: string }[])[0]?.text ?? "")).toEqual(good.structuredContent);
    const bad = await client.callTool({ name: "sql.query", arguments: { sql: "SELECT nonsense" } });
    expect(bad.isError).toBe(true);
    expect((await demo.calls())["sql.query"]).toBe(before + 2);
    await client.close();
  });

  test("protects nothing by itself", async () => {
    const client = await connect(demo.url, "modern");
    await client.callTool({
      name: "sql.query",
      arguments: { sql: "create table doomed (id int); select 1; drop table doomed" },
    });
    const gone = await client.callTool({ name: "sql.query", arguments: { sql: "select * from doomed" } });
    expect(gone.isError).toBe(true);
    await client.close();
  });
});

describe("jira", () => {
  let demo: DemoProcess;
  beforeAll(async () => {
    demo = await startDemo("jira");
  });
  afterAll(async () => {
    expect(await demo.stop()).toBe(0);
  });

  test.each(ERAS)("%s: search, resources, template, prompt, completion, progress", async (era) => {
    const client = await connect(demo.url, era);
    const found = await client.callTool({
      name: "jira.search",
      arguments: { jql: "project = OPS and text ~ keys" },
    });
    expect(found.structuredContent).toMatchObject({
      key: "OPS-18",
      assignee: { email: "ada.lovelace@example.com" },
    });
    const { resources } = await client.listResources();
    expect(resources.map((resource) => resource.uri)).toEqual(["jira://projects/OPS", "jira://projects/FIN"]);
    const { resourceTemplates } = await client.listResourceTemplates();
    expect(resourceTemplates.map((template) => template.uriTemplate)).toEqual(["jira://tickets/{key}"]);
    const read = await client.readResource({ uri: "jira://tickets/FIN-4" });
    expect(JSON.stringify(read.contents)).toContain("cost centres");
    const prompt = await client.getPrompt({ name: "jira.summarise", arguments: { key: "FIN-4" } });
    expect(JSON.stringify(prompt.messages)).toContain("FIN-4");
    const ref = { type: "ref/prompt", name: "jira.summarise" } as const;
    const completed = await client.complete({ ref, argument: { name: "key", value: "OPS" } });
    expect(completed.completion.values).toEqual(["OPS-17", "OPS-18"]);
    const seen: number[] = [];
    await client.callTool(
      { name: "jira.reindex", arguments: { project: "OPS" } },
      { onprogress: ({ progress }) => seen.push(progress) },
    );
    expect(seen).toEqual([1, 2, 3, 4, 5]);
    await client.close();
  });

  test.each(ERAS)(
    "%s: the control endpoint changes a description in an open session, and nothing else can",
    async (era) => {
      const client = await connect(demo.url, era);
      const description = async (): Promise<string | undefined> =>
        (await client.listTools(undefined, { cacheMode: "refresh" } as never)).tools.find(
          (tool) => tool.name === "jira.search",
        )?.description;
      const original = await description();
      expect(await demo.control("/tools/jira.search/description", { description: "changed" })).toBe(200);
      expect(await description()).toBe("changed");
      expect(await demo.control("/tools/jira.search/description", { description: null })).toBe(200);
      expect(await description()).toBe(original);
      expect(await demo.control("/tools/other/description", { description: "x" })).toBe(404);
      await client.close();
    },
  );

  test("a foreign Host is refused on both listeners", async () => {
    const { request } = await import("node:http");
    const status = await new Promise((resolve) => {
      request(demo.url, { method: "POST", headers: { host: "evil.example" } }, (response) =>
        resolve(response.statusCode),
      ).end();
    });
    expect(status).toBe(403);
  });
});

describe("finance-restricted", () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "aegis-demo-"));
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  test.each(ERAS)("%s: transfers over stdio and leaves a line for each call", async (era) => {
    const callsFile = join(directory, `${era}.jsonl`);
    const client = new Client(
      { name: "test", version: "1" },
      { versionNegotiation: { mode: era === "modern" ? "auto" : "legacy" } },
    );
    const args = [join(DEMO_DIRECTORY, "finance-restricted.ts"), "--calls-file", callsFile];
    await client.connect(new StdioClientTransport({ command: process.execPath, args }));
    const done = await client.callTool({
      name: "finance.wire_transfer",
      arguments: { amount: 12.5, to_account: "DE02120300000000202051" },
    });
    expect(done.structuredContent).toMatchObject({ amount: 12.5, to_account: "DE02120300000000202051" });
    await client.close();
    const lines = (await readFile(callsFile, "utf8")).trim().split("\n");
    expect(lines.map((line) => (JSON.parse(line) as { tool: string }).tool)).toEqual([
      "finance.wire_transfer",
    ]);
  });
});
