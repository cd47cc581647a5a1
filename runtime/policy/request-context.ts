// The members of the Cedar context that say how, when and from where a request came. A slice names those it reads.
import type { RequestFacts } from "#bundle";
import type { JsonObject, JsonValue } from "#std";

/** Members of the context that come from `RequestFacts`, sorted. */
export const REQUEST_MEMBERS = ["auth", "client", "now", "protocol", "sourceIp"] as const;
export type RequestMember = (typeof REQUEST_MEMBERS)[number];

/** Facts of a request of which nothing is known: a fixed time, no address, an unnamed client. */
export const UNKNOWN_REQUEST: RequestFacts = {
  nowMs: Date.UTC(2026, 0, 1),
  client: {},
  protocol: { era: "modern", version: "2026-07-28" },
  auth: { issuer: "", amr: [], scopes: [], issuedAtMs: Date.UTC(2026, 0, 1) },
};

/** Cedar's datetime in JSON form; the value that any instant before year 1 or after 9999 cannot have is refused. */
function datetime(ms: number): JsonObject {
  return { __extn: { fn: "datetime", arg: new Date(ms).toISOString() } };
}

function duration(ms: number): JsonObject {
  return { __extn: { fn: "duration", arg: `${String(Math.trunc(ms))}ms` } };
}

// IPv4 over an IPv6 socket is the IPv4 address it maps (RFC 4291, 2.5.5.2); a zone is no part of an address.
function ipaddr(address: string): JsonObject {
  const plain = address.replace(/%.*$/u, "").replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/iu, "");
  return { __extn: { fn: "ip", arg: plain } };
}

function authRecord(facts: RequestFacts): JsonObject {
  const { issuer, amr, acr, scopes, issuedAtMs, authenticatedAtMs } = facts.auth;
  return {
    issuer,
    amr,
    mfa: amr.includes("mfa"),
    ...(acr === undefined ? {} : { acr }),
    scopes,
    tokenAge: duration(facts.nowMs - issuedAtMs),
    ...(authenticatedAtMs === undefined ? {} : { authAge: duration(facts.nowMs - authenticatedAtMs) }),
  };
}

function member(name: RequestMember, facts: RequestFacts): JsonValue | undefined {
  switch (name) {
    case "auth":
      return authRecord(facts);
    case "client":
      return { ...facts.client };
    case "now":
      return datetime(facts.nowMs);
    case "protocol":
      return { ...facts.protocol };
    case "sourceIp":
      return facts.sourceIp === undefined ? undefined : ipaddr(facts.sourceIp);
  }
}

/** The members of `names` as Cedar JSON. Throws RangeError on an instant that a date cannot hold. */
export function requestContext(names: readonly RequestMember[], facts: RequestFacts): JsonObject {
  const members: Record<string, JsonValue> = {};
  for (const name of names) {
    const value = member(name, facts);
    if (value !== undefined) members[name] = value;
  }
  return members;
}
