// One side of a question: its schema, its caller and its context as terms over the unknowns that both sides share.
import { DEFAULT_TENANT, annotationsOf, methodOfAction, primitiveOf } from "#bundle";
import type { BundleContent, LeafEntry, PrincipalType, ServerEntry, Slice, TenantId } from "#bundle";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import type { PlanIssuer } from "../calls/plan-side.ts";
import type { RawArguments } from "./raw-arguments.ts";
import { fixedRecord, readRecord, readType } from "./request-types.ts";
import type { TypeReader } from "./request-types.ts";
import { attributesOf, canDerive, symbolicFacts } from "./symbolic-facts.ts";
import type { FactInputs } from "./symbolic-facts.ts";
import { scalar } from "./symbolic-values.ts";
import type { SymbolicRecord, SymbolicValue } from "./symbolic-values.ts";
import { FALSE, TRUE, and, equal, implies, not, or, text } from "./terms.ts";
import type { Term } from "./terms.ts";
import type { FixedEntity, SymbolicPrincipal, World } from "./world.ts";

/** Everything that decides one leaf for one tenant on one side. */
export interface QuestionSide {
  readonly content: BundleContent;
  readonly server: ServerEntry;
  readonly leaf: LeafEntry;
  readonly slice: Slice;
  readonly issuers: readonly PlanIssuer[];
  /** Tenants of the bundle without the default one. */
  readonly tenants: ReadonlySet<TenantId>;
}

export interface SideWorld {
  readonly world: World;
  /** Where the gateway asks the policies at all: the caller and the arguments are admitted. */
  readonly isAsked: Term;
  readonly inputs: FactInputs;
  readonly factTypes: JsonObject;
}

/** What the sides share, and what tells this one apart. */
export interface SideOptions {
  readonly type: PrincipalType;
  readonly raw: RawArguments;
  readonly reader: TypeReader;
  readonly sideTag: string;
  readonly abstracted: Set<string>;
  /** The set of undescribed argument names, as this side sees it. */
  readonly extra: SymbolicValue;
}

export function sideWorld(side: QuestionSide, options: SideOptions): SideWorld {
  const { raw, reader, type } = options;
  const schema = schemaOf(side);
  const shape = attributesOf(memberAt(schema, "entityTypes", type, "shape"));
  const contextTypes = attributesOf(memberAt(schema, "actions", side.leaf.action, "appliesTo", "context"));
  const factTypes = attributesOf(contextTypes["_d"]);
  const attributes = readRecord(
    { type: "Record", attributes: typedAttributes(shape) },
    ["principal"],
    reader,
  );
  const principalAttributes = withPlainNames(attributes, shape);
  const projected = raw.project(side.slice.argumentsProgram ?? side.leaf.argumentsProgram);
  const members = contextMembers(side, contextTypes, options, projected.record);
  const bare = fixedRecord(members);
  const context: SymbolicRecord = {
    kind: "Record",
    member: (name) => {
      if (name === "_m" || name === "_d") return { isPresent: TRUE, value: facts[name] };
      return name === "sourceIp" && members.has(name) ? sourceIp(members, reader) : bare.member(name);
    },
  };
  const inputs: FactInputs = { context, principal: principalAttributes, raw, reader };
  const facts = symbolicFacts(side.slice.derivations, factTypes, inputs);
  const principal = symbolicPrincipal(side, options, principalAttributes);
  const world: World = {
    symbols: reader.symbols,
    principal,
    action: {
      type: "Action",
      id: side.leaf.action,
      groups: [methodOfAction(side.leaf.action)],
      attributes: fixedRecord(new Map()),
    },
    resource: serverEntity(side.server),
    context,
    literals: reader.literals,
    sideTag: options.sideTag,
    abstracted: options.abstracted,
  };
  const isAsked = and(
    isAdmitted(side, options),
    conforms(shape, reader),
    projected.accepts,
    canDerive(side.slice.derivations, reader.symbols),
  );
  return { world, isAsked, inputs, factTypes };
}

function schemaOf({ content, slice }: QuestionSide): JsonObject {
  const schema = content.policies.schemas[slice.schema];
  return memberAt(schema, "");
}

function memberAt(value: JsonValue | undefined, ...path: readonly string[]): JsonObject {
  let current: JsonValue | undefined = value;
  for (const name of path) {
    current =
      current !== undefined && isJsonObject(current) && Object.hasOwn(current, name)
        ? current[name]
        : undefined;
  }
  return current !== undefined && isJsonObject(current) ? current : {};
}

/** An attribute is known by its name and type: sides that give it different types speak of different values. */
function typedName(name: string, type: JsonValue): string {
  const { required: _required, ...plain } = isJsonObject(type) ? type : {};
  return `${name} ${JSON.stringify(plain)}`;
}

function typedAttributes(shape: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(shape).map(([name, type]) => [
      typedName(name, type),
      // A token may lack what the schema asks for; the gateway then refuses the call.
      { ...(isJsonObject(type) ? type : {}), required: false },
    ]),
  );
}

function withPlainNames(typed: SymbolicRecord, shape: JsonObject): SymbolicRecord {
  return {
    kind: "Record",
    member: (name) => {
      const type = Object.hasOwn(shape, name) ? shape[name] : undefined;
      return type === undefined ? undefined : typed.member(typedName(name, type));
    },
  };
}

/** Whether a caller has an attribute of any type. */
function hasAttribute(name: string, { symbols }: TypeReader): Term {
  return symbols.unknown("Bool", "has attribute", name);
}

/** Required attributes are there, and all of them have the declared types. */
function conforms(shape: JsonObject, reader: TypeReader): Term {
  const terms = Object.entries(shape).map(([name, type]) => {
    const own = reader.symbols.unknown("Bool", "present", "principal", typedName(name, type));
    const has = hasAttribute(name, reader);
    reader.symbols.assert(implies(own, has));
    const isOptional = isJsonObject(type) && type["required"] === false;
    return and(equal(own, has), isOptional ? TRUE : has);
  });
  return and(...terms);
}

/** The tenant's issuers vouch for the caller, and nothing of another tenant is in its name. */
function isAdmitted({ slice, issuers, tenants }: QuestionSide, { reader }: SideOptions): Term {
  const vouching = issuers.filter((issuer) => issuer.tenants.includes(slice.tenant));
  const complete = vouching.map(({ attributes }) =>
    and(
      ...attributes
        .filter(({ required }) => required)
        .map(({ attribute }) => hasAttribute(attribute, reader)),
    ),
  );
  const isVouched = vouching.length === 0 ? TRUE : or(...complete);
  if (slice.tenant !== DEFAULT_TENANT) return isVouched;
  const id = callerId(reader);
  const forged = [...tenants].map((tenant) => `(str.prefixof ${text(`${tenant}/`)} ${id})`);
  return and(isVouched, not(or(...forged)));
}

/** The caller's own id, without its tenant. */
function callerId({ symbols }: TypeReader): Term {
  return symbols.unknown("String", "caller id");
}

function symbolicPrincipal(
  { slice: { tenant }, tenants }: QuestionSide,
  { type, reader }: SideOptions,
  attributes: SymbolicRecord,
): SymbolicPrincipal {
  /** The name within the tenant; undefined for one of another tenant. */
  const ownName = (id: string): string | undefined => {
    if (tenant !== DEFAULT_TENANT)
      return id.startsWith(`${tenant}/`) ? id.slice(tenant.length + 1) : undefined;
    const slash = id.indexOf("/");
    return slash !== -1 && tenants.has(id.slice(0, slash)) ? undefined : id;
  };
  const isEntity = (entityType: string, id: string): Term => {
    const name = entityType === type ? ownName(id) : undefined;
    return name === undefined ? FALSE : equal(callerId(reader), text(name));
  };
  return {
    type,
    attributes,
    isEntity,
    isIn: (entityType, id) => {
      if (entityType === "Tenant") return id === tenant ? TRUE : FALSE;
      if (entityType !== "Role" && entityType !== "Group") return isEntity(entityType, id);
      const name = ownName(id);
      return name === undefined ? FALSE : reader.symbols.unknown("Bool", entityType, name);
    },
  };
}

function serverEntity({ id, tier, labels }: ServerEntry): FixedEntity {
  const attributes = fixedRecord(
    new Map<string, SymbolicValue>([
      ["tier", scalar("String", text(tier))],
      ["labels", { kind: "Set", members: labels.map((label) => scalar("String", text(label))) }],
    ]),
  );
  return { type: "Server", id, groups: [], attributes };
}

function contextMembers(
  { leaf, server }: QuestionSide,
  types: JsonObject,
  { reader, extra }: SideOptions,
  args: SymbolicRecord,
): ReadonlyMap<string, SymbolicValue> {
  const annotations = Object.entries(annotationsOf(leaf) ?? {}).map(
    ([name, value]) => [name, scalar("Bool", String(value))] as const,
  );
  const members = new Map<string, SymbolicValue>([
    ["primitive", scalar("String", text(primitiveOf(leaf.kind)))],
    ["target", scalar("String", text(leaf.name))],
    ["server", scalar("String", text(server.id))],
    ["arguments", args],
    ["extra", extra],
  ]);
  for (const [name, type] of Object.entries(types)) {
    if (members.has(name) || name === "_m" || name === "_d") continue;
    const isFixed = name === "annotations";
    members.set(
      name,
      isFixed ? fixedRecord(new Map(annotations)) : readType(type, ["request", name], reader),
    );
  }
  relate(members, reader);
  return members;
}

/** What holds of every request that the gateway describes. */
function relate(members: ReadonlyMap<string, SymbolicValue>, { symbols }: TypeReader): void {
  const auth = members.get("auth");
  if (auth?.kind === "Record") {
    const [mfa, amr] = [auth.member("mfa")?.value, auth.member("amr")?.value];
    if (mfa?.kind === "Bool" && amr?.kind === "RequestSet")
      symbols.assert(equal(mfa.term, amr.has(text("mfa"))));
  }
  const protocol = members.get("protocol");
  const era = protocol?.kind === "Record" ? protocol.member("era")?.value : undefined;
  if (era?.kind === "String")
    symbols.assert(or(equal(era.term, text("legacy")), equal(era.term, text("modern"))));
}

function sourceIp(
  members: ReadonlyMap<string, SymbolicValue>,
  { symbols }: TypeReader,
): ReturnType<SymbolicRecord["member"]> {
  const value = members.get("sourceIp");
  return value === undefined
    ? undefined
    : { isPresent: symbols.unknown("Bool", "present", "request", "sourceIp"), value };
}
