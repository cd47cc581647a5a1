// The caller and the server as Cedar entities, and the check that nothing reaches the engine that makes it throw:
// a throwing call leaks wasm stack, and some 1,400 of them kill an instance.
import { DEFAULT_TENANT } from "#bundle";
import type { EntityRef, PrincipalFacts, ServerEntry, Slice, TenantId } from "#bundle";
import { isRawNumber } from "#std";
import type { JsonValue } from "#std";
import type { SchemaView } from "./schema-view.ts";

export interface CedarEntity {
  readonly uid: EntityRef;
  readonly attrs: Readonly<Record<string, string | boolean | number | readonly string[]>>;
  readonly parents: readonly EntityRef[];
}

/** cedar-wasm refuses a context from about 128 levels with a throw. */
const maxContextDepth = 100;
/** Values looked at in one query; a pinned schema keeps real calls far below. */
const maxContextValues = 200_000;
/** Roles and groups of one caller. Cedar computes the hierarchy anew for each call. */
const maxParents = 1_000;

/** Entity types whose ids belong to a tenant. */
export const TENANT_QUALIFIED: ReadonlySet<string> = new Set(["Agent", "Group", "Role", "User"]);

/** Id of a role, group or caller: the default tenant's are bare, another tenant's are `<tenant>/<name>`. */
export function qualifiedId(tenant: TenantId, name: string): string {
  return tenant === DEFAULT_TENANT ? name : `${tenant}/${name}`;
}

/** Tenants of a bundle's slices, without the default one. */
export function tenantsOf(slices: readonly Pick<Slice, "tenant">[]): ReadonlySet<TenantId> {
  return new Set(slices.map((slice) => slice.tenant).filter((tenant) => tenant !== DEFAULT_TENANT));
}

/** True for a bare name that reads as the qualified name of another tenant: its token must not make it one. */
function isForged(name: string, tenant: TenantId, tenants: ReadonlySet<TenantId>): boolean {
  if (tenant !== DEFAULT_TENANT) return false;
  const slash = name.indexOf("/");
  return slash !== -1 && tenants.has(name.slice(0, slash));
}

/**
 * The principal with the attributes and parents that the schema declares. What it does not declare no policy can
 * read, and the engine would refuse the whole request for it. A role or group whose name reads as one of another of
 * `tenants` is left out. Undefined where the caller has too many parents, or is called like one of another tenant.
 */
export function principalEntity(
  facts: PrincipalFacts,
  schema: SchemaView,
  tenants: ReadonlySet<TenantId>,
): CedarEntity | undefined {
  if (facts.roles.length + facts.groups.length > maxParents) return undefined;
  if (isForged(facts.id, facts.tenant, tenants)) return undefined;
  const shape = schema.entity(facts.type);
  const attrs = Object.entries(facts.attributes).filter(([name]) => shape?.attributes.has(name) === true);
  const parents: EntityRef[] =
    shape?.parentTypes.has("Tenant") === true ? [{ type: "Tenant", id: facts.tenant }] : [];
  for (const [type, names] of [["Role", facts.roles] as const, ["Group", facts.groups] as const]) {
    if (shape?.parentTypes.has(type) !== true) continue;
    const known = schema.entity(type)?.enumeration;
    const own = names.filter((name) => !isForged(name, facts.tenant, tenants));
    for (const id of new Set(own.map((name) => qualifiedId(facts.tenant, name)))) {
      if (known === undefined || known.has(id)) parents.push({ type, id });
    }
  }
  const uid = { type: facts.type, id: qualifiedId(facts.tenant, facts.id) };
  return { uid, attrs: Object.fromEntries(attrs), parents };
}

/** The server with the attributes that the schema declares. */
export function serverEntity(server: ServerEntry, schema: SchemaView): CedarEntity {
  const declared = schema.entity("Server")?.attributes ?? new Set<string>();
  const attrs = Object.entries({ tier: server.tier, labels: server.labels }).filter(([name]) =>
    declared.has(name),
  );
  return { uid: { type: "Server", id: server.id }, attrs: Object.fromEntries(attrs), parents: [] };
}

/**
 * True where cedar-wasm accepts the value without throwing: well-formed strings, safe integers, no null, no lossless
 * number, bounded depth and size.
 */
export function isCedarSafe(value: JsonValue | CedarEntity): boolean {
  let budget = maxContextValues;
  const visit = (node: unknown, depth: number): boolean => {
    budget -= 1;
    if (budget < 0 || depth > maxContextDepth) return false;
    switch (typeof node) {
      case "string":
        return node.isWellFormed();
      case "boolean":
        return true;
      case "number":
        return Number.isSafeInteger(node) && !Object.is(node, -0);
      case "object":
        if (node === null) return false;
        if (Array.isArray(node)) return node.every((item) => visit(item, depth + 1));
        return !isRawNumber(node) && visitMembers(node, depth);
      default:
        return false;
    }
  };
  const visitMembers = (node: object, depth: number): boolean =>
    Object.entries(node).every(([key, member]) => key.isWellFormed() && visit(member, depth + 1));
  return visit(value, 0);
}
