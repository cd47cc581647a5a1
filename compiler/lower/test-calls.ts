// Calls of test suites → the leaf that the gateway would decide, and the arguments that its policies would see.
import { leafActionOf, METHODS_OF_KIND } from "#bundle";
import type { LeafAction, LeafEntry, MethodKind } from "#bundle";
import { isAegisError } from "#errors";
import {
  completionArguments,
  elicitationArguments,
  loggingArguments,
  rootArguments,
  samplingArguments,
} from "#methods";
import { createResourceIndex, uriFault } from "#resources";
import type { ResourceIndex } from "#resources";
import type { JsonObject } from "#std";
import type { DiagnosticSink, SourceSpan } from "../diagnostics/index.ts";
import type { TestCallShape } from "../documents/shapes.ts";
import { didYouMean } from "../documents/yaml-source.ts";
import type { TestCall } from "../model/test-suite.ts";
import type { LoweredRegistry } from "./registry.ts";
import { ruleLeaves } from "./resource-patterns.ts";
import type { ResourceRule } from "./resource-patterns.ts";

interface Resolved {
  readonly action: LeafAction;
  readonly target: string;
  readonly arguments: JsonObject;
}

/** What a call is written with: exactly one of these keys. */
const TARGET_KEYS = [
  ...(["tool", "resource", "prompt"] as const),
  ...(["sampling", "elicitation", "root", "completion", "subscribe", "logging", "task"] as const),
] as const;
type TargetKey = (typeof TARGET_KEYS)[number];

export class TestCalls {
  readonly #registry: LoweredRegistry;
  readonly #rules: readonly ResourceRule[];
  readonly #platform: string;
  readonly #sink: DiagnosticSink;
  readonly #resources = new Map<string, ResourceIndex>();

  /** `rules`: those of the layer of the suites and of the platform. */
  constructor(
    registry: LoweredRegistry,
    rules: readonly ResourceRule[],
    platform: string,
    sink: DiagnosticSink,
  ) {
    this.#registry = registry;
    this.#rules = rules;
    this.#platform = platform;
    this.#sink = sink;
  }

  /** Undefined after reporting why there is no such call. */
  callOf(name: string, shape: TestCallShape, at: SourceSpan): TestCall | undefined {
    const [key, ...more] = TARGET_KEYS.filter((candidate) => shape[candidate] !== undefined);
    if (key === undefined || more.length > 0) {
      this.#sink.report("DOCUMENT_INVALID", at, `a call names exactly one of ${TARGET_KEYS.join(", ")}`);
      return undefined;
    }
    if (!this.#registry.servers.has(shape.server)) {
      const help = didYouMean(shape.server, [...this.#registry.servers.keys()]);
      this.#sink.report("SERVER_UNKNOWN", at, `no server is named ${JSON.stringify(shape.server)}`, help);
      return undefined;
    }
    const resolved = this.#resolve(key, shape, at);
    if (resolved === undefined) return undefined;
    return { name, server: shape.server, ...resolved, invalid: shape.invalid ?? false, at };
  }

  #resolve(key: TargetKey, shape: TestCallShape, at: SourceSpan): Resolved | undefined {
    try {
      switch (key) {
        case "tool":
        case "prompt":
          return this.#pinned(key, shape.server, shape[key] ?? "", shape.arguments ?? {}, at);
        case "resource":
          return this.#resource(shape, at);
        case "sampling":
          return this.#method("sampling", shape.server, samplingArguments(shape.sampling));
        case "elicitation":
          return this.#method("elicitation", shape.server, elicitationArguments(shape.elicitation));
        case "root":
          return this.#method("roots", shape.server, rootArguments({ uri: shape.root ?? "" }));
        case "completion":
          return this.#method("completion", shape.server, completionArguments(shape.completion));
        case "subscribe":
          return this.#method("subscription", shape.server, { uri: shape.subscribe ?? "" });
        case "logging":
          return this.#method("logging", shape.server, loggingArguments({ level: shape.logging ?? "" }));
        case "task":
          return this.#task(shape);
      }
    } catch (fault) {
      if (!isAegisError(fault)) throw fault;
      this.#sink.report("DOCUMENT_INVALID", at, `${key}: ${fault.detail}`);
      return undefined;
    }
  }

  #method(kind: MethodKind, server: string, args: JsonObject): Resolved {
    const action = leafActionOf(METHODS_OF_KIND[kind][0], server, "");
    return { action, target: METHODS_OF_KIND[kind][0], arguments: args };
  }

  #task(shape: TestCallShape): Resolved {
    const method = `tasks/${shape.task ?? "get"}`;
    const args = { taskId: "task", direction: "client-to-server", ...shape.arguments };
    return { action: leafActionOf(method, shape.server, ""), target: method, arguments: args };
  }

  #pinned(
    kind: "tool" | "prompt",
    server: string,
    name: string,
    args: JsonObject,
    at: SourceSpan,
  ): Resolved | undefined {
    const pinned = this.#registry.leaves.get(leafActionOf(METHODS_OF_KIND[kind][0], server, name));
    if (pinned === undefined) return this.#unknown(kind, server, name, at);
    return { action: pinned.leaf.action, target: name, arguments: args };
  }

  /** A URI, or the name of a template with the URI among the arguments. */
  #resource(
    { server, resource = "", arguments: written }: TestCallShape,
    at: SourceSpan,
  ): Resolved | undefined {
    const index = this.#indexOf(server);
    const template = index.named(resource);
    if (template !== undefined) {
      return { action: template.action, target: resource, arguments: written ?? {} };
    }
    const fault = uriFault(resource);
    if (fault !== undefined) {
      const help = "the gateway refuses such a URI before any policy is asked";
      const message = `${JSON.stringify(resource)} is no URI in canonical form: ${fault}`;
      this.#sink.report("NAME_UNKNOWN", at, message, help);
      return undefined;
    }
    const leaf = index.leafOf(resource);
    if (leaf === undefined) return this.#unknown("resource", server, resource, at);
    return { action: leaf.action, target: resource, arguments: { uri: resource, ...written } };
  }

  #indexOf(server: string): ResourceIndex {
    const known = this.#resources.get(server);
    if (known !== undefined) return known;
    const pinned = this.#registry.servers.get(server)?.entry.leaves ?? [];
    const index = createResourceIndex([...pinned, ...ruleLeaves(server, this.#rules, this.#platform)]);
    this.#resources.set(server, index);
    return index;
  }

  #unknown(kind: LeafEntry["kind"], server: string, name: string, at: SourceSpan): undefined {
    const onServer = [...this.#registry.leaves.values()].filter((item) => item.server.entry.id === server);
    const names = onServer.map((item) => item.leaf.name);
    const message = `${server} has no pinned ${kind} named ${JSON.stringify(name)}`;
    this.#sink.report("NAME_UNKNOWN", at, message, didYouMean(name, names));
    return undefined;
  }
}
