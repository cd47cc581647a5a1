import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { isAegisError } from "#errors";
import { createTokenVerifier } from "#authn";
import type { Principal } from "#authn";
import { ISSUER, NOW_MS, issuer, keys, plainToken, route, token } from "./token-fixture.ts";
import type { Changes } from "./token-fixture.ts";

interface TokenCase {
  readonly name: string;
  readonly signer?: string;
  readonly header?: Changes;
  readonly claims?: Changes;
  readonly raw?: string;
  readonly expect: string;
  readonly roles?: readonly string[];
  readonly missing?: readonly string[];
}

const cases = parse(
  readFileSync(new URL("../../data/jwt/cases.yaml", import.meta.url), "utf8"),
) as TokenCase[];
const issuers = [
  issuer(),
  issuer({ issuer: "https://acme.example", tenant: "acme" }),
  issuer({ issuer: "https://partner.example" }),
];

function reshape(text: string, how: string | undefined): string {
  const [head = "", body = "", signature = ""] = text.split(".");
  switch (how) {
    case "strip-signature":
      return `${head}.${body}.`;
    case "flip-signature": {
      const flipped = signature.startsWith("A") ? "B" : "A";
      return `${head}.${body}.${flipped}${signature.slice(1)}`;
    }
    case "change-payload":
      return `${head}.${Buffer.from(Buffer.from(body, "base64url").toString().replace("ada", "eve")).toString("base64url")}.${signature}`;
    case "pad":
      return `${text}=`;
    case "extra-part":
      return `${text}.AA`;
    case "leading-space":
      return ` ${text}`;
    case "jwe":
      return `${text}.AA.AA`;
    case "garbage-payload":
      return `${head}.AAAA.${signature}`;
    default:
      return text;
  }
}

async function verify(text: string): Promise<Principal | string> {
  try {
    return await createTokenVerifier(issuers).verify(`Bearer ${text}`, route, NOW_MS);
  } catch (error) {
    if (!isAegisError(error)) throw error;
    for (const part of text.split("."))
      if (part.length > 8) expect(JSON.stringify([error.detail, error.message])).not.toContain(part);
    return error.code;
  }
}

describe("tokens", () => {
  it.each(cases)("$name: $expect", async (entry) => {
    const result = await verify(reshape(await token(entry), entry.raw));
    if (entry.expect !== "accepted") {
      expect(result).toBe(entry.expect);
      return;
    }
    if (typeof result === "string") throw new Error(result);
    expect(result.facts.roles).toEqual(entry.roles ?? ["Developer"]);
    expect(result.missingAttributes).toEqual(entry.missing ?? []);
  });
});

describe("the header", () => {
  it.each([
    [undefined, "AUTHN_TOKEN_MISSING"],
    ["", "AUTHN_TOKEN_MISSING"],
    ["Bearer", "AUTHN_TOKEN_MISSING"],
    ["Bearer ", "AUTHN_TOKEN_MISSING"],
    ["Basic YTpi", "AUTHN_TOKEN_MISSING"],
    ["Bearer a b", "AUTHN_TOKEN_INVALID"],
    ["Bearer a.b.c", "AUTHN_TOKEN_INVALID"],
    [`Bearer ${"a".repeat(1_000_000)}`, "AUTHN_TOKEN_INVALID"],
  ])("%j gives %s", async (header, code) => {
    await expect(createTokenVerifier(issuers).verify(header, route, NOW_MS)).rejects.toMatchObject({ code });
  });

  it("takes the scheme in any case", async () => {
    const text = await token();
    const principal = await createTokenVerifier(issuers).verify(`bEaReR ${text}`, route, NOW_MS);
    expect(principal.subject).toBe("ada");
  });
});

describe("the principal", () => {
  it("has the mapped facts", async () => {
    const changes = {
      roles: ["dev"],
      level: 3,
      org: { unit: { name: "data" } },
      "https://corp.example/tags": ["b", "a"],
    };
    const principal = await verify(await token({ claims: changes }));
    expect(principal).toEqual({
      facts: {
        type: "User",
        id: "ada",
        tenant: "default",
        roles: ["Developer"],
        groups: ["data"],
        attributes: { is_external: false, level: 3, unit: "data", tags: ["a", "b"] },
      },
      auth: { issuer: ISSUER, amr: [], scopes: [], issuedAtMs: NOW_MS - 10_000 },
      issuer: ISSUER,
      subject: "ada",
      clientId: "agent",
      missingAttributes: [],
      // With the 30 s by which clocks may differ.
      expiresAtMs: NOW_MS + 330_000,
      bindingKey: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
    });
  });

  it("is bound to issuer, subject, tenant and client", async () => {
    const binding = async (changes: Changes) => {
      const principal = await verify(await token({ claims: changes }));
      return typeof principal === "string" ? principal : principal.bindingKey;
    };
    const base = await binding({});
    expect(await binding({ level: 4 })).toBe(base);
    expect(await binding({ sub: "bob" })).not.toBe(base);
    expect(await binding({ client_id: "other" })).not.toBe(base);
    expect(await binding({ client_id: null })).not.toBe(base);
    expect(await binding({ client_id: null, azp: "agent" })).toBe(base);
  });
});

interface PrincipalCase {
  readonly about: string;
  readonly claims?: Changes;
  readonly issuer?: Parameters<typeof issuer>[0];
  readonly expect: string | Readonly<Record<string, unknown>>;
}

describe("who calls", () => {
  const principals = parse(
    readFileSync(new URL("../../data/jwt/principals.yaml", import.meta.url), "utf8"),
  ) as PrincipalCase[];

  it.each(principals)("$about", async (entry) => {
    const verifier = createTokenVerifier([issuer(entry.issuer)]);
    const attempt = verifier.verify(`Bearer ${await token({ claims: entry.claims ?? {} })}`, route, NOW_MS);
    if (typeof entry.expect === "string") await expect(attempt).rejects.toMatchObject({ code: entry.expect });
    else expect(await attempt).toMatchObject(entry.expect);
  });
});

describe("a configured token type", () => {
  it.each([
    ["at+jwt", "at+jwt", true],
    ["at+jwt", "JWT", false],
    ["at+jwt", null, false],
    ["JWT", "JWT", true],
    ["JWT", "at+jwt", false],
  ])("%s refuses or accepts %s: %s", async (tokenType, typ, accepted) => {
    const verifier = createTokenVerifier([issuer({ tokenType })]);
    const attempt = verifier.verify(`Bearer ${await token({ header: { typ } })}`, route, NOW_MS);
    if (accepted) expect((await attempt).subject).toBe("ada");
    else await expect(attempt).rejects.toMatchObject({ code: "AUTHN_TOKEN_INVALID" });
  });
});

describe("the cache", () => {
  it("answers with the same principal, and never beyond expiry or for another endpoint", async () => {
    const verifier = createTokenVerifier([issuer()]);
    const header = `Bearer ${await plainToken(keys.main, "main", { exp: 40 })}`;
    const first = await verifier.verify(header, route, NOW_MS);
    expect(await verifier.verify(header, route, NOW_MS + 59_999)).toBe(first);
    // To the millisecond when whatever hangs on the token ends: it is verified as long as it may, and no longer.
    expect((await verifier.verify(header, route, first.expiresAtMs - 1)).subject).toBe("ada");
    await expect(verifier.verify(header, route, first.expiresAtMs)).rejects.toMatchObject({
      code: "AUTHN_TOKEN_EXPIRED",
    });
    const other = { ...route, resource: "https://gw.example/finance/mcp" };
    await expect(verifier.verify(header, other, NOW_MS)).rejects.toMatchObject({
      code: "AUTHN_AUDIENCE_INVALID",
    });
  });

  it("knows a verified token only for its own route, tenant and issuer, and only for a while", async () => {
    const verifier = createTokenVerifier([issuer()]);
    const header = `Bearer ${await plainToken(keys.main, "main", { exp: 10 })}`;
    expect(verifier.known(header, route, NOW_MS)).toBeUndefined();
    const principal = await verifier.verify(header, route, NOW_MS);
    expect(verifier.known(header, route, NOW_MS)).toBe(principal);
    expect(verifier.known(header, { ...route, resource: "https://gw.example/b" }, NOW_MS)).toBeUndefined();
    expect(verifier.known(header, { ...route, issuers: [] }, NOW_MS)).toBeUndefined();
    expect(verifier.known(header, { ...route, tenant: "acme" }, NOW_MS)).toBeUndefined();
    expect(verifier.known(`${header}x`, route, NOW_MS)).toBeUndefined();
    expect(verifier.known(`Basic${header}`, route, NOW_MS)).toBeUndefined();
    expect(verifier.known(undefined, route, NOW_MS)).toBeUndefined();
    expect(verifier.known(header, route, NOW_MS + 41_000)).toBeUndefined();
  });

  it("verifies again after a minute and once evicted", async () => {
    const verifier = createTokenVerifier([issuer()], { maxCachedTokens: 1 });
    const header = `Bearer ${await plainToken(keys.main, "main")}`;
    const first = await verifier.verify(header, route, NOW_MS);
    const later = await verifier.verify(header, route, NOW_MS + 60_000);
    expect(later).not.toBe(first);
    expect(later).toEqual(first);
    await verifier.verify(
      `Bearer ${await plainToken(keys.main, "main", { sub: "bob" })}`,
      route,
      NOW_MS + 60_000,
    );
    expect(await verifier.verify(header, route, NOW_MS + 60_000)).not.toBe(later);
  });
});

describe("an issuer entry", () => {
  it.each([
    ["a symmetric algorithm", issuer({ algorithms: ["HS256"] })],
    ["alg none", issuer({ algorithms: ["none"] })],
    ["no algorithm", issuer({ algorithms: [] })],
    ["a malformed key set", issuer({ keys: { type: "jwks", jwks: { keys: "x" } } })],
    ["a plain http JWKS URL", issuer({ keys: { type: "jwks-url", url: "http://idp.example/keys" } })],
    ["a file URL", issuer({ keys: { type: "jwks-url", url: "file:///etc/passwd" } })],
    ["credentials in the URL", issuer({ keys: { type: "jwks-url", url: "https://a:b@idp.example/keys" } })],
  ])("with %s is refused", (_, entry) => {
    expect(() => createTokenVerifier([entry])).toThrow(
      expect.objectContaining({ code: "AUTHN_KEYS_UNAVAILABLE" }) as Error,
    );
  });
});
