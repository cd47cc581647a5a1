// What a client declared that it can be asked: the only ground on which a server may ask it for something.
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { elicitationMode } from "./ask.ts";
import type { Ask, AskMethod } from "./ask.ts";
import type { AskedCaller, AskedServer } from "./ask-context.ts";

interface AskCapability {
  readonly name: string;
  readonly method: AskMethod;
  /** Members that mean something here; others are taken out. */
  readonly members: readonly string[];
}

const ASK_CAPABILITIES: readonly AskCapability[] = [
  { name: "elicitation", method: "elicitation/create", members: ["form", "url"] },
  { name: "roots", method: "roots/list", members: ["listChanged"] },
  { name: "sampling", method: "sampling/createMessage", members: ["context", "tools"] },
];

/** Whether what the client declared covers an ask (MCP 2025-11-25 and 2026-07-28, client capabilities). */
export function isDeclared(capabilities: JsonObject, ask: Ask): boolean {
  switch (ask.method) {
    case "roots/list":
      return isJsonObject(capabilities["roots"]);
    case "sampling/createMessage": {
      const sampling = capabilities["sampling"];
      if (!isJsonObject(sampling)) return false;
      const usesTools = ask.params["tools"] !== undefined || ask.params["toolChoice"] !== undefined;
      return !usesTools || isJsonObject(sampling["tools"]);
    }
    case "elicitation/create": {
      const elicitation = capabilities["elicitation"];
      if (!isJsonObject(elicitation)) return false;
      if (elicitationMode(ask.params) === "url") return isJsonObject(elicitation["url"]);
      // Without either mode it is the form alone, as it was before there were modes.
      return isJsonObject(elicitation["form"]) || !isJsonObject(elicitation["url"]);
    }
  }
}

/**
 * The capabilities of a client as a server is told of them: those alone whose requests a policy could allow for this
 * caller. Experimental ones and extensions are not governed, and not told.
 */
export function forwardedCapabilities(
  declared: JsonValue | undefined,
  { snapshot, route, server }: AskedServer,
  caller: AskedCaller,
): JsonObject {
  if (!isJsonObject(declared) || caller.missingAttributes.length > 0) return {};
  const forwarded: Record<string, JsonValue> = {};
  for (const { name, method, members } of ASK_CAPABILITIES) {
    const value = declared[name];
    const leaf = server.methods.get(method);
    if (!isJsonObject(value) || leaf === undefined) continue;
    const { tenant } = route.entry;
    if (!snapshot.evaluator.visible(tenant, leaf.action, caller.facts, caller.request)) continue;
    forwarded[name] = Object.fromEntries(
      members.flatMap((member) => {
        const own = value[member];
        if (own === true && member === "listChanged") return [[member, true]];
        return isJsonObject(own) ? [[member, {}]] : [];
      }),
    );
  }
  return forwarded;
}
