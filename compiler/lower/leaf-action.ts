// The Cedar action id of a pinned definition.
import type { LeafAction, LeafKind, ServerId } from "#bundle";

/** MCP method that a leaf of this kind is called with. */
export const METHOD_OF_KIND: Readonly<Record<LeafKind, string>> = {
  tool: "tools/call",
  resource: "resources/read",
  "resource-template": "resources/read",
  prompt: "prompts/get",
};

/** `<method>:<server>/<name>`. Server ids contain no slash, so the id is unique across servers. */
export function leafActionOf(server: ServerId, kind: LeafKind, name: string): LeafAction {
  return `${METHOD_OF_KIND[kind]}:${server}/${name}`;
}
