// What a random repository is about: its servers, what each offers, and the tenants that may use them.
import { leafActionOf, METHOD_KINDS, METHODS_OF_KIND } from "#bundle";
import type { LeafAction, LeafKind, MethodKind, TenantId } from "#bundle";
import type { Dice } from "./dice.ts";
import { randomFields } from "./fields.ts";
import type { Field, FieldKind } from "./fields.ts";

export type Group = "tools" | "resources" | "prompts";

export interface Leaf {
  readonly server: string;
  readonly kind: LeafKind;
  readonly name: string;
  readonly action: LeafAction;
  readonly fields: readonly Field[];
  /** Hints of a tool that differ from the defaults. */
  readonly annotations: Readonly<Record<string, boolean>>;
  /** The argument `sql` is declared to hold SQL. */
  readonly hasSql: boolean;
}

export interface ServerShape {
  readonly id: string;
  readonly tier: string;
  readonly labels: readonly string[];
}

/** What one layer may name: everything for the platform. */
export interface Shape {
  readonly servers: readonly ServerShape[];
  /** What is pinned, and the methods. */
  readonly leaves: readonly Leaf[];
}

export interface TenantShape extends Shape {
  readonly id: TenantId;
}

export interface World extends Shape {
  readonly tenants: readonly TenantShape[];
}

const HINTS = ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"];
const TIERS = ["production", "internal", "prod2"];
export const LABELS = ["data", "web", "finance"];

function field(name: string, kind: FieldKind): Field {
  return { name, kind, required: true, fields: [] };
}

const URI: readonly Field[] = [field("uri", "text")];

function fieldsOf(kinds: Readonly<Partial<Record<FieldKind, readonly string[]>>>): readonly Field[] {
  return Object.entries(kinds).flatMap(([kind, names]) =>
    names.map((name) => field(name, kind as FieldKind)),
  );
}

/** The table "What the methods have in `context.arguments`" of the language's document. */
const METHOD_FIELDS: Readonly<Record<MethodKind, readonly Field[]>> = {
  sampling: fieldsOf({
    whole: ["maxTokens", "messageCount"],
    list: ["modelHints", "tools", "contentTypes"],
    text: ["toolChoice", "includeContext", "modelHintLines"],
    flag: ["hasSystemPrompt"],
  }),
  elicitation: fieldsOf({ text: ["mode", "url", "urlScheme", "urlHost", "fieldLines"], list: ["fields"] }),
  roots: fieldsOf({ text: ["uri", "scheme"], flag: ["isCanonical"] }),
  completion: fieldsOf({ text: ["refType", "ref", "argument"] }),
  subscription: URI,
  logging: fieldsOf({ text: ["level"] }),
  task: fieldsOf({ text: ["taskId", "tool", "direction"] }),
};

export function groupOf({ kind }: Leaf): Group | undefined {
  if (kind === "tool") return "tools";
  if (kind === "prompt") return "prompts";
  return kind === "resource" || kind === "resource-template" ? "resources" : undefined;
}

export function isMethod({ kind }: Leaf): boolean {
  return (METHOD_KINDS as readonly LeafKind[]).includes(kind);
}

/** The leaf of a resource rule of one server. */
export function ruleLeaf(server: string, pattern: string): Leaf {
  const action = leafActionOf("resources/read", server, pattern);
  return {
    server,
    kind: "resource-rule",
    name: pattern,
    action,
    fields: URI,
    annotations: {},
    hasSql: false,
  };
}

function promptFields(dice: Dice): readonly Field[] {
  return dice
    .some(["topic", "style"])
    .map((name) => ({ name, kind: "text", required: dice.chance(0.5), fields: [] }));
}

function leavesOf(dice: Dice, server: string): readonly Leaf[] {
  const leaf = (kind: LeafKind, name: string, fields: readonly Field[]): Leaf => ({
    ...{ server, kind, name, fields },
    action: leafActionOf(METHODS_OF_KIND[kind][0], server, name),
    annotations:
      kind === "tool" ? Object.fromEntries(dice.some(HINTS).map((hint) => [hint, dice.chance(0.5)])) : {},
    hasSql: kind === "tool" && fields.some((item) => item.name === "sql" && item.kind === "text"),
  });
  const methods = METHOD_KINDS.flatMap((kind) =>
    METHODS_OF_KIND[kind].map((method): Leaf => ({
      ...leaf(kind, "", METHOD_FIELDS[kind]),
      action: leafActionOf(method, server, ""),
    })),
  );
  return [
    ...dice.times(1, 3, (index) => leaf("tool", `${server}.t${String(index)}`, randomFields(dice))),
    ...(dice.chance(0.5) ? [leaf("tool", "shared", randomFields(dice))] : []),
    ...dice.times(0, 2, (index) => leaf("resource", `${server}://r${String(index)}`, URI)),
    ...dice.times(0, 1, () => leaf("resource-template", `${server}://x/{id}`, URI)),
    ...dice.times(0, 1, (index) => leaf("prompt", `${server}.p${String(index)}`, promptFields(dice))),
    ...methods,
  ];
}

/** What a tenant that has some of the servers may name. */
function tenantShape(id: TenantId, servers: readonly ServerShape[], leaves: readonly Leaf[]): TenantShape {
  return {
    id,
    servers,
    leaves: leaves.filter((leaf) => servers.some((server) => server.id === leaf.server)),
  };
}

export function randomWorld(dice: Dice): World {
  const servers = dice.times(1, 3, (index) => ({
    id: `s${String(index)}`,
    tier: dice.pick(TIERS),
    labels: dice.some(LABELS),
  }));
  const leaves = servers.flatMap(({ id }) => leavesOf(dice, id));
  const tenants = dice.some(["acme", "globex"], 0.6).map((id) => {
    const own = dice.some(servers, 0.7);
    return tenantShape(id, own.length === 0 ? servers : own, leaves);
  });
  return { servers, leaves, tenants };
}

/** A leaf to write about: methods are many, and what is pinned matters more. */
export function pickLeaf(dice: Dice, { leaves }: Shape): Leaf {
  const methods = leaves.filter(isMethod);
  const pinned = leaves.filter((leaf) => !isMethod(leaf));
  const asks = methods.filter(
    ({ kind }) => kind === "sampling" || kind === "elicitation" || kind === "roots",
  );
  return dice.pick(dice.chance(0.65) ? pinned : dice.chance(0.6) ? asks : methods);
}
