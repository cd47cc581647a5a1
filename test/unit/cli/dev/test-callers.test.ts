// A caller of the tests, as a token: the claims must be read back by the gateway as the same facts.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { IssuerEntry } from "#bundle";
import { compile } from "#compiler";
import type { CompileResult } from "#compiler";
import { principalFromClaims } from "../../../../runtime/authn/claims-to-principal.ts";
import { showConnections } from "../../../../cli/dev/show-connections.ts";
import { allowedCall, callersOf, claimsOf } from "../../../../cli/dev/test-callers.ts";
import type { NamedCaller } from "../../../../cli/dev/test-callers.ts";
import { TEMPLATE_DIR } from "../../../e2e/world.ts";
import { createDesk } from "../cli-fixture.ts";
import type { Desk } from "../cli-fixture.ts";

const ISSUER: IssuerEntry = {
  issuer: "https://issuer.example/",
  keys: { type: "jwks", jwks: { keys: [] } },
  algorithms: ["ES256"],
  tenant: "default",
  idClaim: "https://example.com/id",
  rolesClaim: "app.roles",
  roleMap: { "role-17": "Developer", "role-18": "Employee" },
  groupsClaim: "groups",
  attributes: [
    { attribute: "is_external", claim: "ext", type: "Bool", required: true },
    { attribute: "level", claim: "lvl", type: "Long", required: false },
  ],
};

let template: CompileResult;
beforeAll(async () => {
  template = await compile({ dir: TEMPLATE_DIR });
});

describe("callersOf", () => {
  it("names the principals of the template in the order of their use", () => {
    expect(callersOf(template.model).map((caller) => caller.name)).toEqual([
      "developer",
      "employee",
      "external",
    ]);
  });

  it("finds an allowed call, and none where the tests list none", () => {
    expect(allowedCall(template.model, "developer", "sql-prod")?.target).toBe("sql.query");
    expect(allowedCall(template.model, "employee", "sql-prod")).toBeUndefined();
    expect(allowedCall(template.model, "developer", "finance-restricted")).toBeUndefined();
  });
});

describe("a repository whose tests name nobody", () => {
  let desk: Desk;
  beforeAll(() => {
    desk = createDesk("template");
    rmSync(desk.path("repo", "tests"), { recursive: true });
  });
  afterAll(() => desk.remove());

  it("is told what to write, and where, for a caller to get a token", async () => {
    const callersNow = async (): Promise<readonly NamedCaller[]> =>
      callersOf((await compile({ dir: desk.path("repo") })).model);
    expect(await callersNow()).toEqual([]);
    let shown = "";
    const endpoint = { resource: "http://127.0.0.1:1/jira/mcp", servers: ["jira"] };
    const server = { active: () => ({ model: { suites: [] } }), endpoints: () => [endpoint] };
    const io = { out: (text: string) => (shown += text), colorOut: false };
    await showConnections(server as never, io as never);
    expect(shown).toContain("tests/callers_test.yaml");

    const lines = shown.split("\n").filter((line) => line.startsWith("    "));
    const suite = lines.map((line) => line.slice(4)).join("\n");
    const written = suite
      .replace("<role>", "Employee")
      .replace("<server>", "jira")
      .replace("<tool>", "jira.search")
      .replace("arguments: {}", "arguments: { jql: project = OPS }")
      .replace("[Employee]", "[Employee], attrs: { is_external: false }");
    mkdirSync(desk.path("repo", "tests"));
    writeFileSync(desk.path("repo", "tests", "callers_test.yaml"), written);
    expect((await callersNow()).map(({ name }) => name)).toEqual(["dana"]);
    await desk.ok("check", "repo");
    await desk.ok("test", "repo");
  });
});

describe("claimsOf", () => {
  it("round-trips through the gateway's own mapping, with role map and renamed claims", () => {
    for (const { facts } of callersOf(template.model)) {
      const claims = { sub: "s", exp: 4_000_000_000, ...claimsOf(facts, ISSUER) };
      const principal = principalFromClaims(claims, ISSUER);
      expect(principal.facts).toEqual(facts);
      expect(principal.missingAttributes).toEqual([]);
    }
  });

  it("leaves out what the mapping has no claim for", () => {
    const [developer] = callersOf(template.model);
    if (developer === undefined) throw new Error("no caller");
    const { rolesClaim: _roles, ...withoutRoles } = ISSUER;
    expect(claimsOf(developer.facts, { ...withoutRoles, attributes: [] })).toEqual({
      "https://example.com/id": "dana",
      groups: [],
    });
  });
});
