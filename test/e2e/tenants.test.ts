// Two tenants behind one gateway: each one's tokens, roles, transforms and limits are its own.
import { SignJWT, exportJWK, generateKeyPair } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JsonObject } from "#std";
import { readAuditRecords } from "./audit-records.ts";
import { openLegacy, openModern } from "./clients.ts";
import { editedTemplate } from "./edited-template.ts";
import { rawCall } from "./raw-call.ts";
import type { RawAnswer } from "./raw-call.ts";
import { startWorld } from "./world.ts";
import type { World } from "./world.ts";

const TENANTS = ["acme", "globex"] as const;
type Tenant = (typeof TENANTS)[number];
const SHARED = "https://shared.example/";
const SEARCH = { jql: "OPS-17" };

type Key = Awaited<ReturnType<typeof generateKeyPair>>["privateKey"];

let world: World;
const keys = new Map<string, Key>();
const issuerOf = (tenant: Tenant): string => `https://${tenant}.example/`;

async function keySet(issuer: string): Promise<string> {
  const pair = await generateKeyPair("ES256", { extractable: true });
  keys.set(issuer, pair.privateKey);
  return JSON.stringify({ keys: [{ ...(await exportJWK(pair.publicKey)), kid: issuer, alg: "ES256" }] });
}

function identity(issuer: string, more: readonly string[] = []): string {
  const lines = ["jwksFile: identity/keys.json", "algorithms: [ES256]", "roles: { claim: roles }", ...more];
  return `issuers:\n  - issuer: ${issuer}\n${lines.map((line) => `    ${line}\n`).join("")}`;
}

function layer(tenant: Tenant, policy: string, keysJson: string): Readonly<Record<string, () => string>> {
  const files: Readonly<Record<string, string>> = {
    "routes.yaml": `endpoints:\n  - { path: /${tenant}/jira/mcp, server: jira }\n  - { path: /${tenant}/sql-prod/mcp, server: sql-prod }\n  - { path: /${tenant}/desk/mcp, servers: [jira, sql-prod] }\n`,
    "identity.yaml": identity(issuerOf(tenant)),
    "identity/keys.json": keysJson,
    "policies/own.yaml": policy,
  };
  return Object.fromEntries(
    Object.entries(files).map(([path, text]) => [`tenants/${tenant}/${path}`, () => text]),
  );
}

beforeAll(async () => {
  const [acme, globex, shared] = await Promise.all(
    [issuerOf("acme"), issuerOf("globex"), SHARED].map(keySet),
  );
  const permit = "metadata: { name: own }\nscope: { servers: [jira], principals: { in: [Clerk] } }\n";
  world = await startWorld({
    workspace: editedTemplate({
      "aegis.yaml": (text) =>
        `${text.replace(/^roles:.*$/mu, "roles: [Developer, Employee, Clerk]")}tenants:\n` +
        TENANTS.map((tenant) => `  ${tenant}: { servers: [jira, sql-prod] }\n`).join(""),
      "identity.yaml": (text) =>
        text +
        identity(SHARED, ["tenants: { claim: org_id, map: { org_1: acme, org_2: globex } }"]).replace(
          "issuers:\n",
          "",
        ),
      "identity/keys.json": () => shared ?? "",
      ...layer("acme", `${permit}allow: { tools: [jira.search] }\n`, acme ?? ""),
      ...layer(
        "globex",
        `${permit}allow: { tools: [jira.search] }\ntransforms: { jira.search: { redact: ["$.response.assignee.name"] } }\n`,
        globex ?? "",
      ),
      "tenants/globex/policies/desk.yaml": () =>
        "metadata: { name: desk }\nscope: { servers: [sql-prod], principals: { in: [Clerk] } }\nallow: { tools: [sql.query] }\n",
      "tenants/acme/limits.yaml": () =>
        "limits:\n  - { id: few, tools: [jira.search], per: [tenant], limit: 3, window: 1h }\n",
      "retention.yaml": () => "retention: { default: 90d, tenants: { acme: 365d } }\n",
    }),
  });
});

afterAll(() => world.stop());

interface TokenOptions {
  readonly issuer: string;
  readonly key?: string;
  readonly endpoint: string;
  readonly claims?: JsonObject;
}

async function tokenOf({ issuer, key = issuer, endpoint, claims }: TokenOptions): Promise<string> {
  const signer = keys.get(key);
  if (signer === undefined) throw new Error(`no key of ${key}`);
  return new SignJWT({ roles: ["Clerk"], ...claims })
    .setProtectedHeader({ alg: "ES256", kid: key, typ: "at+jwt" })
    .setIssuer(issuer)
    .setSubject("carl")
    .setAudience(world.endpoint(endpoint).href)
    .setIssuedAt()
    .setExpirationTime("5m")
    .sign(signer);
}

async function search(endpoint: string, token: TokenOptions): Promise<RawAnswer> {
  return rawCall(world.endpoint(endpoint), await tokenOf(token), "jira.search", SEARCH);
}

function own(tenant: Tenant, claims?: JsonObject): Promise<RawAnswer> {
  const endpoint = `${tenant}/jira`;
  return search(endpoint, {
    issuer: issuerOf(tenant),
    endpoint,
    ...(claims === undefined ? {} : { claims }),
  });
}

function code(answer: RawAnswer): string | undefined {
  return answer.error?.data?.code;
}

it("transforms for each tenant what its documents say, and the platform's for both", async () => {
  const assignee = async (tenant: Tenant): Promise<unknown> =>
    (await own(tenant)).result?.["structuredContent"] as unknown;
  expect(await assignee("acme")).toMatchObject({ assignee: { name: "Grace Hopper", email: "[redacted]" } });
  expect(await assignee("globex")).toMatchObject({ assignee: { name: "[redacted]", email: "[redacted]" } });
});

describe("refuses", () => {
  const acme = issuerOf("acme");
  const globex = issuerOf("globex");
  it.each<readonly [string, string, TokenOptions, string]>([
    [
      "a token of one tenant at another",
      "globex/jira",
      { issuer: acme, endpoint: "globex/jira" },
      "AUTHN_ISSUER_UNKNOWN",
    ],
    [
      "a token of a tenant at the platform",
      "jira",
      { issuer: acme, endpoint: "jira" },
      "AUTHN_ISSUER_UNKNOWN",
    ],
    [
      "a token for another endpoint",
      "acme/jira",
      { issuer: acme, endpoint: "acme/sql-prod" },
      "AUTHN_AUDIENCE_INVALID",
    ],
    [
      "another tenant's issuer signed with its own key",
      "globex/jira",
      { issuer: globex, key: acme, endpoint: "globex/jira" },
      "AUTHN_TOKEN_INVALID",
    ],
    [
      "a shared issuer's token whose claim says another tenant",
      "globex/jira",
      { issuer: SHARED, endpoint: "globex/jira", claims: { org_id: "org_1" } },
      "AUTHN_TENANT_MISMATCH",
    ],
    [
      "a shared issuer's token that says no tenant",
      "globex/jira",
      { issuer: SHARED, endpoint: "globex/jira" },
      "AUTHN_TOKEN_INVALID",
    ],
    [
      "a shared issuer's token that says two tenants",
      "globex/jira",
      { issuer: SHARED, endpoint: "globex/jira", claims: { org_id: ["org_1", "org_2"] } },
      "AUTHN_TOKEN_INVALID",
    ],
    [
      "a shared issuer's token that names the tenant itself",
      "globex/jira",
      { issuer: SHARED, endpoint: "globex/jira", claims: { org_id: "globex" } },
      "AUTHN_TOKEN_INVALID",
    ],
  ])("%s", async (_what, endpoint, token, expected) => {
    const before = await world.servers.calls("jira");
    const answer = await search(endpoint, token);
    expect([answer.status, code(answer)]).toEqual([401, expected]);
    // Asked again, the verified token must not be taken from the cache.
    expect(code(await search(endpoint, token))).toBe(expected);
    expect(await world.servers.calls("jira")).toBe(before);
  });

  it.each<readonly [string, JsonObject]>([
    ["the qualified role of another tenant", { roles: ["globex/Clerk"] }],
    ["the qualified role of its own tenant", { roles: ["acme/Clerk"] }],
    ["the role of the platform", { roles: ["Employee", "Developer"] }],
    ["a role in another case", { roles: ["clerk", "CLERK"] }],
    ["a role behind a path", { roles: ["../acme/Clerk", "./Clerk", "Clerk/"] }],
  ])("%s", async (_what, claims) => {
    expect(code(await own("acme", claims))).toBe("POLICY_DENIED");
  });
});

it("accepts a shared issuer's token at the endpoint of the tenant that its claim says", async () => {
  const endpoint = "globex/jira";
  const answer = await search(endpoint, { issuer: SHARED, endpoint, claims: { org_id: "org_2" } });
  expect(answer.error).toBeUndefined();
});

describe("an endpoint over several servers, for each tenant", () => {
  const QUERY = { sql: "SELECT 1" };
  const desk = (tenant: Tenant): URL => world.endpoint(`${tenant}/desk`);
  const token = (tenant: Tenant): Promise<string> =>
    tokenOf({ issuer: issuerOf(tenant), endpoint: `${tenant}/desk` });

  it.each([
    ["2.x", openModern],
    ["1.x", openLegacy],
  ] as const)("client %s: lists what its own policies let it use, and calls no more", async (_name, open) => {
    const seen = new Map<Tenant, readonly string[]>();
    for (const tenant of TENANTS) {
      const client = (await open(desk(tenant), await token(tenant))) as unknown as {
        readonly listTools: () => Promise<{ readonly tools: readonly { readonly name: string }[] }>;
        readonly callTool: (call: object) => Promise<{ readonly isError?: boolean }>;
        readonly close: () => Promise<void>;
      };
      seen.set(
        tenant,
        (await client.listTools()).tools.map(({ name }) => name),
      );
      const before = await world.servers.calls("sql-prod");
      const call = client.callTool({ name: "sql-prod__sql.query", arguments: QUERY });
      if (tenant === "globex") expect((await call).isError).not.toBe(true);
      else await expect(call).rejects.toMatchObject({ code: 4030 });
      expect((await world.servers.calls("sql-prod")) - before).toBe(tenant === "globex" ? 1 : 0);
      await client.close();
    }
    expect(Object.fromEntries(seen)).toEqual({
      acme: ["jira__jira.search"],
      globex: ["jira__jira.search", "sql-prod__sql.query"],
    });
  });

  it("refuses one tenant's token at the other's, and transforms by its own documents", async () => {
    const foreign = await rawCall(desk("globex"), await token("acme"), "jira__jira.search", SEARCH);
    expect([foreign.status, code(foreign)]).toEqual([401, "AUTHN_ISSUER_UNKNOWN"]);
    const own = await rawCall(desk("globex"), await token("globex"), "jira__jira.search", SEARCH);
    expect(own.result?.["structuredContent"]).toMatchObject({ assignee: { name: "[redacted]" } });
    const records = await readAuditRecords(world.gateway.auditDir);
    const decided = records.filter(({ ev, body }) => ev === "decision" && body["server"] === "sql-prod");
    expect(new Set(decided.map(({ ten, body }) => `${ten} ${String(body["effect"])}`))).toEqual(
      new Set(["acme deny", "globex allow"]),
    );
  });
});

it("counts a tenant's limit for its own callers, and records each call under its tenant", async () => {
  const answers = [];
  for (let call = 0; call < 4; call += 1) answers.push(await own("acme"));
  expect(answers.map(code)).toContain("RATE_LIMITED");
  expect((await own("globex")).error).toBeUndefined();
  const records = await readAuditRecords(world.gateway.auditDir);
  const tenants = new Set(records.filter(({ ev }) => ev === "decision").map((record) => record.ten));
  expect([...tenants].sort()).toEqual(["acme", "globex"]);
});

it("shows how long records are to be kept", async () => {
  const status = (await (await fetch(new URL("/status", world.gateway.adminUrl))).json()) as JsonObject;
  expect(status["retention"]).toEqual({ defaultDays: 90, tenants: { acme: 365 } });
});
