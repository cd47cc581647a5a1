// The callers of a plan: every principal of the tests of either side, and made-up ones that differ in one thing.
import { DEFAULT_TENANT, canonicalJson } from "#bundle";
import type { AttributeMapping, PrincipalFacts, PrincipalType, TenantId } from "#bundle";
import { UNKNOWN_REQUEST } from "#pdp";
import type { Comparison, PolicyLiterals } from "./policy-literals.ts";
import { matchingSamples, nearMisses } from "./sample-pattern.ts";
import type { NamedPrincipal, PlanSide } from "./plan-side.ts";

/** Made-up callers never have more attribute combinations than this. */
const MAX_ASSIGNMENTS = 16;
/** All combinations of required Booleans are tried up to this many; beyond, one is flipped at a time. */
const MAX_CROSSED_BOOLEANS = 3;
/** The id of a made-up caller. */
const CLASS_ID = "plan";

type AttributeValue = PrincipalFacts["attributes"][string];
type Attributes = PrincipalFacts["attributes"];

interface PrincipalPattern {
  readonly attribute: string;
  readonly pattern: string;
}

export interface AttributeChoices {
  readonly name: string;
  /** Undefined = absent. The first one stands where another attribute is varied. */
  readonly values: readonly (AttributeValue | undefined)[];
  readonly isCrossed: boolean;
}

/** Every class once, test principals first, then in order of name. */
export function principalClasses(
  base: PlanSide,
  head: PlanSide,
  literals: readonly PolicyLiterals[],
): readonly NamedPrincipal[] {
  const entities = literals.flatMap((item) => item.entities);
  const ids = (type: string): readonly string[] => [
    ...new Set(entities.filter((entity) => entity.type === type).map(({ id }) => id)),
  ];
  const tenants = tenantsOf(base, head);
  const isAgentNamed =
    ids("Agent").length > 0 ||
    literals.some(({ types }) => types.includes("Agent") || types.includes("User"));
  const classes = new Map<string, NamedPrincipal>();
  const add = (principal: NamedPrincipal): void => {
    const { id, ...rest } = principal.facts;
    // Only a caller that some policy names differs from others by its id.
    const named = namesIn(principal.facts.tenant, ids(principal.facts.type), tenants);
    const key = canonicalJson([named.includes(id) ? principal.facts : rest, principal.request]);
    if (!classes.has(key)) classes.set(key, principal);
  };
  const isShared = tenants.length > 1;
  for (const principal of testPrincipals(base, head)) {
    const { tenant } = principal.facts;
    add(isShared ? { ...principal, name: `${principal.name}, tenant ${tenant}` } : principal);
  }
  for (const tenant of tenants) {
    const own = (type: string): readonly string[] => namesIn(tenant, ids(type), tenants);
    const named: ClassNames = {
      tenant,
      roles: [...new Set([...base.roles, ...head.roles, ...own("Role")])].sort(),
      groups: own("Group"),
      users: own("User"),
      agents: own("Agent"),
      types: isAgentNamed ? ["User", "Agent"] : ["User"],
    };
    for (const attributes of assignments(base, head, literals)) {
      for (const principal of classesOf(named, attributes)) add(principal);
    }
  }
  return [...classes.values()];
}

/** What policies call the callers of one tenant. */
interface ClassNames {
  readonly tenant: TenantId;
  readonly roles: readonly string[];
  readonly groups: readonly string[];
  readonly users: readonly string[];
  readonly agents: readonly string[];
  /** `Agent` only where a policy tells the types apart. */
  readonly types: readonly PrincipalType[];
}

function classesOf(names: ClassNames, attributes: Attributes): readonly NamedPrincipal[] {
  const { tenant, types } = names;
  const shown = Object.entries(attributes).map(([name, value]) => `${name} = ${JSON.stringify(value)}`);
  const where = tenant === DEFAULT_TENANT ? [] : [`tenant ${tenant}`];
  return types.flatMap((type): readonly NamedPrincipal[] => {
    const noun = type === "User" ? [] : ["agent"];
    const one = (what: string, own: Partial<PrincipalFacts>): NamedPrincipal => ({
      name: [...noun, what, ...where, ...shown].join(", "),
      facts: { type, id: CLASS_ID, tenant, attributes, roles: [], groups: [], ...own },
      request: UNKNOWN_REQUEST,
    });
    const ids = type === "User" ? names.users : names.agents;
    return [
      one("no role", {}),
      ...names.roles.map((role) => one(`role ${role}`, { roles: [role] })),
      ...names.groups.map((group) => one(`group ${group}`, { groups: [group] })),
      ...ids.map((id) => one(`${type === "User" ? "user" : "id"} ${id}`, { id })),
    ];
  });
}

/** Tenants with slices on either side, the default one first. */
export function tenantsOf(base: PlanSide, head: PlanSide): readonly TenantId[] {
  const found = [base, head].flatMap(({ content }) => content.policies.slices.map(({ tenant }) => tenant));
  const others = [...new Set(found)].filter((tenant) => tenant !== DEFAULT_TENANT).sort();
  return [DEFAULT_TENANT, ...others];
}

/** Entity ids as the callers of one tenant are called, sorted. */
export function namesIn(
  tenant: TenantId,
  ids: readonly string[],
  tenants: readonly TenantId[],
): readonly string[] {
  const ownerOf = (id: string): TenantId =>
    tenants.find((item) => id.startsWith(`${item}/`)) ?? DEFAULT_TENANT;
  const own = ids.filter((id) => ownerOf(id) === tenant);
  return own.map((id) => (tenant === DEFAULT_TENANT ? id : id.slice(tenant.length + 1))).sort();
}

/** Test principals of both sides by name; one that means something else in the base says so. */
function testPrincipals(base: PlanSide, head: PlanSide): readonly NamedPrincipal[] {
  const sorted = (side: PlanSide): readonly NamedPrincipal[] =>
    [...side.principals].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const meaning = ({ facts, request }: NamedPrincipal): string => canonicalJson([facts, request]);
  const known = new Map(head.principals.map((principal) => [principal.name, meaning(principal)]));
  const before = sorted(base).map((principal) => {
    const now = known.get(principal.name);
    const isOther = now !== undefined && now !== meaning(principal);
    return isOther ? { ...principal, name: `${principal.name} (as in the base)` } : principal;
  });
  return [...sorted(head), ...before];
}

function assignments(
  base: PlanSide,
  head: PlanSide,
  literals: readonly PolicyLiterals[],
): readonly Attributes[] {
  const choices = attributeChoices(base, head, literals);
  const crossed = choices.filter(({ isCrossed }) => isCrossed).slice(0, MAX_CROSSED_BOOLEANS);
  let found: (readonly (readonly [string, AttributeValue | undefined])[])[] = [[]];
  for (const { name, values } of crossed) {
    found = found.flatMap((entries) => values.map((value) => [...entries, [name, value] as const]));
  }
  const rest = choices.filter((choice) => !crossed.includes(choice));
  const plain = rest.map(({ name, values }) => [name, values[0]] as const);
  const variants = rest.flatMap(({ name, values }) =>
    values.slice(1).map((value) => [...plain.filter(([other]) => other !== name), [name, value] as const]),
  );
  const usual = found.map((entries) => [...entries, ...plain]);
  const first = found[0] ?? [];
  const all = [...usual, ...variants.map((variant) => [...first, ...variant])];
  return all.slice(0, MAX_ASSIGNMENTS).map(attributesOf);
}

function attributesOf(entries: readonly (readonly [string, AttributeValue | undefined])[]): Attributes {
  const present = entries.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
  return Object.fromEntries(present.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Every mapped attribute, with the values that policies tell apart. */
export function attributeChoices(
  base: PlanSide,
  head: PlanSide,
  literals: readonly PolicyLiterals[],
): readonly AttributeChoices[] {
  const mappings = new Map<string, AttributeMapping>();
  for (const mapping of [...head.issuers, ...base.issuers].flatMap(({ attributes }) => attributes)) {
    const known = mappings.get(mapping.attribute);
    mappings.set(mapping.attribute, {
      ...mapping,
      required: mapping.required || known?.required === true,
    });
  }
  const comparisons = literals.flatMap((item) => item.comparisons);
  const patterns = [...principalPatterns(base), ...principalPatterns(head)];
  return [...mappings.values()]
    .sort((a, b) => (a.attribute < b.attribute ? -1 : 1))
    .map((mapping) => {
      const values = valuesOf(mapping, comparisons, patterns);
      const isCrossed = mapping.type === "Bool" && mapping.required;
      return {
        name: mapping.attribute,
        values: mapping.required ? values : [undefined, ...values],
        isCrossed,
      };
    });
}

function principalPatterns(side: PlanSide): readonly PrincipalPattern[] {
  return side.content.policies.slices.flatMap(({ derivations }) =>
    derivations.flatMap((derivation) => {
      const attribute = derivation.path[0] === "principal" ? derivation.path[1] : undefined;
      if (derivation.kind !== "matches" || attribute === undefined) return [];
      return [{ attribute, pattern: derivation.pattern }];
    }),
  );
}

function valuesOf(
  mapping: AttributeMapping,
  comparisons: readonly Comparison[],
  patterns: readonly PrincipalPattern[],
): readonly AttributeValue[] {
  const compared = comparisons
    .filter(({ path }) => path[0] === "principal" && path[1] === mapping.attribute)
    .map(({ literal }) => literal);
  const texts = compared.filter((value) => typeof value === "string");
  switch (mapping.type) {
    case "Bool":
      return [false, true];
    case "Long": {
      const numbers = compared.filter((value) => typeof value === "number");
      return unique([0, ...numbers.flatMap((value) => [value - 1, value, value + 1])]);
    }
    case "String": {
      const own = patterns.filter(({ attribute }) => attribute === mapping.attribute);
      const sampled = own.flatMap(({ pattern }) => [
        ...matchingSamples(pattern).slice(0, 2),
        ...nearMisses(pattern).slice(0, 1),
      ]);
      return unique(["other", ...texts, ...sampled]);
    }
    case "StringSet":
      return [[], ...unique(texts).map((text) => [text])];
  }
}

function unique<T>(items: readonly T[]): readonly T[] {
  return [...new Set(items)];
}
