// Whether cedar-wasm accepts schemas and policies, without keeping what it parsed. Parsing a schema has a price that hardly
// depends on its size, so that schemas that differ in their actions alone are joined and parsed together.
import { TrustError } from "#errors";
import { isJsonObject } from "#std";
import type { JsonObject, Turn } from "#std";
import type { CedarInstance } from "./cedar-instance.ts";

/** Parsed at once: about a millisecond. */
const MAX_JOINED_SCHEMAS = 8;
const MAX_JOINED_POLICIES = 20;

/** A schema or policy in Cedar's JSON form, by what an operator would look for. */
export interface NamedJson {
  readonly what: string;
  readonly json: JsonObject;
}

interface JoinedSchemas {
  /** Everything but the actions, as text: equal for all that are joined. */
  readonly rest: string;
  /** Each action with its text, so that one that two schemas declare differently is seen. */
  readonly texts: Map<string, string>;
  readonly actions: Record<string, unknown>;
  readonly members: NamedJson[];
}

/**
 * Checks every schema as Cedar would alone.
 * @throws {TrustError} BUNDLE_INVALID naming the first that is refused
 */
export async function checkSchemas(
  cedar: CedarInstance,
  schemas: Iterable<NamedJson>,
  turn: Turn,
): Promise<void> {
  let joined: JoinedSchemas | undefined;
  for (const schema of schemas) {
    await turn.pause();
    const parts = separateActions(schema.json);
    if (parts === undefined) {
      requireSchema(cedar, schema);
      continue;
    }
    if (joined !== undefined && join(joined, parts, schema)) continue;
    if (joined !== undefined) requireJoined(cedar, joined);
    joined = { rest: parts.rest, texts: new Map(), actions: nameless(), members: [] };
    join(joined, parts, schema);
  }
  if (joined !== undefined) requireJoined(cedar, joined);
}

/**
 * Checks every policy, which must not depend on one another.
 * @throws {TrustError} BUNDLE_INVALID naming the first that is refused
 */
export async function checkPolicies(
  cedar: CedarInstance,
  policies: readonly NamedJson[],
  turn: Turn,
): Promise<void> {
  for (let start = 0; start < policies.length; start += MAX_JOINED_POLICIES) {
    await turn.pause();
    const joined = policies.slice(start, start + MAX_JOINED_POLICIES);
    const fault = policyFault(cedar, joined);
    if (fault === undefined) continue;
    for (const policy of joined) {
      const own = policyFault(cedar, [policy]);
      if (own !== undefined) throw refused(policy, own);
    }
    throw refused(joined[0], fault);
  }
}

function policyFault(cedar: CedarInstance, policies: readonly NamedJson[]): string | undefined {
  const staticPolicies = Object.fromEntries(policies.map(({ json }, index) => [`p${String(index)}`, json]));
  return faultOf(cedar.checkParsePolicySet({ staticPolicies } as never));
}

function requireJoined(cedar: CedarInstance, { rest, actions, members }: JoinedSchemas): void {
  const fragment = JSON.parse(rest) as JsonObject;
  const fault = faultOf(cedar.checkParseSchema({ "": { ...fragment, actions } } as never));
  if (fault === undefined) return;
  for (const member of members) requireSchema(cedar, member);
  throw refused(members[0], fault);
}

function requireSchema(cedar: CedarInstance, schema: NamedJson): void {
  const fault = faultOf(cedar.checkParseSchema(schema.json as never));
  if (fault !== undefined) throw refused(schema, fault);
}

/** False where the two do not fit together. */
function join(
  joined: JoinedSchemas,
  parts: NonNullable<ReturnType<typeof separateActions>>,
  schema: NamedJson,
): boolean {
  if (joined.rest !== parts.rest || joined.members.length >= MAX_JOINED_SCHEMAS) return false;
  const texts = parts.actions.map(([name, action]) => [name, action, JSON.stringify(action)] as const);
  if (texts.some(([name, , text]) => (joined.texts.get(name) ?? text) !== text)) return false;
  for (const [name, action, text] of texts) {
    joined.texts.set(name, text);
    joined.actions[name] = action;
  }
  joined.members.push(schema);
  return true;
}

/**
 * A schema of the nameless namespace whose actions name no group but their own schema's: only then is it as valid joined as
 * alone. Undefined for any other.
 */
function separateActions(
  schema: JsonObject,
): { readonly rest: string; readonly actions: readonly (readonly [string, JsonObject])[] } | undefined {
  const [namespace, ...others] = Object.keys(schema);
  const fragment = schema[""];
  if (namespace !== "" || others.length > 0 || !isJsonObject(fragment)) return undefined;
  const { actions, ...rest } = fragment;
  if (!isJsonObject(actions)) return undefined;
  const entries: (readonly [string, JsonObject])[] = [];
  for (const [name, action] of Object.entries(actions)) {
    if (!isJsonObject(action) || !groupsAreOwn(action, actions)) return undefined;
    entries.push([name, action]);
  }
  return { rest: JSON.stringify(rest), actions: entries };
}

function groupsAreOwn(action: JsonObject, actions: JsonObject): boolean {
  const groups = action["memberOf"] ?? [];
  return (
    Array.isArray(groups) &&
    groups.every(
      (group) =>
        isJsonObject(group) &&
        Object.keys(group).length === 1 &&
        typeof group["id"] === "string" &&
        Object.hasOwn(actions, group["id"]),
    )
  );
}

/** Action names are data, `__proto__` among them. */
function nameless(): Record<string, unknown> {
  return Object.create(null) as Record<string, unknown>;
}

function faultOf(answer: ReturnType<CedarInstance["checkParseSchema"]>): string | undefined {
  return answer.type === "success" ? undefined : (answer.errors[0]?.message ?? "no message");
}

function refused(subject: NamedJson | undefined, fault: string): TrustError {
  return new TrustError("BUNDLE_INVALID", `${subject?.what ?? "a policy"} cannot be parsed: ${fault}`);
}
