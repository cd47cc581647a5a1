// Calls of test suites → the leaf that the gateway would decide, and the arguments that its policies would see.
import { leafActionOf } from "#bundle";
import type { LeafAction, LeafEntry, LeafKind } from "#bundle";
import type { DiagnosticSink, SourceSpan } from "../diagnostics/index.ts";
import type { TestCallShape } from "../documents/shapes.ts";
import { didYouMean } from "../documents/yaml-source.ts";
import type { TestCall } from "../model/test-suite.ts";
import type { LoweredRegistry } from "./registry.ts";
import { CallResolver } from "./resolve-call.ts";
import { ruleLeaves } from "./resource-patterns.ts";
import type { ResourceRule } from "./resource-patterns.ts";

/** What lists show, by the key that tests have for it. */
const LISTED_KINDS = {
  tools: ["tool"],
  resources: ["resource", "resource-template"],
  prompts: ["prompt"],
} as const satisfies Readonly<Record<string, readonly LeafKind[]>>;

export class TestCalls {
  readonly #leaves: ReadonlyMap<string, readonly LeafEntry[]>;
  readonly #resolver: CallResolver;
  readonly #sink: DiagnosticSink;

  /** `rules`: those of the platform. */
  constructor(registry: LoweredRegistry, rules: readonly ResourceRule[], sink: DiagnosticSink) {
    const leaves = [...registry.servers].map(
      ([id, { entry }]) => [id, [...entry.leaves, ...ruleLeaves(id, rules)]] as const,
    );
    this.#leaves = new Map(leaves);
    this.#resolver = new CallResolver(this.#leaves);
    this.#sink = sink;
  }

  /** Undefined after reporting why there is no such call. `place`: where a member of the call stands; the call itself without one. */
  callOf(
    name: string,
    shape: TestCallShape,
    place: (...path: readonly string[]) => SourceSpan,
  ): TestCall | undefined {
    const at = place();
    const { server, invalid = false } = shape;
    const resolved = this.#resolver.resolve(shape);
    if (resolved.ok) {
      const { action, target, arguments: args } = resolved;
      return { name, server, action, target, arguments: args, invalid, at };
    }
    // The gateway refuses such a URI as it refuses arguments: that is something a test may ask for.
    if (invalid && resolved.code === "NAME_UNKNOWN" && shape.resource !== undefined) {
      const { resource } = shape;
      const action = leafActionOf("resources/read", server, resource);
      return { name, server, action, target: resource, arguments: { uri: resource }, invalid, at };
    }
    const { code, member, message, help } = resolved;
    this.#sink.report(code, member === undefined ? at : place(member), message, help);
    return undefined;
  }

  /** True where the server is pinned; reports that it is not. */
  knowsServer(server: string, at: SourceSpan): boolean {
    if (this.#leaves.has(server)) return true;
    const help = didYouMean(server, [...this.#leaves.keys()]);
    this.#sink.report("SERVER_UNKNOWN", at, `no server is named ${JSON.stringify(server)}`, help);
    return false;
  }

  /** The definition that a list shows under this name; undefined after reporting that there is none. */
  listedAction(
    group: keyof typeof LISTED_KINDS,
    server: string,
    name: string,
    at: SourceSpan,
  ): LeafAction | undefined {
    const leaves = this.#leaves.get(server);
    if (leaves === undefined) return undefined;
    const kinds: readonly LeafKind[] = LISTED_KINDS[group];
    const listed = leaves.filter(({ kind }) => kinds.includes(kind));
    const found = listed.find((leaf) => leaf.name === name);
    if (found !== undefined) return found.action;
    const noun = group.slice(0, -1);
    const message = `${server} has no pinned ${noun} named ${JSON.stringify(name)}`;
    const known = listed.map((leaf) => leaf.name);
    this.#sink.report("NAME_UNKNOWN", at, message, didYouMean(name, known));
    return undefined;
  }
}
