// From a record to the call as one version of the repository would see it: what the record holds, what can be computed
// from it, and a stand-in for what is missing.
import { annotationsOf, primitiveOf } from "#bundle";
import type { Derivation, LeafEntry, PrincipalFacts, Slice } from "#bundle";
import { createFactProgram, factName } from "#facts";
import type { FactResources } from "#facts";
import type { FactReads, ReadMember, SchemaView } from "#pdp";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { parentsPath } from "./partial-slice.ts";
import type { MissingFact, PartialCall } from "./partial-slice.ts";
import { callerOf } from "./recorded-decision.ts";
import type { KnownIdentity } from "./recorded-identity.ts";
import type { FactState, RecordedDecision, RecordedFacts } from "./recorded-decision.ts";

/** What the record is read for. */
export interface CallShape {
  readonly slice: Slice;
  readonly leaf: LeafEntry;
  readonly server: string;
  readonly reads: FactReads;
  readonly view: SchemaView;
  readonly resources: FactResources;
  /** The record was made by policies that saw the elements of lists as these do. */
  readonly trustsElements: boolean;
}

/** Undefined where not even the type of the caller is known. */
export async function recordedCall(
  record: RecordedDecision,
  shape: CallShape,
  identity: KnownIdentity,
  signal: AbortSignal,
): Promise<PartialCall | undefined> {
  const { facts } = record;
  const caller = callerOf(record);
  if (facts === undefined || caller === undefined) return undefined;
  const witness = shape.view.witnessContext(shape.slice.action) ?? {};
  const declared = shape.view.contextMembers(shape.slice.action);
  const missing: MissingFact[] = [];
  const known = new KnownFacts(facts, shape.trustsElements, missing);
  const principal = principalOf(caller, facts, { ...shape, identity }, missing);
  const context: Record<string, JsonValue> = {
    ...{ primitive: primitiveOf(shape.leaf.kind), target: shape.leaf.name, server: shape.server },
  };
  context["arguments"] = argumentsOf(shape.reads.arguments, known, witness["arguments"]);
  known.put(context, ["extra"], witness["extra"] ?? []);
  for (const name of shape.reads.request) known.put(context, [name], witness[name]);
  if (declared.has("annotations")) context["annotations"] = { ...annotationsOf(shape.leaf) } as JsonObject;
  await derived(context, principal, { shape, identity, known, witness, missing, signal });
  const members = Object.entries(context).filter(([name]) => declared.has(name));
  return { principal, context: Object.fromEntries(members), missing };
}

class KnownFacts {
  readonly facts: RecordedFacts;
  readonly #missing: MissingFact[];
  readonly #trustsElements: boolean;

  constructor(facts: RecordedFacts, trustsElements: boolean, missing: MissingFact[]) {
    this.facts = facts;
    this.#trustsElements = trustsElements;
    this.#missing = missing;
  }

  /** Of elements, a record holds the members that were read then: whether these are enough is known to few. */
  state(path: readonly string[]): FactState {
    const state = this.facts.state(path);
    const isOpen = state.kind === "value" && !this.#trustsElements && hasRecords(state.value);
    return isOpen ? { kind: "unknown" } : state;
  }

  /** Puts the fact there, or its stand-in, which is absent where the schema does not require one. */
  put(into: Record<string, JsonValue>, path: readonly string[], witness: JsonValue | undefined): void {
    const name = path.at(-1) ?? "";
    const state = this.state(path);
    if (state.kind === "value") into[name] = state.value;
    if (state.kind === "value" || state.kind === "absent") return;
    this.#missing.push({
      path,
      name: factName(path),
      isPresent: state.kind === "withheld" || witness !== undefined,
    });
    if (witness !== undefined) into[name] = witness;
  }
}

function hasRecords(value: JsonValue): boolean {
  return Array.isArray(value) && value.some((item: JsonValue) => Array.isArray(item) || isPlain(item));
}

function isPlain(value: JsonValue): boolean {
  return isJsonObject(value) && !Object.hasOwn(value, "__extn");
}

function argumentsOf(
  members: readonly ReadMember[],
  known: KnownFacts,
  witness: JsonValue | undefined,
  at: readonly string[] = ["arguments"],
): JsonObject {
  const into = Object.create(null) as Record<string, JsonValue>;
  for (const { name, members: below } of members) {
    const path = [...at, name];
    const required = isJsonObject(witness ?? null) ? (witness as JsonObject)[name] : undefined;
    const state = known.state(path);
    if (below !== undefined && state.kind === "value" && isJsonObject(state.value))
      into[name] = argumentsOf(below, known, required ?? {}, path);
    else known.put(into, path, required);
  }
  return { ...into };
}

function principalOf(
  caller: PrincipalFacts,
  facts: RecordedFacts,
  { reads, view, identity }: CallShape & { readonly identity: KnownIdentity },
  missing: MissingFact[],
): PrincipalFacts {
  const attributes: Record<string, PrincipalFacts["attributes"][string]> = { ...caller.attributes };
  const witness = view.witnessAttributes(caller.type) ?? {};
  for (const name of reads.attributes) {
    const path = ["principal", name];
    const isOther = identity.isOther(name);
    const state: FactState = isOther ? { kind: "unknown" } : facts.state(path);
    if (state.kind === "value" || state.kind === "absent") continue;
    if (isOther) delete attributes[name];
    const isPresent = state.kind === "withheld" || Object.hasOwn(witness, name);
    missing.push({ path, name: factName(path), isPresent });
  }
  // The engine takes nobody without the attributes that every caller has, read or not.
  for (const [name, value] of Object.entries(witness))
    if (!Object.hasOwn(attributes, name)) attributes[name] = value as PrincipalFacts["attributes"][string];
  const { roles, groups } = facts.identity();
  const { hasOtherRoles, hasOtherGroups } = identity;
  if (reads.readsGroups && (groups === undefined || hasOtherGroups))
    missing.push({ path: parentsPath("Group"), name: "principal.groups", isPresent: true });
  if (hasOtherRoles || (roles === undefined && facts.withheld.has("principal.roles")))
    missing.push({ path: parentsPath("Role"), name: "principal.roles", isPresent: true });
  return {
    ...caller,
    attributes,
    ...(hasOtherRoles ? { roles: [] } : {}),
    ...(hasOtherGroups ? { groups: [] } : {}),
  };
}

interface Deriving {
  readonly shape: CallShape;
  readonly identity: KnownIdentity;
  readonly known: KnownFacts;
  readonly witness: JsonObject;
  readonly missing: MissingFact[];
  readonly signal: AbortSignal;
}

/** Adds `_m` and `_d`: as recorded, computed anew where what they are computed from is known, else a stand-in. */
async function derived(
  context: Record<string, JsonValue>,
  principal: PrincipalFacts,
  deriving: Deriving,
): Promise<void> {
  const groups = { _m: emptyRecord(), _d: emptyRecord() };
  for (const derivation of deriving.shape.reads.derivations.values()) {
    const group = derivation.kind === "matches" ? "_m" : "_d";
    const path = [group, derivation.name];
    const [root, attribute = ""] = derivation.path;
    const isOther = root === "principal" && deriving.identity.isOther(attribute);
    const recorded: FactState = isOther ? { kind: "unknown" } : deriving.known.facts.state(path);
    const witness = memberOf(memberOf(deriving.witness, group), derivation.name);
    if (recorded.kind === "value" && !isPlain(recorded.value)) {
      groups[group][derivation.name] = recorded.value;
      continue;
    }
    const computed = await compute(derivation, context, principal, deriving);
    if (computed !== undefined) groups[group][derivation.name] = computed;
    else if (recorded.kind === "value")
      groups[group][derivation.name] = partial(derivation, path, witness, deriving);
    else {
      deriving.missing.push({ path, name: factName(derivation.path), isPresent: true });
      if (witness !== undefined) groups[group][derivation.name] = witness;
    }
  }
  context["_m"] = { ...groups._m };
  context["_d"] = { ...groups._d };
}

/** A fact of several members, of which the record may hold some. */
function partial(
  derivation: Derivation,
  path: readonly string[],
  witness: JsonValue | undefined,
  { known, missing }: Deriving,
): JsonObject {
  const into = emptyRecord();
  for (const [member, standIn] of Object.entries(
    isJsonObject(witness ?? null) ? (witness as JsonObject) : {},
  )) {
    const state = known.facts.state([...path, member]);
    if (state.kind !== "value")
      missing.push({ path: [...path, member], name: factName(derivation.path), isPresent: true });
    into[member] = state.kind === "value" ? state.value : standIn;
  }
  return { ...into };
}

async function compute(
  derivation: Derivation,
  context: JsonObject,
  principal: PrincipalFacts,
  { shape, missing, signal }: Deriving,
): Promise<JsonValue | undefined> {
  const isMissing = missing.some(({ path }) =>
    path.every((name, index) => index >= derivation.path.length || derivation.path[index] === name),
  );
  if (isMissing) return undefined;
  const outcome = await createFactProgram([derivation], shape.resources).derive(context, principal, signal);
  if (!outcome.ok) return undefined;
  return outcome.facts[derivation.kind === "matches" ? "_m" : "_d"][derivation.name];
}

function memberOf(value: JsonValue | undefined, name: string): JsonValue | undefined {
  return isJsonObject(value ?? null) && Object.hasOwn(value as JsonObject, name)
    ? (value as JsonObject)[name]
    : undefined;
}

function emptyRecord(): Record<string, JsonValue> {
  return Object.create(null) as Record<string, JsonValue>;
}
