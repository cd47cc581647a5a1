// How, when and from where the calls of a plan come: the request of a caller as it is, and changes of what the policies
// of either side read of it.
import type { Derivation, RequestFacts } from "#bundle";
import type { Comparison, PolicyLiterals } from "./policy-literals.ts";
import { addressesAround, datetimeMsOf, durationMsOf } from "./request-values.ts";
import { matchingSamples, nearMisses } from "./sample-pattern.ts";

/** Makes another request of the one a caller has. */
export type RequestChange = (request: RequestFacts) => RequestFacts;

export interface RequestClasses {
  /** The first leaves the request as it is. */
  readonly changes: readonly RequestChange[];
  /** Facts that are read, e.g. `auth.mfa`, sorted. */
  readonly reads: readonly string[];
  readonly truncated: boolean;
}

/** Values of one fact; a policy that names more is not tried with all of them. */
const MAX_VALUES = 12;
const DAY_MS = 86_400_000;

/** What one fact may be; the first leaves it as it is. */
type Choices = readonly RequestChange[];

const same: RequestChange = (request) => request;

/** Combinations of values of every fact that is read: all of them where there are at most `maxRequests`. */
export function requestClasses(
  literals: readonly PolicyLiterals[],
  derivations: readonly Derivation[],
  maxRequests: number,
): RequestClasses {
  const reads = [...new Set(literals.flatMap(({ requestReads }) => requestReads))].sort();
  const asked: Asked = { comparisons: literals.flatMap(({ comparisons }) => comparisons), derivations };
  const choices = reads
    .map((read): Choices => [same, ...changesOf(read, asked).slice(0, MAX_VALUES)])
    .filter((list) => list.length > 1);
  const total = choices.reduce((product, list) => product * list.length, 1);
  return { changes: combinations(choices, maxRequests), reads, truncated: total > maxRequests };
}

export interface Asked {
  readonly comparisons: readonly Comparison[];
  readonly derivations: readonly Derivation[];
}

/** Every fact changed alike, then each alone, then each other than all the rest, then the other combinations. */
function combinations(choices: readonly Choices[], max: number): readonly RequestChange[] {
  const found = new Map<string, readonly number[]>();
  const add = (picks: readonly number[]): boolean => {
    if (found.size < max) found.set(picks.join(","), picks);
    return found.size < max;
  };
  for (const picks of picksOf(choices)) if (!add(picks)) break;
  return [...found.values()].map(
    (picks): RequestChange =>
      (request) =>
        picks.reduce((changed, pick, index) => (choices[index]?.[pick] ?? same)(changed), request),
  );
}

function* picksOf(choices: readonly Choices[]): Generator<readonly number[]> {
  const none = choices.map(() => 0);
  yield none;
  const longest = Math.max(0, ...choices.map((list) => list.length));
  const diagonal = (step: number): readonly number[] =>
    choices.map((list) => Math.min(step, list.length - 1));
  for (let step = 1; step < longest; step += 1) yield diagonal(step);
  for (const base of [none, diagonal(1)]) {
    for (const [index, list] of choices.entries()) {
      for (let pick = 0; pick < list.length; pick += 1) yield base.with(index, pick);
    }
  }
  yield* products(choices);
}

function* products(choices: readonly Choices[]): Generator<readonly number[]> {
  const [first, ...rest] = choices;
  if (first === undefined) {
    yield [];
    return;
  }
  for (const picks of products(rest))
    for (let pick = 0; pick < first.length; pick += 1) yield [pick, ...picks];
}

/** What one fact may be, e.g. `auth.mfa`: around what the policies compare it with. */
export function changesOf(read: string, asked: Asked): readonly RequestChange[] {
  const [member, name] = read.split(".");
  switch (member) {
    case "now":
      return nowChanges(asked);
    case "sourceIp":
      return addressChanges(asked);
    case "client":
      return name === "id" || name === "name" || name === "version" ? clientChanges(name, asked) : [];
    case "protocol":
      return name === "version" ? versionChanges(asked) : eraChanges;
    default:
      return authChanges(name ?? "", asked);
  }
}

function literalsAt(asked: Asked, path: readonly string[], form: Comparison["form"]): readonly string[] {
  const wanted = ["context", ...path].join(".");
  const found = asked.comparisons.filter((item) => item.form === form && item.path.join(".") === wanted);
  return [...new Set(found.map(({ literal }) => String(literal)))];
}

/** Texts that policies compare with, or that their patterns match or narrowly miss. */
function textsAt(asked: Asked, path: readonly string[]): readonly string[] {
  const patterns = asked.derivations.flatMap((item) =>
    item.kind === "matches" && item.path.join(".") === path.join(".") ? [item.pattern] : [],
  );
  return [
    ...literalsAt(asked, path, "plain"),
    ...patterns.flatMap((pattern) => [
      ...matchingSamples(pattern).slice(0, 2),
      ...nearMisses(pattern).slice(0, 1),
    ]),
  ];
}

function nowChanges(asked: Asked): Choices {
  const instants = literalsAt(asked, ["now"], "datetime").flatMap((text) => datetimeMsOf(text) ?? []);
  const times = literalsAt(asked, ["now"], "duration").flatMap((text) => durationMsOf(text) ?? []);
  const at =
    (ms: number): RequestChange =>
    (request) =>
      atTime(request, ms);
  const atTimeOfDay =
    (ms: number): RequestChange =>
    (request) =>
      atTime(request, Math.floor(request.nowMs / DAY_MS) * DAY_MS + ms);
  const around = (ms: number): readonly number[] => [ms, ms - 1, ms + 1];
  return [
    ...instants.flatMap(around).map(at),
    ...times
      .flatMap(around)
      .filter((ms) => ms >= 0 && ms < DAY_MS)
      .map(atTimeOfDay),
  ];
}

/** The same request at another time: the ages stay. */
function atTime(request: RequestFacts, nowMs: number): RequestFacts {
  const shiftMs = nowMs - request.nowMs;
  const { auth } = request;
  const { authenticatedAtMs } = auth;
  const moved = authenticatedAtMs === undefined ? {} : { authenticatedAtMs: authenticatedAtMs + shiftMs };
  return { ...request, nowMs, auth: { ...auth, issuedAtMs: auth.issuedAtMs + shiftMs, ...moved } };
}

/** Where policies ask for a kind of address instead of a range. */
const PLAIN_ADDRESSES = ["192.0.2.1", "127.0.0.1", "224.0.0.1", "2001:db8:0:0:0:0:0:1"];

function addressChanges(asked: Asked): Choices {
  const ranges = literalsAt(asked, ["sourceIp"], "ip").map(addressesAround);
  const most = Math.max(0, ...ranges.map((list) => list.length));
  // The insides of all ranges first: there are more ranges than may be tried in full.
  const steps = Array.from({ length: most }, (_none, index) => ranges.flatMap((list) => list[index] ?? []));
  const addresses = [...new Set([...steps.flat(), ...(ranges.length === 0 ? PLAIN_ADDRESSES : [])])];
  const without: RequestChange = ({ sourceIp: _sourceIp, ...request }) => request;
  const from =
    (sourceIp: string): RequestChange =>
    (request) => ({ ...request, sourceIp });
  return [...addresses.map(from), without];
}

function clientChanges(name: "id" | "name" | "version", asked: Asked): Choices {
  const values = [...new Set([...textsAt(asked, ["client", name]), "other"])];
  const without: RequestChange = (request) => {
    const entries = Object.entries(request.client).filter(([key]) => key !== name);
    return { ...request, client: Object.fromEntries(entries) };
  };
  return [
    ...values.map((value): RequestChange => (request) => ({
      ...request,
      client: { ...request.client, [name]: value },
    })),
    without,
  ];
}

const eraChanges: Choices = (["legacy", "modern"] as const).map((era): RequestChange => (request) => ({
  ...request,
  protocol: { ...request.protocol, era },
}));

function versionChanges(asked: Asked): Choices {
  const versions = [...textsAt(asked, ["protocol", "version"]), "2025-06-18"];
  return versions.map((version): RequestChange => (request) => ({
    ...request,
    protocol: { ...request.protocol, version },
  }));
}

type AuthChange = (auth: RequestFacts["auth"], nowMs: number) => RequestFacts["auth"];

function withAuth(change: AuthChange): RequestChange {
  return (request) => ({ ...request, auth: change(request.auth, request.nowMs) });
}

function authChanges(name: string, asked: Asked): Choices {
  const texts = [...new Set(textsAt(asked, ["auth", name]))];
  switch (name) {
    case "mfa":
      return [
        withAuth((auth) => ({ ...auth, amr: [...new Set([...auth.amr, "mfa"])].sort() })),
        withAuth((auth) => ({ ...auth, amr: auth.amr.filter((method) => method !== "mfa") })),
      ];
    case "amr":
    case "scopes": {
      const all = [...texts].sort();
      const sets = [all, ...texts.map((text) => [text]), []];
      return sets.map((set) => withAuth((auth) => ({ ...auth, [name]: set })));
    }
    case "acr":
      return [
        ...[...texts, "other"].map((acr) => withAuth((auth) => ({ ...auth, acr }))),
        withAuth(({ acr: _acr, ...auth }) => auth),
      ];
    case "issuer":
      return [...texts, "https://other.example/"].map((issuer) => withAuth((auth) => ({ ...auth, issuer })));
    case "tokenAge":
      return ages(asked, name).map((age) =>
        withAuth((auth, nowMs) => ({ ...auth, issuedAtMs: nowMs - age })),
      );
    case "authAge":
      return [
        ...ages(asked, name).map((age) =>
          withAuth((auth, nowMs) => ({ ...auth, authenticatedAtMs: nowMs - age })),
        ),
        withAuth(({ authenticatedAtMs: _at, ...auth }) => auth),
      ];
    default:
      return [];
  }
}

function ages(asked: Asked, name: string): readonly number[] {
  const found = literalsAt(asked, ["auth", name], "duration").flatMap((text) => durationMsOf(text) ?? []);
  const around = found.flatMap((age) => [age, age - 1, age + 1]);
  return [...new Set([0, ...around])].filter((age) => age >= 0);
}

/** The facts of a request that are read, by name; null where one is absent. For people. */
export function factsRead(request: RequestFacts, reads: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(reads.map((read) => [read, factText(request, read)]));
}

function factText(request: RequestFacts, read: string): string {
  const { nowMs, sourceIp, client, protocol, auth } = request;
  const record = new Map<string, unknown>([
    ["now", new Date(nowMs).toISOString()],
    ["sourceIp", sourceIp],
    ["client.id", client.id],
    ["client.name", client.name],
    ["client.version", client.version],
    ["protocol.era", protocol.era],
    ["protocol.version", protocol.version],
    ["auth.issuer", auth.issuer],
    ["auth.amr", auth.amr],
    ["auth.mfa", auth.amr.includes("mfa")],
    ["auth.acr", auth.acr],
    ["auth.scopes", auth.scopes],
    ["auth.tokenAge", `${nowMs - auth.issuedAtMs}ms`],
    [
      "auth.authAge",
      auth.authenticatedAtMs === undefined ? undefined : `${nowMs - auth.authenticatedAtMs}ms`,
    ],
  ]);
  const value = record.get(read);
  if (value === undefined) return "absent";
  return typeof value === "string" ? value : JSON.stringify(value);
}
