// Key fetching against a real HTTP server on loopback.
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createTokenVerifier } from "#authn";
import type { TokenVerifier } from "#authn";
import { NOW_MS, issuer, keyPair, keys, plainToken, route } from "./token-fixture.ts";

let server: Server;
let url: string;
let fetches = 0;
let answer: (request: IncomingMessage, response: ServerResponse) => void;

const jwks = (...sets: readonly (typeof keys.main)[]) => JSON.stringify({ keys: sets.map(({ jwk }) => jwk) });
const serveKeys = (...sets: readonly (typeof keys.main)[]) => {
  answer = (_, response) =>
    response.writeHead(200, { "content-type": "application/json" }).end(jwks(...sets));
};

beforeEach(async () => {
  fetches = 0;
  serveKeys(keys.main);
  server = createServer((request, response) => {
    fetches += 1;
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`;
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function verifier(
  options: { cooldownMs?: number; maxKeyAgeMs?: number; retryAfterMs?: number } = {},
): TokenVerifier {
  return createTokenVerifier([issuer({ keys: { type: "jwks-url", url } })], { keys: options });
}

const outcome = async (subject: TokenVerifier, text: string): Promise<string> =>
  subject.verify(`Bearer ${text}`, route, NOW_MS).then(
    () => "accepted",
    (error: unknown) => (error as { code: string }).code,
  );

describe("a JWKS URL", () => {
  it("is fetched once for many concurrent tokens", async () => {
    const subject = verifier();
    const texts = await Promise.all(
      Array.from({ length: 20 }, (_, n) => plainToken(keys.main, "main", { sub: `u${n}` })),
    );
    expect(new Set(await Promise.all(texts.map((text) => outcome(subject, text))))).toEqual(
      new Set(["accepted"]),
    );
    expect(fetches).toBe(1);
  });

  it("is not fetched again for 200 unknown key ids within the cooldown", async () => {
    const subject = verifier();
    expect(await outcome(subject, await plainToken(keys.main, "main"))).toBe("accepted");
    for (let n = 0; n < 200; n += 1) {
      expect(await outcome(subject, await plainToken(keys.foreign, `unknown-${n}`))).toBe(
        "AUTHN_TOKEN_INVALID",
      );
    }
    expect(fetches).toBe(1);
  });

  it("gives a new key after the cooldown, without refusing the old one", async () => {
    const next = await keyPair("ES256", "next");
    const subject = verifier({ cooldownMs: 0 });
    expect(await outcome(subject, await plainToken(keys.main, "main"))).toBe("accepted");
    serveKeys(keys.main, next);
    expect(await outcome(subject, await plainToken(next, "next"))).toBe("accepted");
    expect(await outcome(subject, await plainToken(keys.main, "main", { sub: "bob" }))).toBe("accepted");
  });

  it("drops a removed key once the key set is too old", async () => {
    const next = await keyPair("ES256", "next");
    const subject = verifier({ cooldownMs: 0, maxKeyAgeMs: 0 });
    expect(await outcome(subject, await plainToken(keys.main, "main"))).toBe("accepted");
    serveKeys(next);
    expect(await outcome(subject, await plainToken(keys.main, "main", { sub: "bob" }))).toBe(
      "AUTHN_TOKEN_INVALID",
    );
  });

  it("uses cached keys while the endpoint is down, until they are too old", async () => {
    const lasting = verifier({ cooldownMs: 0 });
    const shortLived = verifier({ cooldownMs: 0, maxKeyAgeMs: 0 });
    for (const subject of [lasting, shortLived]) {
      expect(await outcome(subject, await plainToken(keys.main, "main"))).toBe("accepted");
    }
    answer = (_, response) => response.writeHead(500).end();
    const text = await plainToken(keys.main, "main", { sub: "bob" });
    expect(await outcome(lasting, text)).toBe("accepted");
    expect(await outcome(shortLived, text)).toBe("AUTHN_KEYS_UNAVAILABLE");
  });

  it("is tried again only after a pause when it failed", async () => {
    answer = (_, response) => response.writeHead(500).end();
    const subject = verifier({ retryAfterMs: 60_000 });
    for (let n = 0; n < 20; n += 1) {
      expect(await outcome(subject, await plainToken(keys.main, "main", { sub: `u${n}` }))).toBe(
        "AUTHN_KEYS_UNAVAILABLE",
      );
    }
    expect(fetches).toBe(1);
  });

  it.each<[string, (request: IncomingMessage, response: ServerResponse) => void]>([
    ["a redirect", (_, response) => response.writeHead(302, { location: "/keys2" }).end()],
    ["a 404", (_, response) => response.writeHead(404).end()],
    ["no JSON", (_, response) => response.writeHead(200).end("<html>")],
    ["JSON that is no key set", (_, response) => response.writeHead(200).end("[]")],
    ["a huge body", (_, response) => response.writeHead(200).end(`{"keys":[],"x":"${"x".repeat(300_000)}"}`)],
    ["a closed connection", (request) => request.socket.destroy()],
    ["silence", () => undefined],
  ])("that answers with %s leaves the token undecided", async (_, behave) => {
    answer = behave;
    expect(await outcome(verifier(), await plainToken(keys.main, "main"))).toBe("AUTHN_KEYS_UNAVAILABLE");
    expect(fetches).toBe(1);
  });

  it("ignores symmetric keys", async () => {
    answer = (_, response) =>
      response
        .writeHead(200)
        .end(JSON.stringify({ keys: [{ kty: "oct", k: "c2VjcmV0", kid: "main", alg: "HS256" }] }));
    expect(await outcome(verifier(), await plainToken(keys.main, "main"))).toBe("AUTHN_TOKEN_INVALID");
  });

  it("ends the wait on abort", async () => {
    answer = () => undefined;
    const controller = new AbortController();
    const text = await plainToken(keys.main, "main");
    const attempt = verifier().verify(`Bearer ${text}`, route, NOW_MS, controller.signal);
    controller.abort();
    await expect(attempt).rejects.toMatchObject({ code: "EXCHANGE_ABORTED" });
  });
});
