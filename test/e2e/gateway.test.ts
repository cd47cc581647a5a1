// The template repository behind a real gateway, used by the real clients of both SDK generations.
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connectLegacy, connectModern, openLegacy, openModern } from "./clients.ts";
import type { McpClient } from "./clients.ts";
import { editedTemplate } from "./edited-template.ts";
import { rawCall, rawRequest } from "./raw-call.ts";
import { DEVELOPER, EMPLOYEE, EXTERNAL, startWorld } from "./world.ts";
import type { Caller, World } from "./world.ts";

const ASSIGNEE = "grace.hopper@example.com";
const CANARY = "canary-4b1f9c";
const SQL_LIMIT = 20;
const connectors = { "1.x": connectLegacy, "2.x": connectModern } as const;
const openers = { "1.x": openLegacy, "2.x": openModern } as const;
const ERAS = ["1.x", "2.x"] as const;

let world: World;

beforeAll(async () => {
  world = await startWorld({
    workspace: editedTemplate({
      "tests/access_test.yaml": (text) => text.replace(/\n {6}reindex: .*/u, ""),
      "policies/baseline.yaml": (text) => text.replace('"jira.search", ', '"jira.search", "jira.reindex", '),
      "policies/jira.yaml": (text) =>
        text.replace(
          'tools: ["jira.search"]',
          [
            'tools: ["jira.search", "jira.reindex"]',
            '  resources: ["jira://projects/OPS", "jira://tickets/{key}"]',
            '  prompts: ["jira.summarise"]',
          ].join("\n"),
        ),
      "limits.yaml": (text) => text.replace("limit: 120", `limit: ${SQL_LIMIT}`),
    }),
    gateway: { logLevel: "debug" },
  });
});

afterAll(() => world.stop());

async function using<T>(
  sdk: keyof typeof connectors,
  caller: Caller,
  server: string,
  action: (client: McpClient) => Promise<T>,
): Promise<T> {
  const client = await connectors[sdk](world.endpoint(server), await world.token(caller, server));
  try {
    return await action(client);
  } finally {
    await client.close();
  }
}

describe.each(ERAS)("client %s", (sdk) => {
  it("lists what the caller may reach, and calls it", async () => {
    const before = await world.servers.calls("sql-prod");
    await using(sdk, DEVELOPER, "sql-prod", async (client) => {
      expect((await client.listTools()).map((tool) => tool.name)).toEqual(["sql.query"]);
      const outcome = await client.callTool("sql.query", {
        sql: `SELECT name, '${CANARY}' AS note FROM customers ORDER BY id LIMIT 1`,
      });
      expect(outcome).toMatchObject({ kind: "result", structured: { rows: [{ name: "Ada Lovelace" }] } });
    });
    expect(await world.servers.calls("sql-prod")).toBe(before + 1);
  });

  it.each([
    ["a second statement", DEVELOPER, "sql-prod", "sql.query", { sql: "select 1; drop table customers" }],
    ["a role without a grant", EMPLOYEE, "sql-prod", "sql.query", { sql: "SELECT 1" }],
    ["external staff", EXTERNAL, "jira", "jira.search", { jql: "OPS" }],
    [
      "what deny names",
      DEVELOPER,
      "finance-restricted",
      "finance.wire_transfer",
      { amount: 1, to_account: "DE02120300000000202051" },
    ],
  ] as const)(
    "is told why %s is denied, and nothing arrives upstream",
    async (_why, caller, server, tool, args) => {
      const before = await world.servers.calls(server);
      const outcome = await using(sdk, caller, server, (client) => client.callTool(tool, args));
      expect(outcome).toMatchObject({ kind: "error", code: 4030, data: { code: "POLICY_DENIED" } });
      expect(outcome.text).toMatch(/Denied by policy: .+/);
      expect(outcome.data?.["decisionId"]).toMatch(/^[0-9a-f-]{36}$/);
      expect(await world.servers.calls(server)).toBe(before);
    },
  );

  it("sees no list entry that no call of its own could reach", async () => {
    expect(await using(sdk, EXTERNAL, "jira", (client) => client.listTools())).toEqual([]);
    expect(await using(sdk, DEVELOPER, "finance-restricted", (client) => client.listTools())).toEqual([]);
  });

  it("gets no copy of a redacted e-mail address", async () => {
    const outcome = await using(sdk, EMPLOYEE, "jira", (client) =>
      client.callTool("jira.search", { jql: "OPS-17" }),
    );
    expect(outcome).toMatchObject({
      kind: "result",
      structured: { key: "OPS-17", assignee: { name: "Grace Hopper", email: "[redacted]" } },
    });
    expect(JSON.stringify(outcome)).not.toContain(ASSIGNEE);
    expect(JSON.parse(outcome.text)).toMatchObject({ assignee: { email: "[redacted]" } });
  });

  it("reads granted resources and prompts, and no others", async () => {
    const client = await openers[sdk](world.endpoint("jira"), await world.token(EMPLOYEE, "jira"));
    const { resources } = await client.listResources();
    expect(resources.map((resource) => resource.uri)).toEqual(["jira://projects/OPS"]);
    const { resourceTemplates } = await client.listResourceTemplates();
    expect(resourceTemplates.map((template) => template.uriTemplate)).toEqual(["jira://tickets/{key}"]);
    expect((await client.listPrompts()).prompts.map((prompt) => prompt.name)).toEqual(["jira.summarise"]);
    const project = await client.readResource({ uri: "jira://projects/OPS" });
    expect(JSON.stringify(project.contents)).toContain("Operations");
    const ticket = await client.readResource({ uri: "jira://tickets/FIN-4" });
    expect(JSON.stringify(ticket.contents)).toContain("Quarterly export");
    await expect(client.readResource({ uri: "jira://projects/FIN" })).rejects.toMatchObject({ code: 4030 });
    await expect(client.readResource({ uri: "jira://tickets/../projects/FIN" })).rejects.toMatchObject({
      code: sdk === "1.x" ? -32002 : -32602,
    });
    const prompt = await client.getPrompt({ name: "jira.summarise", arguments: { key: "OPS-17" } });
    expect(JSON.stringify(prompt.messages)).toContain("Summarise ticket OPS-17");
    const completed = await client.complete({
      ref: { type: "ref/prompt", name: "jira.summarise" },
      argument: { name: "key", value: "FIN" },
    });
    expect(completed.completion.values).toEqual(["FIN-4", "FIN-5"]);
    await client.close();
  });

  it("may not complete what it may not see", async () => {
    const client = await openers[sdk](world.endpoint("jira"), await world.token(EXTERNAL, "jira"));
    const ref = { type: "ref/prompt", name: "jira.summarise" } as const;
    await expect(client.complete({ ref, argument: { name: "key", value: "FIN" } })).rejects.toMatchObject({
      code: 4030,
    });
    await client.close();
  });

  it("receives progress while a call runs", async () => {
    const client = await openers[sdk](world.endpoint("jira"), await world.token(EMPLOYEE, "jira"));
    const seen: number[] = [];
    const request = { name: "jira.reindex", arguments: { project: "OPS" } };
    const options = { onprogress: (progress: { progress: number }) => void seen.push(progress.progress) };
    const result = await (sdk === "1.x"
      ? (client as Awaited<ReturnType<typeof openLegacy>>).callTool(request, undefined, options)
      : (client as Awaited<ReturnType<typeof openModern>>).callTool(request, options));
    expect(JSON.stringify(result)).toContain("Index of OPS rebuilt.");
    expect(seen).toEqual([1, 2, 3, 4, 5]);
    await client.close();
  });
});

describe("authentication", () => {
  const url = (): URL => world.endpoint("sql-prod");
  const metadataPath = "/.well-known/oauth-protected-resource/sql-prod/mcp";
  const select = { sql: "SELECT 1" };

  it.each([
    ["no token", () => Promise.resolve(undefined), "AUTHN_TOKEN_MISSING"],
    [
      "an expired token",
      () =>
        world.issuer.mint({ subject: "dana", audience: url().href, claims: {}, expiresInSeconds: -3_600 }),
      "AUTHN_TOKEN_EXPIRED",
    ],
    ["a token for another endpoint", () => world.token(DEVELOPER, "jira"), "AUTHN_AUDIENCE_INVALID"],
    ["nonsense", () => Promise.resolve("nonsense"), "AUTHN_TOKEN_INVALID"],
  ] as const)("%s is a 401 that says where to ask", async (_what, mint, code) => {
    const before = await world.servers.calls("sql-prod");
    const token = await mint();
    const answer = await rawRequest(url(), {
      method: "tools/call",
      name: "sql.query",
      params: { name: "sql.query", arguments: select },
      ...(token === undefined ? {} : { token }),
    });
    expect(answer.status).toBe(401);
    expect(answer.error?.data?.code).toBe(code);
    const challenge = answer.headers.get("www-authenticate") ?? "";
    expect(challenge).toMatch(/^Bearer /);
    expect(challenge).toContain(`resource_metadata="${url().origin}${metadataPath}"`);
    expect(await world.servers.calls("sql-prod")).toBe(before);
  });

  it("the protected-resource document names the endpoint and its issuers", async () => {
    const response = await fetch(`${url().origin}${metadataPath}`);
    expect(response.status).toBe(200);
    const document = (await response.json()) as Record<string, unknown>;
    expect(document).toMatchObject({ resource: url().href, bearer_methods_supported: ["header"] });
    expect(document["authorization_servers"]).toContain("https://throwaway-issuer.aegis.invalid/");
  });

  it("a token without is_external is denied everything", async () => {
    const caller = { subject: "nobody", roles: ["Developer", "Employee"] };
    const before = await world.servers.calls("sql-prod");
    const answer = await rawCall(url(), await world.token(caller, "sql-prod"), "sql.query", select);
    expect(answer.error).toMatchObject({ code: 4030, data: { code: "PRINCIPAL_ATTRIBUTE_MISSING" } });
    expect(answer.error?.message).toContain("is_external");
    expect(await world.servers.calls("sql-prod")).toBe(before);
  });

  it("calls beyond the limit are refused and do not reach the server", async () => {
    const token = await world.token({ ...DEVELOPER, subject: "rita" }, "sql-prod");
    const before = await world.servers.calls("sql-prod");
    const answers = await Promise.all(
      Array.from({ length: SQL_LIMIT + 5 }, () => rawCall(url(), token, "sql.query", select)),
    );
    const refused = answers.filter((answer) => answer.error !== undefined);
    expect(refused.map((answer) => answer.error?.code)).toEqual(Array.from({ length: 5 }, () => 4290));
    expect(refused[0]?.error).toMatchObject({
      data: {
        code: "RATE_LIMITED",
        limit: "sql-per-principal",
        reason: expect.stringMatching(/retry after/),
      },
    });
    expect(await world.servers.calls("sql-prod")).toBe(before + SQL_LIMIT);
  });
});

describe("operators", () => {
  const get = async (path: string): Promise<{ status: number; text: string; json: () => never }> => {
    const response = await fetch(`${world.gateway.adminUrl}${path}`);
    const text = await response.text();
    return { status: response.status, text, json: () => JSON.parse(text) as never };
  };

  it("see liveness, readiness, status and metrics", async () => {
    expect((await get("/healthz")).json()).toMatchObject({ status: "alive" });
    expect((await get("/readyz")).json()).toEqual({ ready: true, causes: [] });
    expect((await get("/status")).json()).toMatchObject({
      formatVersion: 1,
      ready: true,
      release: {
        state: { phase: "active", sequence: 1 },
        active: { channel: "dev", sequence: 1, digest: expect.stringMatching(/^[0-9a-f]{64}$/) },
      },
      audit: { writable: true, fault: null, heads: { default: { sequence: expect.any(Number) } } },
    });
    const metrics = await get("/metrics");
    expect(metrics.status).toBe(200);
    expect(metrics.text).toMatch(/^# TYPE aegis_/m);
    expect(metrics.text).toContain("POLICY_DENIED");
    expect(metrics.text).toMatch(
      /aegis_upstream_duration_seconds_count\{server="sql-prod",outcome="result"\} \d/,
    );
  });

  it("find no token, no argument and no redacted value in log or audit", async () => {
    const token = await world.token(DEVELOPER, "sql-prod");
    await rawCall(world.endpoint("sql-prod"), token, "sql.query", { sql: `SELECT '${CANARY}'` });
    await rawCall(world.endpoint("sql-prod"), token, "sql.query", { sql: `DROP TABLE "${CANARY}"` });
    await rawCall(world.endpoint("sql-prod"), `${token}x`, "sql.query", { sql: "SELECT 1" });
    const files = (await readdir(world.gateway.auditDir)).filter((name) => name.endsWith("l"));
    const audit = await Promise.all(
      files.map((name) => readFile(join(world.gateway.auditDir, name), "utf8")),
    );
    const text = [...world.log, ...audit].join("\n");
    expect(text).toContain('"principal"');
    for (const secret of [CANARY, ASSIGNEE, token.split(".")[2] ?? token, token.split(".")[1] ?? token])
      expect(text.includes(secret), `found ${secret.slice(0, 24)}`).toBe(false);
  });
});
