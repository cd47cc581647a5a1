// From a registry entry to an upstream: the one place that knows which transports exist.
import { AegisError } from "#errors";
import type { Era, ServerId, TransportEntry } from "#bundle";
import { systemClock } from "#std";
import { createHttpUpstream } from "./http-upstream.ts";
import type { ServerUpstream } from "./server-upstream.ts";
import { createProcessBudget } from "./stdio-channel.ts";
import type { ProcessBudget } from "./stdio-channel.ts";
import type { ProgramEntry } from "./stdio-process.ts";
import { createStdioUpstream } from "./stdio-upstream.ts";
import type { UpstreamEvents } from "./upstream.ts";

export interface UpstreamTarget {
  readonly id: ServerId;
  /** Only the keys matter: which eras the server was pinned in. A `ServerEntry` fits. */
  readonly eras: Readonly<Partial<Record<Era, unknown>>>;
}

export interface UpstreamFactoryOptions {
  /** Logical program name to executable, from process configuration. */
  readonly programs: ReadonlyMap<string, ProgramEntry>;
  readonly events: UpstreamEvents;
  /** Text that a stdio server wrote to stderr. Untrusted. */
  readonly onStderr?: (server: ServerId, text: string) => void;
  readonly monotonicMs?: () => number;
  readonly budget?: ProcessBudget;
}

export type UpstreamFactory = (target: UpstreamTarget, transport: TransportEntry) => ServerUpstream;

function erasOf(target: UpstreamTarget): Era[] {
  return (["legacy", "modern"] as const).filter((era) => target.eras[era] !== undefined);
}

/**
 * Makes the factory of one gateway: all stdio upstreams it creates share one process budget.
 * The factory throws {AegisError} UPSTREAM_UNAVAILABLE for a program that process configuration does not map, and
 * TypeError for a URL that is not http(s). Nothing is connected or started before the first use.
 */
export function createUpstreamFactory(options: UpstreamFactoryOptions): UpstreamFactory {
  const budget = options.budget ?? createProcessBudget();
  const { events, programs } = options;
  return (target, transport) => {
    const shared = { server: target.id, eras: erasOf(target), events };
    switch (transport.type) {
      case "streamable-http":
        return createHttpUpstream({ ...shared, url: transport.url });
      case "stdio": {
        const program = programs.get(transport.program);
        if (program === undefined) {
          throw new AegisError(
            "UPSTREAM_UNAVAILABLE",
            `no executable is configured for program ${JSON.stringify(transport.program)}`,
          );
        }
        return createStdioUpstream({
          ...shared,
          program,
          args: transport.args,
          budget,
          onStderr: options.onStderr ?? ((): void => undefined),
          monotonicMs: options.monotonicMs ?? systemClock.monotonicMs,
        });
      }
      default:
        throw new AegisError("UPSTREAM_UNAVAILABLE", "unknown transport type");
    }
  };
}
