// Callers that a repository's own tests name, and the claims that make the gateway see them.
import type { IssuerEntry, PrincipalFacts } from "#bundle";
import type { ProjectModel, TestCall } from "#compiler";
import type { JsonObject, JsonValue } from "#std";

export interface NamedCaller {
  /** Name of the fixture, e.g. `developer`. */
  readonly name: string;
  readonly facts: PrincipalFacts;
}

/** Every principal the suites use, once, in the order of first use. */
export function callersOf(model: Pick<ProjectModel, "suites">): readonly NamedCaller[] {
  const callers = new Map<string, NamedCaller>();
  for (const suite of model.suites) {
    for (const test of suite.tests) {
      for (const { name, facts } of test.kind === "matrix" ? test.principals : [test.principal]) {
        if (!callers.has(name)) callers.set(name, { name, facts });
      }
    }
  }
  return [...callers.values()];
}

/** The first tool call that the suites say this caller may make at this server. */
export function allowedCall(
  model: Pick<ProjectModel, "suites">,
  caller: string,
  server: string,
): TestCall | undefined {
  for (const suite of model.suites) {
    for (const test of suite.tests) {
      if (test.kind !== "matrix") continue;
      for (const cell of test.allow.filter((item) => item.principal === caller)) {
        const call = test.calls.find((item) => item.name === cell.call && item.server === server);
        if (call?.action.startsWith("tools/call:") === true) return call;
      }
    }
  }
  return undefined;
}

/**
 * Claims that the issuer's mapping reads back as these facts. A fact the mapping has no claim for is left out, so a
 * caller is never shown as more than a token can say.
 */
export function claimsOf(facts: PrincipalFacts, issuer: IssuerEntry): JsonObject {
  const claims = new Map<string, JsonValue>([[issuer.idClaim, facts.id]]);
  if (issuer.rolesClaim !== undefined)
    claims.set(
      issuer.rolesClaim,
      facts.roles.map((role) => valueOf(role, issuer)),
    );
  if (issuer.groupsClaim !== undefined) claims.set(issuer.groupsClaim, [...facts.groups]);
  for (const { attribute, claim } of issuer.attributes) {
    if (!Object.hasOwn(facts.attributes, attribute)) continue;
    const value = facts.attributes[attribute];
    if (value !== undefined) claims.set(claim, typeof value === "object" ? [...value] : value);
  }
  return Object.fromEntries(claims);
}

function valueOf(role: string, issuer: IssuerEntry): string {
  const mapped = Object.entries(issuer.roleMap ?? {}).find(([, name]) => name === role);
  return mapped?.[0] ?? role;
}
