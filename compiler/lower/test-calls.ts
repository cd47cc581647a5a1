// Calls of test suites → the leaf that the gateway would decide, and the arguments that its policies would see.
import type { DiagnosticSink, SourceSpan } from "../diagnostics/index.ts";
import type { TestCallShape } from "../documents/shapes.ts";
import type { TestCall } from "../model/test-suite.ts";
import type { LoweredRegistry } from "./registry.ts";
import { CallResolver } from "./resolve-call.ts";
import { ruleLeaves } from "./resource-patterns.ts";
import type { ResourceRule } from "./resource-patterns.ts";

export class TestCalls {
  readonly #resolver: CallResolver;
  readonly #sink: DiagnosticSink;

  /** `rules`: those of the platform. */
  constructor(registry: LoweredRegistry, rules: readonly ResourceRule[], sink: DiagnosticSink) {
    const leaves = [...registry.servers].map(
      ([id, { entry }]) => [id, [...entry.leaves, ...ruleLeaves(id, rules)]] as const,
    );
    this.#resolver = new CallResolver(new Map(leaves));
    this.#sink = sink;
  }

  /** Undefined after reporting why there is no such call. */
  callOf(name: string, shape: TestCallShape, at: SourceSpan): TestCall | undefined {
    const resolved = this.#resolver.resolve(shape);
    if (!resolved.ok) {
      this.#sink.report(resolved.code, at, resolved.message, resolved.help);
      return undefined;
    }
    const { action, target, arguments: args } = resolved;
    return {
      name,
      server: shape.server,
      action,
      target,
      arguments: args,
      invalid: shape.invalid ?? false,
      at,
    };
  }
}
