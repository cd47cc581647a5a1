// Facts that are computed before the policies run, as a reviewer reads them.
import { DEFAULT_TENANT } from "#bundle";
import type { BundleContent, Derivation } from "#bundle";
import type { JsonObject } from "#std";

/** Each fact by its description, with the definitions whose policies read it; a tenant's with its name. */
export function derivationTable(content: BundleContent): ReadonlyMap<string, JsonObject> {
  const found = new Map<string, Set<string>>();
  for (const { tenant, action, derivations } of content.policies.slices) {
    const subject = tenant === DEFAULT_TENANT ? action : `${tenant}: ${action}`;
    for (const derivation of derivations) {
      const name = describeDerivation(derivation);
      const actions = found.get(name) ?? new Set();
      found.set(name, actions.add(subject));
    }
  }
  return new Map([...found].map(([name, actions]) => [name, { of: [...actions].sort() }]));
}

/** e.g. `arguments.sql matches (?i)^\s*SELECT\s`, `SQL facts of arguments.sql`. */
export function describeDerivation(derivation: Derivation): string {
  const at = derivation.path.join(".");
  switch (derivation.kind) {
    case "matches":
      return `${at} matches ${derivation.pattern}`;
    case "sql":
      return `SQL facts of ${at}`;
    case "sqlNames":
      return `${derivation.member} of ${at} are among ${derivation.patterns.join(", ")}`;
    case "every": {
      const element = [...derivation.element, ...(derivation.part === "text" ? [] : [derivation.part])];
      const each = element.length === 0 ? "" : ` (${element.join(".")})`;
      return `every element of ${at}${each} matches ${derivation.pattern}`;
    }
    case "range": {
      const element = derivation.element.length === 0 ? "" : ` (${derivation.element.join(".")})`;
      return `least and greatest ${derivation.of} in ${at}${element}`;
    }
    default:
      return `${derivation.kind} of ${at}`;
  }
}
