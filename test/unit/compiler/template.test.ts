// The policy repository template: the seed documents as written, its exact warnings, and the committed truth table.
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { compile } from "#compiler";
import type { CompileResult } from "#compiler";

const TEMPLATE = join(import.meta.dirname, "../../../policy-repo-template");

/** principal × call → allowed. */
const TRUTH: Readonly<Record<string, Readonly<Record<string, boolean>>>> = {
  developer: { select: true, drop: false, "jira-search": true, "wire-transfer": false },
  employee: { select: false, drop: false, "jira-search": true, "wire-transfer": false },
  external: { select: true, drop: false, "jira-search": false, "wire-transfer": false },
};

const compiled: Promise<CompileResult> = compile({ dir: TEMPLATE });

test("check finds nothing", async () => {
  const { diagnostics } = await compiled;
  expect(diagnostics).toEqual([]);
});

describe("truth table", () => {
  const cells = Object.entries(TRUTH).flatMap(([principal, row]) =>
    Object.entries(row).map(([call, allowed]) => [principal, call, allowed] as const),
  );
  test.each(cells)("%s %s: %s", async (principal, call, allowed) => {
    const { content } = await compiled;
    const name = `tests/access_test.yaml: truth table: ${principal} ${call}`;
    const vector = content?.vectors.vectors.find((item) => item.name === name);
    expect(vector?.expect.effect).toBe(allowed ? "allow" : "deny");
  });

  test("the suite states the same table", async () => {
    const { model } = await compiled;
    const matrix = model.suites.flatMap((suite) => suite.tests).find((item) => item.kind === "matrix");
    const stated = matrix?.allow.map(({ principal, call }) => `${principal} ${call}`).sort();
    expect(stated).toEqual(
      cells
        .filter(([, , allowed]) => allowed)
        .map(([principal, call]) => `${principal} ${call}`)
        .sort(),
    );
    expect(matrix?.principals.map((item) => item.name)).toEqual(Object.keys(TRUTH));
    expect(matrix?.calls.map((item) => item.name)).toEqual(Object.keys(TRUTH["developer"] ?? {}));
  });
});

test("denials name the policy that decides", async () => {
  const { content } = await compiled;
  const reasons = new Map(
    content?.vectors.vectors.map((item) => [item.name.split(": ").at(-1), item.expect.reasons]),
  );
  expect(reasons.get("developer drop")).toEqual(["policies/baseline.yaml#/constraints/sql.query/operations"]);
  expect(reasons.get("external wire-transfer")).toEqual([
    "policies/baseline.yaml#/deny/tools/0",
    "policies/sql-prod.cedar#1",
  ]);
  expect(reasons.get("developer select")).toEqual(["policies/sql-prod.cedar#0"]);
});

test("redaction covers both readings of $.response that the pinned output schema allows", async () => {
  const { content } = await compiled;
  const entry = content?.transforms.transforms.find((item) => item.action === "tools/call:jira/jira.search");
  const names = entry?.response.flatMap((operation) =>
    operation.paths.map((path) =>
      path.map((part) => (part.kind === "name" ? part.name : part.kind)).join("."),
    ),
  );
  expect(names).toContain("assignee.email");
});

test("compiling again gives the same bytes", async () => {
  const again = await compile({ dir: TEMPLATE });
  expect(again.bundle?.digest).toBe((await compiled).bundle?.digest);
});

test("an overlay adds issuers, transports and an address to one environment only", async () => {
  const overlay = {
    environment: "dev",
    publicUrl: "http://127.0.0.1:4000/",
    issuers: [
      { issuer: "https://dev.invalid/", keys: { type: "jwks", jwks: { keys: [] } }, algorithms: ["EdDSA"] },
    ],
    transports: { jira: { type: "streamable-http", url: "http://127.0.0.1:4001/mcp" } },
  } as const;
  const { content, diagnostics } = await compile({ dir: TEMPLATE, overlay });
  expect(diagnostics.filter((item) => item.severity === "error")).toEqual([]);
  const { dev, prod } = content?.routes.environments ?? {};
  expect(dev?.routes.map((route) => route.resource)).toContain("http://127.0.0.1:4000/jira/mcp");
  expect(dev?.routes.every((route) => route.issuers.includes("https://dev.invalid/"))).toBe(true);
  expect(dev?.issuers.find((item) => item.issuer === "https://dev.invalid/")).toMatchObject({
    rolesClaim: "roles",
    attributes: [{ attribute: "is_external", required: true }],
  });
  expect(prod?.issuers.map((item) => item.issuer)).toEqual(["https://login.example.com/"]);
  const jira = content?.registry.servers.find((server) => server.id === "jira");
  expect(jira?.transports["dev"]).toEqual(overlay.transports.jira);
  expect(jira?.transports["prod"]).toEqual({
    type: "streamable-http",
    url: "https://jira-mcp.internal.example.com/mcp",
  });
});

test("what a gateway would refuse is a diagnostic", async () => {
  const overlay = {
    environment: "dev",
    transports: { jira: { type: "streamable-http", url: "ftp://127.0.0.1/" } },
  } as const;
  const { bundle, content, diagnostics } = await compile({ dir: TEMPLATE, overlay });
  expect([bundle, content]).toEqual([undefined, undefined]);
  expect(diagnostics.filter((item) => item.severity === "error")).toMatchObject([
    { code: "BUNDLE_REFUSED", file: "aegis.yaml", line: 1 },
  ]);
});
