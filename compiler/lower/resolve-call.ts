// A call as people write it, in tests and on the command line → the leaf that the gateway would decide, and the
// arguments that its policies would see.
import { leafActionOf, METHODS_OF_KIND } from "#bundle";
import type { LeafAction, LeafEntry, MethodKind, ServerId } from "#bundle";
import { isAegisError } from "#errors";
import {
  completionArguments,
  elicitationArguments,
  loggingArguments,
  rootArguments,
  samplingArguments,
  taskArguments,
} from "#methods";
import { canonicalSpelling, createResourceIndex } from "#resources";
import type { ResourceIndex } from "#resources";
import type { JsonObject } from "#std";
import type { TestCallShape } from "../documents/shapes.ts";
import { didYouMean } from "../documents/yaml-source.ts";

/** What a call is written with: exactly one of these keys. */
const TARGET_KEYS = [
  ...(["tool", "resource", "prompt"] as const),
  ...(["sampling", "elicitation", "root", "completion", "subscribe", "logging", "task"] as const),
] as const;
export type TargetKey = (typeof TARGET_KEYS)[number];

export interface ResolvedCall {
  readonly ok: true;
  readonly action: LeafAction;
  /** Tool or prompt name, resource as it was written, or method. */
  readonly target: string;
  readonly arguments: JsonObject;
}

/** Why there is no such call. */
export interface UnresolvedCall {
  readonly ok: false;
  readonly code: "DOCUMENT_INVALID" | "NAME_UNKNOWN" | "SERVER_UNKNOWN";
  /** The member of the call that is at fault; undefined where it is the call as a whole. */
  readonly member: TargetKey | "server" | undefined;
  readonly message: string;
  readonly help: string | undefined;
}

/** Finds calls in a registry: that of a bundle, or what documents were lowered to. */
export class CallResolver {
  readonly #leaves: ReadonlyMap<ServerId, readonly LeafEntry[]>;
  readonly #resources = new Map<ServerId, ResourceIndex>();

  /** Every leaf of each server, resource rules among them; those of methods may be left out. */
  constructor(leaves: ReadonlyMap<ServerId, readonly LeafEntry[]>) {
    this.#leaves = leaves;
  }

  resolve(shape: TestCallShape): ResolvedCall | UnresolvedCall {
    const [key, ...more] = TARGET_KEYS.filter((candidate) => shape[candidate] !== undefined);
    if (key === undefined || more.length > 0) {
      const message = `a call names exactly one of ${TARGET_KEYS.join(", ")}`;
      return failed("DOCUMENT_INVALID", undefined, message);
    }
    if (!this.#leaves.has(shape.server)) {
      const help = didYouMean(shape.server, [...this.#leaves.keys()]);
      return failed("SERVER_UNKNOWN", "server", `no server is named ${JSON.stringify(shape.server)}`, help);
    }
    try {
      return this.#resolve(key, shape);
    } catch (fault) {
      if (!isAegisError(fault)) throw fault;
      return failed("DOCUMENT_INVALID", key, `${key}: ${fault.detail}`);
    }
  }

  #resolve(key: TargetKey, shape: TestCallShape): ResolvedCall | UnresolvedCall {
    const { server } = shape;
    switch (key) {
      case "tool":
      case "prompt":
        return this.#pinned(key, server, shape[key] ?? "", shape.arguments ?? {});
      case "resource":
        return this.#resource(shape);
      case "sampling":
        return method("sampling", server, samplingArguments(shape.sampling));
      case "elicitation":
        return method("elicitation", server, elicitationArguments(shape.elicitation));
      case "root":
        return method("roots", server, rootArguments({ uri: shape.root ?? "" }));
      case "completion":
        return method("completion", server, completionArguments(shape.completion));
      case "subscribe":
        return method("subscription", server, { uri: shape.subscribe ?? "" });
      case "logging":
        return method("logging", server, loggingArguments({ level: shape.logging ?? "" }));
      case "task": {
        const name = `tasks/${shape.task ?? "get"}`;
        const args = { ...taskArguments("task", "tool"), ...shape.arguments };
        return { ok: true, action: leafActionOf(name, server, ""), target: name, arguments: args };
      }
    }
  }

  #pinned(
    kind: "tool" | "prompt",
    server: ServerId,
    name: string,
    args: JsonObject,
  ): ResolvedCall | UnresolvedCall {
    const action = leafActionOf(METHODS_OF_KIND[kind][0], server, name);
    const isPinned = this.#leaves.get(server)?.some((leaf) => leaf.action === action) === true;
    return isPinned ? { ok: true, action, target: name, arguments: args } : this.#unknown(kind, server, name);
  }

  /** A URI, or the name of a template or pattern with the URI among the arguments. */
  #resource({ server, resource = "", arguments: written }: TestCallShape): ResolvedCall | UnresolvedCall {
    const index = this.#indexOf(server);
    const template = index.named(resource);
    if (template !== undefined) {
      return { ok: true, action: template.action, target: resource, arguments: written ?? {} };
    }
    const fault = index.faultOf(resource);
    if (fault !== undefined) {
      const help = "the gateway refuses such a URI before any policy is asked";
      return failed(
        "NAME_UNKNOWN",
        "resource",
        `${JSON.stringify(resource)} is no URI in canonical form: ${fault}`,
        help,
      );
    }
    const leaf = index.leafOf(resource);
    if (leaf === undefined) return this.#unknown("resource", server, resource);
    const uri = canonicalSpelling(resource);
    return { ok: true, action: leaf.action, target: resource, arguments: { uri, ...written } };
  }

  #indexOf(server: ServerId): ResourceIndex {
    const known = this.#resources.get(server);
    if (known !== undefined) return known;
    const index = createResourceIndex(this.#leaves.get(server) ?? []);
    this.#resources.set(server, index);
    return index;
  }

  #unknown(kind: "prompt" | "resource" | "tool", server: ServerId, name: string): UnresolvedCall {
    const leaves = this.#leaves.get(server) ?? [];
    const names = leaves.filter((leaf) => leaf.kind.startsWith(kind)).map((leaf) => leaf.name);
    const message = `${server} has no pinned ${kind} named ${JSON.stringify(name)}`;
    return failed("NAME_UNKNOWN", kind, message, didYouMean(name, names));
  }
}

function method(kind: MethodKind, server: ServerId, args: JsonObject): ResolvedCall {
  const [name] = METHODS_OF_KIND[kind];
  return { ok: true, action: leafActionOf(name, server, ""), target: name, arguments: args };
}

function failed(
  code: UnresolvedCall["code"],
  member: UnresolvedCall["member"],
  message: string,
  help?: string,
): UnresolvedCall {
  return { ok: false, code, member, message, help };
}
