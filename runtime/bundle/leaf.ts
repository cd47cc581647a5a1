// What each kind of leaf is called by: the methods that use it, and the ids of its Cedar actions.
import { isJsonObject } from "#std";
import type { LeafAction, LeafEntry, LeafKind, MethodKind, ServerId } from "./sections.ts";

/** MCP methods that a leaf of each kind decides. Each is an action group; a kind with several has a leaf for each. */
export const METHODS_OF_KIND: Readonly<Record<LeafKind, readonly [string, ...string[]]>> = {
  tool: ["tools/call"],
  resource: ["resources/read"],
  "resource-template": ["resources/read"],
  "resource-rule": ["resources/read"],
  prompt: ["prompts/get"],
  completion: ["completion/complete"],
  elicitation: ["elicitation/create"],
  logging: ["logging/setLevel"],
  roots: ["roots/list"],
  sampling: ["sampling/createMessage"],
  subscription: ["resources/subscribe"],
  task: ["tasks/cancel", "tasks/get", "tasks/list", "tasks/result", "tasks/update"],
};

/** Kinds that stand for a method of a server rather than for something it lists, sorted. */
export const METHOD_KINDS: readonly MethodKind[] = [
  "completion",
  "elicitation",
  "logging",
  "roots",
  "sampling",
  "subscription",
  "task",
];

/** `context.primitive` of a leaf. */
export type Primitive = "tool" | "resource" | "prompt" | MethodKind;

export function primitiveOf(kind: LeafKind): Primitive {
  return kind === "resource-template" || kind === "resource-rule" ? "resource" : kind;
}

/** True for a kind whose leaves are a server's methods: nothing is pinned or listed for them. */
export function isMethodKind(kind: LeafKind): kind is MethodKind {
  return (METHOD_KINDS as readonly LeafKind[]).includes(kind);
}

/** The method of a leaf: its action group. No method contains a colon. */
export function methodOfAction(action: LeafAction): string {
  return action.slice(0, action.indexOf(":"));
}

/** `<method>:<server>/<name>`, or `<method>:<server>` where `name` is empty. Server ids contain no slash. */
export function leafActionOf(method: string, server: ServerId, name: string): LeafAction {
  return name === "" ? `${method}:${server}` : `${method}:${server}/${name}`;
}

/** `context.annotations` of a tool: what its approved definition claims about itself (MCP tools, annotations). */
export interface ToolAnnotations {
  readonly readOnlyHint: boolean;
  readonly destructiveHint: boolean;
  readonly idempotentHint: boolean;
  readonly openWorldHint: boolean;
}

/**
 * The annotations of a leaf, with the defaults of the protocol; undefined for what is no tool. Where the eras differ the
 * more dangerous claim counts.
 */
export function annotationsOf(leaf: LeafEntry): ToolAnnotations | undefined {
  if (leaf.kind !== "tool") return undefined;
  const claims = leaf.definitions.map(({ definition }) => definition["annotations"]);
  const claimed = (name: keyof ToolAnnotations, otherwise: boolean): readonly boolean[] =>
    claims.map((claim) => {
      const value = isJsonObject(claim) ? claim[name] : undefined;
      return typeof value === "boolean" ? value : otherwise;
    });
  return {
    readOnlyHint: claims.length > 0 && claimed("readOnlyHint", false).every(Boolean),
    destructiveHint: claims.length === 0 || claimed("destructiveHint", true).some(Boolean),
    idempotentHint: claims.length > 0 && claimed("idempotentHint", false).every(Boolean),
    openWorldHint: claims.length === 0 || claimed("openWorldHint", true).some(Boolean),
  };
}
