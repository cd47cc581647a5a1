// One conversation over the stdio of one process: the shared one of the modern era, or one legacy session. Starts the
// process on first use and again after it ended, with back-off while it keeps failing.
import type { EraEntry, ServerId } from "#bundle";
import type { JsonObject } from "#std";
import { createCorrelator } from "./correlate.ts";
import type { Correlator, PendingExchange } from "./correlate.ts";
import { INITIALIZED, SILENT_OBSERVER, initializeRequest, legacyEntry } from "./handshake.ts";
import { readServerMessage } from "./server-message.ts";
import { startProcess } from "./stdio-process.ts";
import type { ProgramEntry, StdioProcess } from "./stdio-process.ts";
import { UPSTREAM_CAPS, backOffMs } from "./upstream-caps.ts";
import { UpstreamFault, abortFault, untilAborted } from "./upstream-fault.ts";
import type {
  ChannelKey,
  ExchangeObserver,
  OutboundRequest,
  UpstreamEvents,
  UpstreamReply,
} from "./upstream.ts";

/** Processes of all stdio upstreams of one gateway, counted against one cap. */
export interface ProcessBudget {
  /** Reserves one process; false at the cap. */
  readonly take: () => boolean;
  readonly give: () => void;
}

export function createProcessBudget(maxProcesses: number = UPSTREAM_CAPS.maxProcesses): ProcessBudget {
  let running = 0;
  return {
    take: () => {
      if (running >= maxProcesses) return false;
      running++;
      return true;
    },
    give: () => {
      running--;
    },
  };
}

export interface StdioChannelOptions {
  readonly server: ServerId;
  readonly channel: ChannelKey;
  readonly program: ProgramEntry;
  readonly args: readonly string[];
  readonly events: UpstreamEvents;
  readonly budget: ProcessBudget;
  readonly onStderr: (text: string) => void;
  readonly monotonicMs: () => number;
}

export interface StdioChannel {
  readonly request: (
    request: OutboundRequest,
    observer: ExchangeObserver,
    maxResponseBytes: number,
    signal: AbortSignal,
  ) => Promise<UpstreamReply>;
  /** The legacy handshake's answer; undefined in the modern era, which has none. */
  readonly announce: (signal: AbortSignal) => Promise<EraEntry | undefined>;
  readonly notify: (notification: JsonObject) => void;
  readonly release: (reason: string) => Promise<void>;
  readonly isOpen: () => boolean;
}

interface Running {
  readonly process: StdioProcess;
  readonly correlator: Correlator;
  readonly ready: Promise<EraEntry | undefined>;
}

class ProcessChannel implements StdioChannel {
  readonly #options: StdioChannelOptions;
  readonly #underWay = new Map<
    number,
    { readonly pending: PendingExchange; readonly maxResponseBytes: number }
  >();
  #running: Running | undefined;
  #failures = 0;
  #notBeforeMs = 0;
  #released = false;

  constructor(options: StdioChannelOptions) {
    this.#options = options;
  }

  readonly request = async (
    request: OutboundRequest,
    observer: ExchangeObserver,
    maxResponseBytes: number,
    signal: AbortSignal,
  ): Promise<UpstreamReply> => {
    const running = this.#started();
    await untilAborted(running.ready, signal);
    const pending = running.correlator.open(request, observer);
    this.#underWay.set(pending.id, { pending, maxResponseBytes });
    const onAbort = (): void => {
      if (pending.fail(abortFault(signal))) this.#cancel(running, pending);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      if (signal.aborted) throw abortFault(signal);
      running.process.write(JSON.stringify(pending.wire));
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
    }
  };

  readonly announce = (signal: AbortSignal): Promise<EraEntry | undefined> =>
    untilAborted(this.#started().ready, signal);

  readonly notify = (notification: JsonObject): void => {
    if (this.#running !== undefined) this.#running.process.write(JSON.stringify(notification));
  };

  readonly isOpen = (): boolean => this.#running !== undefined;

  readonly release = async (reason: string): Promise<void> => {
    this.#released = true;
    const running = this.#running;
    if (running === undefined) return;
    running.correlator.failAll(new UpstreamFault("EXCHANGE_ABORTED", reason));
    await running.process.stop();
  };

  #started(): Running {
    if (this.#running !== undefined) return this.#running;
    const { budget, monotonicMs, server, channel, events } = this.#options;
    if (this.#released)
      throw new UpstreamFault("UPSTREAM_UNAVAILABLE", "the channel was released", { unsent: true });
    if (monotonicMs() < this.#notBeforeMs) {
      throw new UpstreamFault(
        "UPSTREAM_UNAVAILABLE",
        "the process keeps ending; it is not started again yet",
        { unsent: true },
      );
    }
    if (!budget.take())
      throw new UpstreamFault("UPSTREAM_UNAVAILABLE", "too many processes are running", { unsent: true });
    let malformed = 0;
    const answer = (message: JsonObject): Promise<void> => {
      child.write(JSON.stringify(message));
      return Promise.resolve();
    };
    const correlator = createCorrelator({ server, channel, events, answer });
    const child = this.#spawn(correlator, (line) => {
      if (this.#readLine(correlator, line)) return;
      malformed++;
      if (malformed >= UPSTREAM_CAPS.maxMalformedLines) void child.stop();
    });
    const ready =
      channel.era === "modern"
        ? Promise.resolve(undefined)
        : this.#handshake(child, correlator, channel.protocolVersion);
    ready.catch(() => void child.stop());
    this.#running = { process: child, correlator, ready };
    return this.#running;
  }

  #spawn(correlator: Correlator, onLine: (line: Buffer) => void): StdioProcess {
    const { program, args, server, channel, events, budget, onStderr, monotonicMs } = this.#options;
    const tooLarge = (): void => {
      correlator.violation("a line longer than the cap");
      const code = correlator.pendingCount() === 1 ? "RESULT_TOO_LARGE" : "UPSTREAM_PROTOCOL";
      correlator.failAll(new UpstreamFault(code, "the server wrote a line longer than the cap"));
    };
    const onExit = (reason: string): void => {
      budget.give();
      this.#running = undefined;
      this.#failures++;
      this.#notBeforeMs = monotonicMs() + backOffMs(this.#failures - 1);
      correlator.failAll(new UpstreamFault("UPSTREAM_UNAVAILABLE", reason));
      // What the gateway releases itself is no event.
      if (!this.#released) events.onClosed(server, channel, reason);
    };
    return startProcess(program, args, { onLine, onOversizedLine: tooLarge, onStderr, onExit });
  }

  async #handshake(child: StdioProcess, correlator: Correlator, protocolVersion: string): Promise<EraEntry> {
    const pending = correlator.open(initializeRequest(protocolVersion), SILENT_OBSERVER);
    const timeout = setTimeout(() => {
      pending.fail(new UpstreamFault("UPSTREAM_TIMEOUT", "initialize was not answered in time"));
    }, UPSTREAM_CAPS.handshakeTimeoutMs);
    try {
      child.write(JSON.stringify(pending.wire));
      const entry = legacyEntry(await pending.reply);
      child.write(JSON.stringify(INITIALIZED));
      return entry;
    } finally {
      clearTimeout(timeout);
    }
  }

  /** False where the line was not a well-formed message. */
  #readLine(correlator: Correlator, line: Buffer): boolean {
    try {
      const message = readServerMessage(line, UPSTREAM_CAPS.maxLineBytes);
      const waiting =
        message.kind === "response" && typeof message.id === "number"
          ? this.#underWay.get(message.id)
          : undefined;
      if (waiting !== undefined && line.byteLength > waiting.maxResponseBytes) {
        waiting.pending.fail(
          new UpstreamFault("RESULT_TOO_LARGE", "the answer is larger than the response cap"),
        );
        return true;
      }
      correlator.accept(message);
      if (message.kind === "response") this.#failures = 0;
      return true;
    } catch (error) {
      correlator.violation(error instanceof UpstreamFault ? error.detail : "a malformed line");
      return false;
    }
  }

  #cancel(running: Running, pending: PendingExchange): void {
    const params = { requestId: pending.id, reason: "cancelled by the caller" };
    try {
      running.process.write(JSON.stringify({ jsonrpc: "2.0", method: "notifications/cancelled", params }));
    } catch {
      // The process is gone, and with it what was to be cancelled.
    }
  }
}

export function createStdioChannel(options: StdioChannelOptions): StdioChannel {
  return new ProcessChannel(options);
}
