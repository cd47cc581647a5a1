// A role that no token can ever give: its permits grant nothing, its forbids stop nobody.
import { entitiesIn, entitySpan } from "../cedar/index.ts";
import type { SourceSpan } from "../diagnostics/index.ts";
import { didYouMean } from "../documents/yaml-source.ts";
import type { CheckContext, CheckRule } from "./context.ts";

export const unmappedRole: CheckRule = {
  name: "unmapped-role",
  run: (context) => {
    const given = givenRoles(context);
    if (given === undefined) return;
    for (const [role, at] of namedRoles(context)) {
      if (given.has(role)) continue;
      const message = `no issuer maps a claim to the role ${JSON.stringify(role)}`;
      context.sink.report("ROLE_UNMAPPED", at, message, didYouMean(role, [...given]));
    }
  },
};

/** Roles that a token can give; undefined where one issuer takes them from its claim as they are. */
function givenRoles({ documents }: CheckContext): ReadonlySet<string> | undefined {
  const issuers = documents.identity.flatMap(({ shape }) => shape.issuers);
  if (issuers.length === 0) return undefined;
  const given = new Set<string>();
  for (const { roles } of issuers) {
    if (roles !== undefined && roles.map === undefined) return undefined;
    for (const role of Object.values(roles?.map ?? {})) given.add(role);
  }
  return given;
}

/** Each role once: where it is declared, else where it is first named. */
function namedRoles({ documents, parsed }: CheckContext): ReadonlyMap<string, SourceSpan> {
  const places = new Map<string, SourceSpan>();
  const note = (role: string, at: SourceSpan): void => {
    if (!places.has(role)) places.set(role, at);
  };
  const { project } = documents;
  for (const [index, role] of (project?.shape.roles ?? []).entries()) {
    const at = project?.source.at("roles", index);
    if (at !== undefined) note(role, at);
  }
  for (const policy of parsed) {
    for (const entity of entitiesIn(policy)) {
      if (entity.type !== "Role") continue;
      note(entity.id, policy.authored ? entitySpan(policy, entity) : policy.source);
    }
  }
  return places;
}
