// Cedar text of the policies that YAML documents mean.
import type { PinnedLeaf } from "./registry.ts";

/** A Cedar string literal. */
export function cedarString(text: string): string {
  const escaped = text.replace(/[\\"\p{Cc}\p{Cf}\u2028\u2029]/gu, (character) =>
    character === "\\" || character === '"'
      ? `\\${character}`
      : `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
  return `"${escaped}"`;
}

export function entity(type: string, id: string): string {
  return `${type}::${cedarString(id)}`;
}

/** The principal of a policy's scope, and the condition that several roles need. */
export function principalScope(roles: readonly string[] | undefined): {
  readonly head: string;
  readonly conditions: readonly string[];
} {
  const [onlyRole] = roles ?? [];
  if (roles?.length === 1 && onlyRole !== undefined)
    return { head: `principal in ${entity("Role", onlyRole)}`, conditions: [] };
  // An empty list was reported where it was read.
  if (roles === undefined || roles.length === 0) return { head: "principal", conditions: [] };
  const any = roles.map((role) => entity("Role", role)).join(", ");
  return { head: "principal", conditions: [`when { principal in [${any}] }`] };
}

export interface PolicyTextParts {
  readonly effect: "permit" | "forbid";
  /** Role names; undefined = anyone. */
  readonly roles: readonly string[] | undefined;
  /** Definitions of one server; at least one. */
  readonly leaves: readonly PinnedLeaf[];
  readonly when?: string;
  readonly unless?: string;
}

/** One policy over definitions of one server. */
export function policyText(parts: PolicyTextParts): string {
  const { effect, roles, leaves } = parts;
  const actions = leaves.map((leaf) => entity("Action", leaf.leaf.action));
  const action = actions.length === 1 ? `action == ${actions[0]}` : `action in [${actions.join(", ")}]`;
  const server = leaves[0]?.server.entry.id ?? "";
  const { head: principal, conditions: ofRoles } = principalScope(roles);
  const conditions = [...ofRoles];
  if (parts.when !== undefined) conditions.push(`when { ${parts.when} }`);
  if (parts.unless !== undefined) conditions.push(`unless { ${parts.unless} }`);
  const head = `${effect} (${principal}, ${action}, resource == ${entity("Server", server)})`;
  return `${[head, ...conditions].join(" ")};`;
}
