// A caller of the tests, as a token: the claims must be read back by the gateway as the same facts.
import { beforeAll, describe, expect, it } from "vitest";
import type { IssuerEntry } from "#bundle";
import { compile } from "#compiler";
import type { CompileResult } from "#compiler";
import { principalFromClaims } from "../../../../runtime/authn/claims-to-principal.ts";
import { allowedCall, callersOf, claimsOf } from "../../../../cli/dev/test-callers.ts";
import { TEMPLATE_DIR } from "../../../e2e/world.ts";

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
