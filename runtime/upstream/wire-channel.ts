// One conversation over one wire: the shared one of the modern era, or one legacy session. Opens the wire on first use
// and again after it closed, with back-off while it keeps failing.
import type { EraEntry, ServerId } from "#bundle";
import type { ServerMessage } from "#mcp";
import type { JsonObject } from "#std";
import { createCorrelator } from "./correlate.ts";
import type { Correlator, PendingExchange } from "./correlate.ts";
import {
  INITIALIZED,
  SILENT_OBSERVER,
  initializeRequest,
  legacyEntry,
  livenessRequest,
} from "./handshake.ts";
import { inspectLarge } from "./large-message.ts";
import type { LargeMessages } from "./large-message.ts";
import { createRestartBackOff } from "./restart-back-off.ts";
import type { Attempt, RestartBackOff } from "./restart-back-off.ts";
import { readServerMessage } from "./server-message.ts";
import { UPSTREAM_CAPS } from "./upstream-caps.ts";
import { UpstreamFault, abortFault, untilAborted } from "./upstream-fault.ts";
import type {
  ChannelKey,
  ExchangeObserver,
  LegacyChannelKey,
  OutboundRequest,
  RequestLimits,
  UpstreamEvents,
  UpstreamReply,
} from "./upstream.ts";
import { createWireLiveness } from "./wire-liveness.ts";
import type { Patience, WireLiveness } from "./wire-liveness.ts";
import type { OpenWire, Wire } from "./wire.ts";

export interface WireChannelOptions {
  readonly server: ServerId;
  readonly channel: ChannelKey;
  readonly open: OpenWire;
  readonly events: UpstreamEvents;
  readonly monotonicMs: () => number;
  /** Of all channels that are opened alike: what ends before a caller asked it anything ends for each of them. */
  readonly restarts: RestartBackOff;
  readonly largeMessages?: LargeMessages | undefined;
  /** After the last request of a modern channel; a legacy one is a session, which its owner ends. */
  readonly idleMs?: number | undefined;
  /** With a server that says nothing; default `UPSTREAM_CAPS.patience`. */
  readonly patience?: Patience | undefined;
}

export interface WireChannel {
  readonly request: (
    request: OutboundRequest,
    observer: ExchangeObserver,
    limits: RequestLimits,
    signal: AbortSignal,
  ) => Promise<UpstreamReply>;
  /** The legacy handshake's answer; undefined in the modern era, which has none. */
  readonly announce: (signal: AbortSignal) => Promise<EraEntry | undefined>;
  /** Does nothing where the channel is not open. */
  readonly notify: (notification: JsonObject) => Promise<void>;
  readonly release: (reason: string) => Promise<void>;
  readonly isOpen: () => boolean;
}

interface UnderWay {
  readonly pending: PendingExchange;
  readonly maxResponseBytes: number;
}

interface Running {
  readonly wire: Wire;
  readonly correlator: Correlator;
  readonly liveness: WireLiveness;
  readonly life: WireLife;
  readonly ready: Promise<EraEntry | undefined>;
}

type Opening = Pick<Running, "correlator" | "liveness" | "life">;

/** What one wire does for the delay before the next. */
interface WireLife {
  readonly greeted: () => void;
  readonly asked: () => void;
  readonly answered: () => void;
  readonly failed: () => void;
}

/** @param own of this channel alone: what the requests of one session end must not keep others waiting. */
function wireLife(shared: Attempt, own: Attempt | undefined): WireLife {
  let wasAsked = false;
  return {
    greeted: shared.greeted,
    asked: () => {
      wasAsked = true;
    },
    answered: () => {
      shared.answered();
      own?.answered();
    },
    failed: () => (wasAsked && own !== undefined ? own : shared).failed(),
  };
}

function sendFault(error: unknown): UpstreamFault {
  if (error instanceof UpstreamFault) return error;
  return new UpstreamFault("UPSTREAM_UNAVAILABLE", "the message could not be sent", { cause: error });
}

class SingleWireChannel implements WireChannel {
  readonly #options: WireChannelOptions;
  readonly #underWay = new Map<number, UnderWay>();
  readonly #ownRestarts: RestartBackOff | undefined;
  #running: Running | undefined;
  #idle: NodeJS.Timeout | undefined;
  #released = false;

  constructor(options: WireChannelOptions) {
    this.#options = options;
    this.#ownRestarts =
      options.channel.era === "legacy" ? createRestartBackOff(options.monotonicMs) : undefined;
  }

  readonly request = async (
    request: OutboundRequest,
    observer: ExchangeObserver,
    limits: RequestLimits,
    signal: AbortSignal,
  ): Promise<UpstreamReply> => {
    clearTimeout(this.#idle);
    const running = await this.#ready(signal);
    const pending = running.correlator.open(request, observer, limits.onLarge);
    this.#underWay.set(pending.id, { pending, maxResponseBytes: limits.maxResponseBytes });
    running.life.asked();
    const abandoned = running.liveness.sent();
    const onAbort = (): void => {
      if (!pending.fail(abortFault(signal))) return;
      this.#cancel(running, pending);
      abandoned();
    };
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      if (signal.aborted) throw abortFault(signal);
      // The answer may come before the transport says that it took the message.
      running.wire
        .send(JSON.stringify(pending.wire))
        .catch((error: unknown) => pending.fail(sendFault(error)));
      return await pending.reply;
    } catch (error) {
      const fault =
        error instanceof UpstreamFault
          ? error
          : new UpstreamFault("UPSTREAM_UNAVAILABLE", "the request failed", { cause: error });
      pending.fail(fault);
      throw error;
    } finally {
      signal.removeEventListener("abort", onAbort);
      this.#underWay.delete(pending.id);
      this.#closeLater();
    }
  };

  /** One that has started for nobody is left to its idle time, as it is after an answer. */
  async #ready(signal: AbortSignal): Promise<Running> {
    try {
      const running = this.#started();
      await untilAborted(running.ready, signal);
      return running;
    } catch (fault) {
      this.#closeLater();
      throw fault;
    }
  }

  readonly announce = (signal: AbortSignal): Promise<EraEntry | undefined> =>
    untilAborted(this.#started().ready, signal);

  readonly notify = (notification: JsonObject): Promise<void> => {
    return this.#running === undefined
      ? Promise.resolve()
      : this.#running.wire.send(JSON.stringify(notification));
  };

  readonly isOpen = (): boolean => this.#running !== undefined;

  readonly release = async (reason: string): Promise<void> => {
    this.#released = true;
    clearTimeout(this.#idle);
    const running = this.#running;
    if (running === undefined) return;
    running.liveness.end();
    running.correlator.failAll(new UpstreamFault("EXCHANGE_ABORTED", reason));
    await running.wire.stop();
  };

  /** A server that nobody calls holds no connection and no process. */
  #closeLater(): void {
    const { channel, idleMs = UPSTREAM_CAPS.idleWireMs } = this.#options;
    clearTimeout(this.#idle);
    if (channel.era !== "modern" || this.#underWay.size > 0 || this.#released) return;
    this.#idle = setTimeout(() => {
      const running = this.#running;
      if (running === undefined || this.#underWay.size > 0) return;
      this.#running = undefined;
      void running.wire.stop();
    }, idleMs);
    this.#idle.unref();
  }

  #started(): Running {
    if (this.#running !== undefined) return this.#running;
    const { restarts, server, channel, events } = this.#options;
    if (this.#released)
      throw new UpstreamFault("UPSTREAM_UNAVAILABLE", "the channel was released", { unsent: true });
    if (!restarts.isDue() || this.#ownRestarts?.isDue() === false) {
      throw new UpstreamFault(
        "UPSTREAM_UNAVAILABLE",
        "the connection keeps ending; it is not opened again yet",
        { unsent: true, gone: true },
      );
    }
    const correlator = createCorrelator({
      server,
      channel,
      events,
      answer: (message) => wire.send(JSON.stringify(message)),
    });
    const liveness = createWireLiveness({
      patience: this.#options.patience ?? UPSTREAM_CAPS.patience,
      ask: () => {
        const pending = correlator.open(livenessRequest(channel.era), SILENT_OBSERVER);
        wire.send(JSON.stringify(pending.wire)).catch((error: unknown) => pending.fail(sendFault(error)));
        return () => pending.fail(new UpstreamFault("EXCHANGE_ABORTED", "the server is there"));
      },
      onSilent: () => this.#giveUp(running),
    });
    const life = wireLife(restarts.begin(), this.#ownRestarts?.begin());
    const wire = this.#openWire({ correlator, liveness, life }, () => void wire.stop());
    const ready =
      channel.era === "modern"
        ? wire.opened.then(() => undefined)
        : this.#handshake(wire, correlator, channel).then((entry) => {
            life.greeted();
            return entry;
          });
    ready.catch(() => void wire.stop());
    const running = { wire, correlator, liveness, life, ready };
    this.#running = running;
    return running;
  }

  /** Whoever waits on a peer that hangs is told, and the next request has a wire of its own. */
  #giveUp(running: Running): void {
    const { server, channel, events } = this.#options;
    const reason = "the server did not answer anything any more; its connection or process was ended";
    if (this.#running === running) {
      this.#running = undefined;
      running.life.failed();
    }
    running.correlator.failAll(new UpstreamFault("UPSTREAM_UNAVAILABLE", reason, { gone: true }));
    void running.wire.stop();
    events.onProtocolViolation(server, `${channel.era}: ${reason}`);
  }

  #openWire(opening: Opening, onFlood: () => void): Wire {
    const { correlator, liveness, life } = opening;
    const { server, channel, events } = this.#options;
    let malformed = 0;
    const count = (isWellFormed: boolean): void => {
      if (isWellFormed) return;
      malformed++;
      if (malformed >= UPSTREAM_CAPS.maxMalformedLines) onFlood();
    };
    return this.#options.open({
      onMessage: (message) => {
        liveness.heard();
        if (this.#leavesUnread(message)) {
          void this.#readLarge(opening, message).then(count);
          return;
        }
        count(this.#read(opening, message));
      },
      onOversized: () => {
        correlator.violation("a message larger than the transport's cap");
        const code = correlator.pendingCount() === 1 ? "RESULT_TOO_LARGE" : "UPSTREAM_PROTOCOL";
        correlator.failAll(new UpstreamFault(code, "the server sent a message larger than the cap"));
      },
      onViolation: correlator.violation,
      onClosed: (reason) => {
        liveness.end();
        // One that was closed for want of calls has a successor, or none is wanted.
        if (this.#running?.correlator === correlator) {
          this.#running = undefined;
          // One that the gateway itself ended says nothing against the program.
          if (!this.#released) life.failed();
        }
        correlator.failAll(new UpstreamFault("UPSTREAM_UNAVAILABLE", reason, { gone: true }));
        // What the gateway releases itself is no event.
        if (!this.#released) events.onClosed(server, channel, reason);
      },
    });
  }

  async #handshake(wire: Wire, correlator: Correlator, channel: LegacyChannelKey): Promise<EraEntry> {
    await wire.opened;
    const pending = correlator.open(initializeRequest(channel), SILENT_OBSERVER);
    const timeout = setTimeout(() => {
      pending.fail(new UpstreamFault("UPSTREAM_TIMEOUT", "initialize was not answered in time"));
    }, UPSTREAM_CAPS.handshakeTimeoutMs);
    try {
      wire.send(JSON.stringify(pending.wire)).catch((error: unknown) => pending.fail(sendFault(error)));
      const entry = legacyEntry(await pending.reply);
      await wire.send(JSON.stringify(INITIALIZED));
      return entry;
    } finally {
      clearTimeout(timeout);
    }
  }

  /** Large, and some request under way takes its answer unread: others are the gateway's own, which need theirs read. */
  #leavesUnread(text: Uint8Array | string): boolean {
    const { largeMessages } = this.#options;
    if (largeMessages === undefined || text.length <= largeMessages.thresholdBytes) return false;
    return [...this.#underWay.values()].some(({ pending }) => pending.takesLarge);
  }

  /** False where it was not a well-formed message. Later messages of the wire do not wait for it. */
  async #readLarge(opening: Opening, text: Uint8Array | string): Promise<boolean> {
    const { correlator, life } = opening;
    const { largeMessages, server } = this.#options;
    if (largeMessages === undefined) return this.#read(opening, text);
    const signal = AbortSignal.timeout(UPSTREAM_CAPS.largeMessageTimeoutMs);
    try {
      const large = await inspectLarge(largeMessages, server, text, UPSTREAM_CAPS.maxLineBytes, signal);
      const { envelope, bytes } = large;
      const waiting = this.#waitingFor(envelope);
      if (waiting === undefined || waiting.pending.takesLarge) {
        if (this.#fits(waiting, bytes.byteLength)) correlator.acceptLarge(large);
        if (envelope.kind === "response") life.answered();
        return true;
      }
      return this.#read(opening, bytes);
    } catch (error) {
      const fault =
        error instanceof UpstreamFault
          ? error
          : new UpstreamFault("UPSTREAM_PROTOCOL", "a malformed message");
      correlator.violation(fault.detail);
      // Whose answer it was is known only where a single request waits; others end by their own deadline.
      const [only, ...others] = this.#underWay.values();
      if (others.length === 0) only?.pending.fail(fault);
      return fault.code !== "UPSTREAM_PROTOCOL";
    }
  }

  #waitingFor(message: ServerMessage): UnderWay | undefined {
    return message.kind === "response" && typeof message.id === "number"
      ? this.#underWay.get(message.id)
      : undefined;
  }

  /** Fails the request whose answer is over its cap. */
  #fits(waiting: UnderWay | undefined, bytes: number): boolean {
    if (waiting === undefined || bytes <= waiting.maxResponseBytes) return true;
    const fault = new UpstreamFault("RESULT_TOO_LARGE", "the answer is larger than the response cap");
    waiting.pending.fail(fault);
    return false;
  }

  /** False where it was not a well-formed message. */
  #read({ correlator, life }: Opening, text: Uint8Array | string): boolean {
    try {
      const message = readServerMessage(text, UPSTREAM_CAPS.maxLineBytes);
      if (!this.#fits(this.#waitingFor(message), Buffer.byteLength(text))) return true;
      correlator.accept(message);
      if (message.kind === "response") life.answered();
      return true;
    } catch (error) {
      correlator.violation(error instanceof UpstreamFault ? error.detail : "a malformed message");
      return false;
    }
  }

  #cancel(running: Running, pending: PendingExchange): void {
    const params = { requestId: pending.id, reason: "cancelled by the caller" };
    const message = JSON.stringify({ jsonrpc: "2.0", method: "notifications/cancelled", params });
    // Where the connection is gone, so is what was to be cancelled.
    running.wire.send(message).catch(() => undefined);
  }
}

export function createWireChannel(options: WireChannelOptions): WireChannel {
  return new SingleWireChannel(options);
}
