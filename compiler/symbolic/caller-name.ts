// What a made-up caller is called in a row, and the witness that stands behind the row.
import { DEFAULT_TENANT } from "#bundle";
import type { PrincipalFacts } from "#bundle";

/** E.g. `agent, role analyst, tenant acme, region = "eu"`, as the classes of the search are called. */
export function callerName({ type, id, roles, groups, tenant, attributes }: PrincipalFacts): string {
  const names = [
    ...(id === "plan" ? [] : [`${type === "User" ? "user" : "id"} ${id}`]),
    ...roles.map((role) => `role ${role}`),
    ...groups.map((group) => `group ${group}`),
  ];
  return [
    ...(type === "User" ? [] : ["agent"]),
    ...(names.length === 0 ? ["no role"] : names),
    ...(tenant === DEFAULT_TENANT ? [] : [`tenant ${tenant}`]),
    ...Object.entries(attributes).map(([name, value]) => `${name} = ${JSON.stringify(value)}`),
  ].join(", ");
}
