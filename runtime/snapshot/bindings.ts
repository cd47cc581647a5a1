// Upstream connections and pin verifiers outlive a snapshot: a swap that does not touch a server keeps its sockets,
// processes and verified state. Both are shared by the snapshots that name them and closed with the last of those.
import { canonicalJson } from "#bundle";
import type { ServerEntry, TransportEntry } from "#bundle";
import { systemClock } from "#std";
import type { PinVerifier, ServerUpstream } from "#upstream";
import { guardUpstream } from "./guarded-upstream.ts";
import type { ContactCheck, GuardedUpstream } from "./guarded-upstream.ts";

export interface UpstreamBinding {
  readonly upstream: ServerUpstream;
  /** Whether the latest attempt to reach the server succeeded; true where none was made. */
  readonly isReachable: () => boolean;
  readonly verifier: PinVerifier;
  /** Gives the binding back; the connection closes with its last holder. */
  readonly release: () => void;
}

export interface BindingFactories {
  readonly createUpstream: (server: ServerEntry, transport: TransportEntry) => ServerUpstream;
  readonly createVerifier: (server: ServerEntry, upstream: ServerUpstream) => PinVerifier;
  readonly onCloseFault: (fault: unknown) => void;
}

interface Shared<T> {
  readonly value: T;
  holders: number;
}

export class UpstreamBindings {
  readonly #factories: BindingFactories;
  readonly #upstreams = new Map<string, Shared<GuardedUpstream>>();
  readonly #verifiers = new Map<string, Shared<PinVerifier>>();
  /** Of upstreams that nobody holds any more. */
  readonly #closing = new Set<Promise<void>>();

  constructor(factories: BindingFactories) {
    this.#factories = factories;
  }

  acquire(server: ServerEntry, transport: TransportEntry): UpstreamBinding {
    const upstreamKey = canonicalJson({ id: server.id, transport, eras: Object.keys(server.eras).sort() });
    const { upstream, isReachable } = hold(this.#upstreams, upstreamKey, () =>
      guardUpstream(
        this.#factories.createUpstream(server, transport),
        systemClock.monotonicMs,
        contactCheck(server, transport),
      ),
    );
    const digests = server.leaves.flatMap((leaf) =>
      leaf.definitions.map((definition) => [leaf.action, definition.digest, ...definition.eras]),
    );
    const verifierKey = canonicalJson({ upstreamKey, digests, pinMaxAgeMs: server.pinMaxAgeMs });
    const verifier = hold(this.#verifiers, verifierKey, () =>
      this.#factories.createVerifier(server, upstream),
    );
    let released = false;
    return {
      upstream,
      isReachable,
      verifier,
      release: () => {
        if (released) return;
        released = true;
        drop(this.#verifiers, verifierKey, (last) => last.dispose());
        drop(this.#upstreams, upstreamKey, ({ upstream: last }) => this.#close(last));
      },
    };
  }

  upstreams(): readonly ServerUpstream[] {
    return [...this.#upstreams.values()].map((shared) => shared.value.upstream);
  }

  verifiers(): readonly PinVerifier[] {
    return [...this.#verifiers.values()].map((shared) => shared.value);
  }

  /** Resolves when every connection and process is gone, those of upstreams that were given back before included. */
  async closeAll(): Promise<void> {
    for (const verifier of this.verifiers()) verifier.dispose();
    for (const upstream of this.upstreams()) this.#close(upstream);
    this.#upstreams.clear();
    this.#verifiers.clear();
    await Promise.all(this.#closing);
  }

  #close(upstream: ServerUpstream): void {
    const closing = upstream
      .close()
      .catch(this.#factories.onCloseFault)
      .finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }
}

/** How long a server may leave the gateway's own question unanswered. A process of a program starts first. */
const CHECK_TIMEOUT_MS = 5_000;
const PROCESS_CHECK_TIMEOUT_MS = 10_000;

function contactCheck({ eras }: ServerEntry, { type }: TransportEntry): ContactCheck {
  const timeoutMs = type === "stdio" ? PROCESS_CHECK_TIMEOUT_MS : CHECK_TIMEOUT_MS;
  if (eras.legacy === undefined) return { channel: { era: "modern" }, timeoutMs };
  // A process of each session's own hangs alone, so it is a new one that is asked.
  if (eras.modern !== undefined && type !== "stdio") return { channel: { era: "modern" }, timeoutMs };
  const { protocolVersion } = eras.legacy;
  return { channel: { era: "legacy", session: "contact", protocolVersion }, timeoutMs };
}

function hold<T>(pool: Map<string, Shared<T>>, key: string, create: () => T): T {
  const shared = pool.get(key) ?? { value: create(), holders: 0 };
  shared.holders += 1;
  pool.set(key, shared);
  return shared.value;
}

function drop<T>(pool: Map<string, Shared<T>>, key: string, close: (value: T) => void): void {
  const shared = pool.get(key);
  if (shared === undefined) return;
  shared.holders -= 1;
  if (shared.holders > 0) return;
  pool.delete(key);
  close(shared.value);
}
