// The facts of a decision as its record keeps them, where the release asks for them: enough to decide it again, and
// no text of the arguments unless the release says `all`.
import type { BundleContent, Derivation, Digest, FactsEntry, FactsMode, LeafEntry, TenantId } from "#bundle";
import { factName } from "#facts";
import { factReads } from "#pdp";
import type { DecisionQuery, FactReads, ReadMember } from "#pdp";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";

/** UTF-8 bytes of JSON that the facts of one record may take; what does not fit is withheld. */
const MAX_FACTS_BYTES = 16 * 1024;
/** Names of withheld and of absent facts that one record lists, each; what is not listed is unknown to a replay. */
const MAX_NAMES = 256;
/** As `decisionRecord` cuts them; where it does, the facts hold them whole. */
const MAX_RECORDED_ROLES = 64;
const MAX_RECORDED_TEXT = 512;

export interface DecisionFactsRecorder {
  /**
   * The member `facts` of a decision record; undefined where the tenant's mode is `none`. `definition`: the approved
   * definition that the arguments were checked by.
   */
  readonly factsOf: (query: DecisionQuery, definition: Digest | undefined) => JsonObject | undefined;
}

/** Undefined where the release asks for no facts at all: then nothing is computed for any call. */
export function createFactsRecorder(
  content: Pick<BundleContent, "policies" | "registry" | "retention">,
): DecisionFactsRecorder | undefined {
  const asked = content.retention?.facts;
  if (asked === undefined || modes(asked).every((mode) => mode === "none")) return undefined;
  const slices = new Map(content.policies.slices.map((slice) => [key(slice.tenant, slice.action), slice]));
  const leaves = new Map(
    content.registry.servers.flatMap((server) => server.leaves.map((leaf) => [leaf.action, leaf] as const)),
  );
  const known = new Map<string, FactReads>();
  const readsOf = (query: DecisionQuery): FactReads => {
    const id = key(query.tenant, query.action);
    const before = known.get(id);
    if (before !== undefined) return before;
    const slice = slices.get(id);
    const leaf = leaves.get(query.action);
    const reads = slice === undefined || leaf === undefined ? NOTHING_READ : factReads(content, slice, leaf);
    known.set(id, reads);
    return reads;
  };
  return {
    factsOf: (query, definition) => {
      const mode = factsMode(asked, query.tenant);
      return mode === "none" ? undefined : recordedFacts(query, readsOf(query), mode, definition);
    },
  };
}

/** The mode that holds for a tenant. */
export function factsMode(facts: FactsEntry, tenant: TenantId): FactsMode {
  return (
    (Object.hasOwn(facts.tenants, tenant) ? facts.tenants[tenant] : undefined) ?? facts.default ?? "none"
  );
}

function modes(facts: FactsEntry): readonly FactsMode[] {
  return [facts.default ?? "none", ...Object.values(facts.tenants)];
}

function key(tenant: TenantId, action: LeafEntry["action"]): string {
  return `${tenant}\0${action}`;
}

const NOTHING_READ: FactReads = {
  ...{ arguments: [], derivations: new Map(), request: [], attributes: [], readsGroups: false },
};

/** Facts of one call. What is neither here nor named in `withheld` or `absent` was not read. */
export function recordedFacts(
  query: DecisionQuery,
  reads: FactReads,
  mode: Exclude<FactsMode, "none">,
  definition?: Digest,
): JsonObject {
  const { principal, shadow } = query;
  const known = shadow?.ok === true ? shadow.context : query.context;
  const kept = new KeptFacts(mode);
  const who: Record<string, JsonValue> = { type: principal.type, tenant: principal.tenant };
  if (principal.id.length > MAX_RECORDED_TEXT) kept.put(who, ["principal", "id"], principal.id);
  const { roles } = principal;
  if (roles.length > MAX_RECORDED_ROLES || roles.some((role) => role.length > MAX_RECORDED_TEXT))
    kept.put(who, ["principal", "roles"], roles);
  const attributes: Record<string, JsonValue> = empty();
  for (const name of reads.attributes) {
    const has = Object.hasOwn(principal.attributes, name);
    const value = has ? principal.attributes[name] : undefined;
    if (value === undefined) kept.absent(["principal", name]);
    else kept.put(attributes, ["principal", name], value);
  }
  // Presence alone: what no policy reads may still be what the issuer's mapping requires.
  const others = Object.keys(principal.attributes).filter((name) => !reads.attributes.includes(name));
  if (others.length > 0) kept.put(who, ["principal", "otherAttributes"], others.sort());
  if (reads.readsGroups) kept.put(who, ["principal", "groups"], principal.groups);
  const context: Record<string, JsonValue> = empty();
  for (const name of reads.request) {
    const value = known[name];
    if (value === undefined) kept.absent([name]);
    else kept.put(context, [name], value);
  }
  derivedFacts(known, reads.derivations, kept, context);
  const given = known["arguments"];
  context["arguments"] = memberFacts(
    isJsonObject(given ?? null) ? (given as JsonObject) : {},
    reads.arguments,
    kept,
  );
  const extra = known["extra"] ?? [];
  kept.putGiven(context, ["extra"], extra, Array.isArray(extra) && extra.length > 0);
  return {
    mode,
    ...(definition === undefined ? {} : { definition }),
    principal: { ...who, attributes },
    context,
    absent: kept.absentNames,
    withheld: kept.withheldNames,
  };
}

function memberFacts(
  value: JsonObject,
  members: readonly ReadMember[],
  kept: KeptFacts,
  at: readonly string[] = ["arguments"],
): JsonObject {
  const into = empty();
  for (const { name, members: below } of members) {
    const path = [...at, name];
    const member = Object.hasOwn(value, name) ? value[name] : undefined;
    if (member === undefined) kept.absent(path);
    else if (below !== undefined && isJsonObject(member)) into[name] = memberFacts(member, below, kept, path);
    else kept.putGiven(into, path, member, holdsText(member));
  }
  return into;
}

/** A fact of the caller's own text is text of the arguments only where it quotes some. */
function derivedFacts(
  known: JsonObject,
  derivations: FactReads["derivations"],
  kept: KeptFacts,
  into: Record<string, JsonValue>,
): void {
  for (const group of ["_m", "_d"]) {
    const facts = known[group];
    const here: Record<string, JsonValue> = empty();
    for (const [name, fact] of Object.entries(isJsonObject(facts ?? null) ? (facts as JsonObject) : {})) {
      const derivation = derivations.get(name);
      const isOfCaller = derivation?.path[0] === "principal";
      if (!isJsonObject(fact)) {
        kept.putGiven(here, [group, name], fact, !isOfCaller && quotesText(fact));
        continue;
      }
      const members: Record<string, JsonValue> = empty();
      for (const [member, value] of Object.entries(fact)) {
        const isText = !isOfCaller && !isOfParser(derivation, member) && quotesText(value);
        kept.putGiven(members, [group, name, member], value, isText);
      }
      here[name] = members;
    }
    into[group] = here;
  }
}

/** Words of the SQL parser, not of the caller. */
function isOfParser(derivation: Derivation | undefined, member: string): boolean {
  return derivation?.kind === "sql" && member === "operations";
}

/** True for text with something in it, and for a list of such. */
function quotesText(fact: JsonValue): boolean {
  return typeof fact === "string" ? fact !== "" : Array.isArray(fact) && fact.some(holdsText);
}

/** True where a projected value is text or holds some; a decimal number is none. */
function holdsText(value: unknown): boolean {
  if (typeof value === "string") return true;
  if (Array.isArray(value)) return value.some(holdsText);
  if (typeof value !== "object" || value === null) return false;
  return !Object.hasOwn(value, "__extn") && Object.values(value).some(holdsText);
}

class KeptFacts {
  readonly absentNames: string[] = [];
  readonly withheldNames: string[] = [];
  readonly #withText: boolean;
  #remainingBytes = MAX_FACTS_BYTES;

  constructor(mode: FactsMode) {
    this.#withText = mode === "all";
  }

  /** A fact that the caller did not write into the arguments. */
  put(into: Record<string, JsonValue>, path: readonly string[], value: JsonValue): void {
    const bytes = Buffer.byteLength(JSON.stringify(value)) + (path.at(-1)?.length ?? 0) + 4;
    if (bytes > this.#remainingBytes) {
      this.#name(this.withheldNames, path);
      return;
    }
    this.#remainingBytes -= bytes;
    into[path.at(-1) ?? ""] = value;
  }

  /** A fact of the arguments; `isText`: the caller's own words. */
  putGiven(
    into: Record<string, JsonValue>,
    path: readonly string[],
    value: JsonValue,
    isText: boolean,
  ): void {
    if (isText && !this.#withText) this.#name(this.withheldNames, path);
    else this.put(into, path, value);
  }

  absent(path: readonly string[]): void {
    this.#name(this.absentNames, path);
  }

  #name(names: string[], path: readonly string[]): void {
    const name = factName(path);
    if (names.length >= MAX_NAMES || name.length > this.#remainingBytes) return;
    this.#remainingBytes -= name.length;
    names.push(name);
  }
}

function empty(): Record<string, JsonValue> {
  return Object.create(null) as Record<string, JsonValue>;
}
