// Random pairs of policy sets, each the policies of one tool on the base and on the head, and random calls of them.
import { canonicalJson, sha256Hex } from "#bundle";
import type { AttributeMapping, BundleContent, PrincipalFacts, RequestFacts, SchemaProgram } from "#bundle";
import { UNKNOWN_REQUEST } from "#pdp";
import type { PlanInput } from "#plan";
import type { JsonObject, JsonValue } from "#std";
import { leafSchema } from "../../../../compiler/cedar/schema.ts";
import type { PolicyEst } from "../../../../compiler/cedar/est.ts";
import { Random } from "../../policy/differential/random.ts";

export interface Call {
  readonly principal: PrincipalFacts;
  readonly request: RequestFacts;
  readonly arguments: JsonObject;
}

export interface RandomCase {
  readonly action: string;
  readonly base: readonly PolicyEst[];
  readonly head: readonly PolicyEst[];
  readonly calls: readonly Call[];
}

export interface RandomSides {
  readonly base: PlanInput;
  readonly head: PlanInput;
  readonly cases: readonly RandomCase[];
}

const CALLS_PER_CASE = 250;
const LARGE = Number.MAX_SAFE_INTEGER;
const LONGS: readonly number[] = [0, 1, 2, 10, 11, -1, -5, 1000, LARGE, -LARGE];
const TEXTS: readonly string[] = ["", "a", "ab", "b", "a.b", "x", "é"];
const DECIMALS: readonly string[] = ["0.5", "1.0", "1.25", "-0.5"];
const TIMES: readonly string[] = ["2026-01-01T08:00:00.000Z", "2026-01-01", "1969-12-31T23:00:00.000Z"];
const RANGES: readonly string[] = ["10.0.0.0/8", "10.1.0.0/16", "127.0.0.1", "2001:db8::/32"];
const ADDRESSES: readonly string[] = [
  "10.0.0.1",
  "10.1.2.3",
  "127.0.0.1",
  "192.0.2.1",
  "2001:db8:0:0:0:0:0:1",
];
const ROLES: readonly string[] = ["reader", "writer"];

const ATTRIBUTES: readonly AttributeMapping[] = [
  { attribute: "dept", claim: "dept", type: "String", required: false },
  { attribute: "level", claim: "level", type: "Long", required: false },
  { attribute: "staff", claim: "staff", type: "Bool", required: true },
  { attribute: "teams", claim: "teams", type: "StringSet", required: false },
];

/** Members of the arguments: two that every call has, the rest optional. */
const PROGRAM: SchemaProgram = {
  root: 0,
  nodes: [
    {
      types: ["object"],
      properties: { amount: 1, name: 2, flag: 3, tags: 4, price: 6, inner: 7, limit: 8 },
      required: ["amount", "flag"],
      additionalProperties: 9,
      projection: "Record",
    },
    { types: ["integer"], projection: "Long" },
    { types: ["string"], maxLength: 40, projection: "String" },
    { types: ["boolean"], projection: "Bool" },
    { types: ["array"], items: 5, projection: "Set" },
    { types: ["string"], projection: "String" },
    { types: ["number"], minimum: -1000, maximum: 1000, projection: "Decimal" },
    { types: ["object"], properties: { depth: 1 }, projection: "Record" },
    { types: ["integer"], minimum: 1, maximum: 100, projection: "Long" },
    { always: false },
  ],
};

type Expr = JsonObject;

const value = (json: JsonValue): Expr => ({ Value: json });
const member = (left: Expr, attr: string): Expr => ({ ".": { left, attr } });
const binary = (operator: string, left: Expr, right: Expr): Expr => ({ [operator]: { left, right } });
const has = (left: Expr, attr: string): Expr => ({ has: { left, attr } });
const PRINCIPAL: Expr = { Var: "principal" };
const CONTEXT: Expr = { Var: "context" };
const ARGUMENTS = member(CONTEXT, "arguments");
const extension = (fn: string, text: string): Expr => ({ [fn]: [value(text)] });
const entity = (type: string, id: string): Expr => value({ __entity: { type, id } });

/** Makes policies and calls from one seed. */
class Maker {
  readonly random: Random;
  constructor(seed: number) {
    this.random = new Random(seed);
  }

  /** Mostly guarded: an absent attribute is an error, and an error denies. */
  #guarded(left: Expr, attr: string, test: (read: Expr) => Expr): Expr {
    const body = test(member(left, attr));
    return this.random.chance(0.2) ? body : binary("&&", has(left, attr), body);
  }

  long(depth: number): Expr {
    const { random } = this;
    if (depth > 0 && random.chance(0.4))
      return binary(random.pick(["+", "-", "*"]), this.long(depth - 1), this.long(depth - 1));
    if (depth > 0 && random.chance(0.1)) return { neg: { arg: this.long(depth - 1) } };
    return random.chance(0.6) ? member(ARGUMENTS, "amount") : value(random.pick(LONGS));
  }

  atom(): Expr {
    const { random } = this;
    const compare = random.pick(["==", "!=", "<", "<=", ">", ">="]);
    return random.pick<() => Expr>([
      () => binary(compare, this.long(2), this.long(1)),
      () => member(ARGUMENTS, "flag"),
      () => this.#text(),
      () => this.#set(),
      () => this.#decimal(),
      () => this.#who(),
      () => this.#when(),
      () => this.#where(),
      () =>
        this.#guarded(ARGUMENTS, "limit", (read) =>
          binary(compare, read, value(random.pick([0, 1, 50, 100, 101]))),
        ),
      () =>
        this.#guarded(ARGUMENTS, "inner", (inner) =>
          this.#guarded(inner, "depth", (read) => binary(compare, read, value(random.pick(LONGS)))),
        ),
      () => this.#guarded(PRINCIPAL, "level", (read) => binary(compare, read, value(random.pick([0, 1, 2])))),
    ])();
  }

  #text(): Expr {
    const { random } = this;
    const read = (test: (read: Expr) => Expr): Expr =>
      random.chance(0.7) ? this.#guarded(ARGUMENTS, "name", test) : this.#guarded(PRINCIPAL, "dept", test);
    const pieces = random.list(1 + random.below(3), () =>
      random.chance(0.5) ? "Wildcard" : { Literal: random.pick(["a", "b", ".", "é"]) },
    );
    return read((text) =>
      random.chance(0.5)
        ? binary(random.pick(["==", "!="]), text, value(random.pick(TEXTS)))
        : { like: { left: text, pattern: pieces as unknown as JsonValue } },
    );
  }

  #set(): Expr {
    const { random } = this;
    const listed = (): Expr => ({ Set: random.list(random.below(3), () => value(random.pick(TEXTS))) });
    const test = (set: Expr): Expr =>
      random.pick<() => Expr>([
        () => binary("contains", set, value(random.pick(TEXTS))),
        () => binary("containsAll", set, listed()),
        () => binary("containsAny", set, listed()),
        () => binary("containsAll", { Set: TEXTS.slice(0, 3).map(value) }, set),
        () => ({ isEmpty: { arg: set } }),
        () => binary("==", set, listed()),
      ])();
    return random.chance(0.6)
      ? this.#guarded(ARGUMENTS, "tags", test)
      : this.#guarded(PRINCIPAL, "teams", test);
  }

  #decimal(): Expr {
    const { random } = this;
    const method = random.pick(["lessThan", "lessThanOrEqual", "greaterThan", "greaterThanOrEqual"]);
    const bound = extension("decimal", random.pick(DECIMALS));
    return this.#guarded(ARGUMENTS, "price", (price) =>
      random.chance(0.8) ? { [method]: [price, bound] } : binary("==", price, bound),
    );
  }

  #who(): Expr {
    const { random } = this;
    const role = (): Expr => entity("Role", random.pick(ROLES));
    return random.pick<() => Expr>([
      () => binary("in", PRINCIPAL, role()),
      () => binary("in", PRINCIPAL, { Set: [role(), entity("Group", "g")] }),
      () => binary("==", PRINCIPAL, entity("User", "alice")),
      () => ({ is: { left: PRINCIPAL, entity_type: random.pick(["User", "Agent"]) } }),
      () => member(PRINCIPAL, "staff"),
      () => member(member(CONTEXT, "auth"), "mfa"),
    ])();
  }

  #when(): Expr {
    const { random } = this;
    const now = member(CONTEXT, "now");
    const compare = random.pick(["<", "<=", ">", ">="]);
    const span = extension("duration", random.pick(["0ms", "8h", "12h", "1d"]));
    return random.pick<() => Expr>([
      () => binary(compare, now, extension("datetime", random.pick(TIMES))),
      () => binary(compare, { toTime: [now] }, span),
      () => binary(compare, { durationSince: [now, extension("datetime", "2026-01-01")] }, span),
      () => binary("==", { toDate: [now] }, extension("datetime", "2026-01-01")),
      () => binary(compare, { toHours: [{ toTime: [now] }] }, value(random.pick([0, 8, 23]))),
      () => binary(compare, { offset: [now, span] }, extension("datetime", random.pick(TIMES))),
      () => binary(compare, member(member(CONTEXT, "auth"), "tokenAge"), span),
    ])();
  }

  #where(): Expr {
    const { random } = this;
    return this.#guarded(CONTEXT, "sourceIp", (ip) =>
      random.chance(0.7)
        ? { isInRange: [ip, extension("ip", random.pick(RANGES))] }
        : { [random.pick(["isIpv4", "isIpv6", "isLoopback", "isMulticast"])]: [ip] },
    );
  }

  condition(depth: number): Expr {
    const { random } = this;
    if (depth === 0 || random.chance(0.3)) return this.atom();
    const inner = (): Expr => this.condition(depth - 1);
    return random.pick<() => Expr>([
      () => binary("&&", inner(), inner()),
      () => binary("||", inner(), inner()),
      () => ({ "!": { arg: inner() } }),
      () => ({ "if-then-else": { if: inner(), then: inner(), else: inner() } }),
    ])();
  }

  policy(): PolicyEst {
    const { random } = this;
    const scope: JsonObject = random.pick<JsonObject>([
      { op: "All" },
      { op: "All" },
      { op: "in", entity: { type: "Role", id: random.pick(ROLES) } },
      { op: "is", entity_type: "User" },
      { op: "is", entity_type: "Agent", in: { entity: { type: "Role", id: "reader" } } },
      { op: "==", entity: { type: "User", id: "alice" } },
    ]);
    const conditions = random.list(1 + random.below(2), () => ({
      kind: random.pick(["when", "when", "unless"] as const),
      body: this.condition(2),
    }));
    return {
      effect: random.pick(["permit", "permit", "forbid"] as const),
      principal: scope,
      action: { op: "All" },
      resource: { op: "All" },
      conditions,
    };
  }

  /** The same policies, one of them a little different. */
  changed(policies: readonly PolicyEst[]): readonly PolicyEst[] {
    const { random } = this;
    const at = random.below(policies.length);
    const chosen = policies[at];
    if (chosen === undefined) return policies;
    const [first, ...rest] = chosen.conditions;
    const body = first?.body ?? value(true);
    const replaced = (made: PolicyEst): readonly PolicyEst[] => policies.with(at, made);
    return random.pick<() => readonly PolicyEst[]>([
      () => policies.toSpliced(at, 1),
      () => [...policies, this.policy()],
      () => replaced({ ...chosen, conditions: rest }),
      () =>
        replaced({
          ...chosen,
          conditions: [...chosen.conditions, { kind: "when", body: this.condition(1) }],
        }),
      () => replaced({ ...chosen, principal: { op: "All" } }),
      () =>
        replaced({
          ...chosen,
          conditions: [{ kind: "when", body: binary("||", body, this.atom()) }, ...rest],
        }),
      () =>
        replaced({
          ...chosen,
          conditions: [{ kind: "when", body: binary("&&", body, this.atom()) }, ...rest],
        }),
      // Equal for every call: something to prove.
      () => replaced({ ...chosen, conditions: [...rest, ...(first === undefined ? [] : [first])] }),
      () =>
        replaced({
          ...chosen,
          conditions: [
            { kind: first?.kind ?? "when", body: { "!": { arg: { "!": { arg: body } } } } },
            ...rest,
          ],
        }),
    ])();
  }

  #maybe<T>(make: () => T): T | undefined {
    return this.random.chance(0.6) ? make() : undefined;
  }

  call(): Call {
    const { random } = this;
    const optional = (entries: Readonly<Record<string, JsonValue | undefined>>): JsonObject =>
      Object.fromEntries(Object.entries(entries).filter(([, item]) => item !== undefined)) as JsonObject;
    const texts = (): readonly string[] => [
      ...new Set(random.list(random.below(4), () => random.pick(TEXTS))),
    ];
    const type = random.chance(0.7) ? "User" : "Agent";
    const nowMs = Date.parse(random.pick(TIMES)) + random.pick([0, 1, -1, 28_800_000, 43_200_000]);
    const address = this.#maybe(() => random.pick(ADDRESSES));
    const auth = UNKNOWN_REQUEST.auth;
    return {
      principal: {
        type,
        id: random.pick(["alice", "bob"]),
        tenant: "default",
        roles: ROLES.filter(() => random.chance(0.5)),
        groups: random.chance(0.3) ? ["g"] : [],
        attributes: optional({
          staff: random.chance(0.5),
          dept: this.#maybe(() => random.pick(TEXTS)),
          level: this.#maybe(() => random.pick([0, 1, 2, 3])),
          teams: this.#maybe(texts),
        }) as PrincipalFacts["attributes"],
      },
      request: {
        ...UNKNOWN_REQUEST,
        nowMs,
        ...(address === undefined ? {} : { sourceIp: address }),
        auth: {
          ...auth,
          amr: random.chance(0.5) ? ["mfa"] : [],
          issuedAtMs: nowMs - random.pick([0, 28_800_000, 28_800_001, 86_400_000]),
        },
      },
      arguments: optional({
        amount: random.pick(LONGS),
        flag: random.chance(0.5),
        name: this.#maybe(() => random.pick(TEXTS)),
        tags: this.#maybe(texts),
        price: this.#maybe(() => random.pick([0.5, 0.4999, 1, 1.25, -0.5, 2])),
        limit: this.#maybe(() => random.pick([1, 50, 51, 100])),
        inner: this.#maybe(() => optional({ depth: this.#maybe(() => random.pick(LONGS)) })),
      }),
    };
  }
}

/** `count` tools, each with the policies of one case. */
export function randomSides(seed: number, count: number): RandomSides {
  const maker = new Maker(seed);
  const cases = Array.from({ length: count }, (_none, index): RandomCase => {
    const base = maker.random.list(1 + maker.random.below(3), () => maker.policy());
    const calls = maker.random.list(CALLS_PER_CASE, () => maker.call());
    return {
      action: `tools/call:s/t${String(index).padStart(4, "0")}`,
      base,
      head: maker.changed(base),
      calls,
    };
  });
  return {
    base: inputOf(cases.map(({ action, base }) => [action, base])),
    head: inputOf(cases.map(({ action, head }) => [action, head])),
    cases,
  };
}

/** One side: a tool for each set of policies. */
export function inputOf(
  sets: readonly (readonly [action: string, policies: readonly PolicyEst[]])[],
): PlanInput {
  const residuals: Record<string, JsonObject> = {};
  const schemas: Record<string, JsonObject> = {};
  const keep = (table: Record<string, JsonObject>, json: JsonObject): string => {
    const digest = sha256Hex(canonicalJson(json));
    table[digest] = json;
    return digest;
  };
  const leaves = sets.map(([action]) => ({
    ...{ action, kind: "tool" as const, name: action.split("/").at(-1) ?? "", definitions: [] },
    ...{ argumentsProgram: PROGRAM, paramHeaders: [] },
  }));
  const slices = sets.map(([action, policies], index) => {
    const leaf = leaves[index];
    if (leaf === undefined) throw new Error("no leaf");
    const call = policies.map((policy, at) => ({
      id: `p${String(at)}`,
      residual: keep(residuals, policy as unknown as JsonObject),
    }));
    const schema = keep(schemas, leafSchema(leaf, ATTRIBUTES, [], ["auth", "now", "sourceIp"]));
    return { tenant: "default", action, schema, call, visibility: [], shadow: [], derivations: [] };
  });
  const server = {
    ...{ id: "s", tier: "internal", labels: [], transports: {}, pinMaxAgeMs: 1, eras: {}, leaves },
  };
  const content = {
    registry: { servers: [server] },
    policies: { residuals, schemas, slices },
    routes: { environments: { production: { routes: [], issuers: [issuer()] } } },
    vectors: { vectors: [] },
  } as unknown as BundleContent;
  return { bundle: { content, digest: sha256Hex(JSON.stringify(sets)) } };
}

function issuer(): JsonObject {
  return { tenant: "default", attributes: ATTRIBUTES as unknown as JsonValue };
}
