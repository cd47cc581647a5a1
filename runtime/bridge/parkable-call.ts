// One call of a legacy server for a modern caller. When the server asks the client for something, the call is parked: it
// goes on running while the caller is answered `input_required`, and the caller's retry answers the server and waits on.
import { META_LOG_LEVEL } from "#mcp";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { UpstreamFault } from "#upstream";
import type { ExchangeObserver, OutboundRequest, RequestLimits, UpstreamReply } from "#upstream";
import { passesLogLevel } from "../streams/log-level.ts";
import { AskKeys } from "./ask-keys.ts";
import type { PooledCall, SessionLease } from "./session-pool.ts";
import { isDeclared, requiredCapability } from "./translate-reply.ts";
import { entryParams } from "./translate.ts";

/** The request of the caller that waits for the call at the moment. */
export interface Attachment {
  readonly request: OutboundRequest;
  readonly observer: ExchangeObserver;
  readonly signal: AbortSignal;
}

/** What a caller that waits is told: the end, or what the server asks meanwhile, by key. */
export type Turn =
  | {
      readonly kind: "reply";
      readonly reply: UpstreamReply;
      /** The whole message, where it was not read: of the reply only the kind and an error's code then mean something. */
      readonly large: Uint8Array | undefined;
    }
  | { readonly kind: "asks"; readonly asks: Readonly<Record<string, JsonObject>> };

/** A request of a server as the client would get it. */
interface BridgedAsk {
  readonly method: string;
  readonly params: JsonObject;
}

/** Governs an ask together with an answer that came with the call. Undefined: the client is to be asked. */
export type AnswerAhead = (ask: BridgedAsk, answer: JsonObject) => Promise<UpstreamReply | undefined>;

export interface ParkableCallOptions {
  readonly lease: SessionLease;
  readonly request: OutboundRequest;
  readonly maxResponseBytes: number;
  /** A large answer is kept unread. */
  readonly takesLarge: boolean;
  /** What the client declared, narrowed: the only ground on which the server may ask. */
  readonly capabilities: JsonObject;
  /** Whether one more call of this caller may be parked. */
  readonly mayPark: () => boolean;
  /** Absent where the server's words may not stand in keys: then nothing can be answered ahead either. */
  readonly answerAhead: AnswerAhead | undefined;
  /** What the call itself brought as answers, by key. */
  readonly answers: JsonObject;
}

interface OpenAsk {
  readonly entry: JsonObject;
  readonly settle: (reply: UpstreamReply) => void;
}

type Ending = { readonly reply: UpstreamReply } | { readonly fault: unknown };

/** Requests that arrive together are told together: the time after the last of them, and after the first at most. */
const ASK_QUIET_MS = 10;
const ASK_LATEST_MS = 100;
/** Open at once; a server that asks for more is refused. */
const MAX_OPEN_ASKS = 16;

const refusal = (code: number, message: string): UpstreamReply => ({
  kind: "error",
  error: { code, message },
});

/** Servers keep roots for the session: they would be those of other calls as well, whose client may be another. */
const ROOTS_UNTOLD = refusal(-32603, "Too many calls at once: those that share a session have no roots");

export class ParkableCall {
  readonly #options: ParkableCallOptions;
  readonly #controller = new AbortController();
  readonly #asks = new Map<string, OpenAsk>();
  readonly #listener: PooledCall;
  #attachment: Attachment | undefined;
  #ending: Ending | undefined;
  #wake: () => void = () => undefined;
  readonly #keys: AskKeys;
  /** Answers that came with the call and are not used yet. */
  #ahead: JsonObject;
  #governAhead: AnswerAhead | undefined;
  #missing: JsonObject | undefined;
  #firstAskMs = 0;
  #large: Uint8Array | undefined;
  #quiet: NodeJS.Timeout | undefined;
  #isTelling = false;

  constructor(options: ParkableCallOptions) {
    this.#options = { ...options, answerAhead: undefined };
    this.#keys = new AskKeys(options.answerAhead !== undefined);
    this.#ahead = options.answers;
    this.#governAhead = options.answerAhead;
    this.#listener = { onNotification: (notification) => this.#notify(notification) };
  }

  /** Capabilities whose requests were refused because the client did not declare them, as an error names them. */
  get missing(): JsonObject | undefined {
    return this.#missing;
  }

  /** Sends the request; what comes of it is told to whoever waits in `attend`. */
  start(): void {
    this.#options.lease.session.calls.add(this.#listener);
    this.#send().then(
      (reply) => this.#end({ reply }),
      (fault: unknown) => this.#end({ fault }),
    );
  }

  /** A modern caller knows of no session: one that the server forgot is opened again, once. The server refused the request unread. */
  async #send(): Promise<UpstreamReply> {
    try {
      return await this.#sendOnce();
    } catch (fault) {
      if (!isLostSession(fault)) throw fault;
      return this.#sendOnce();
    }
  }

  #sendOnce(): Promise<UpstreamReply> {
    const { lease, request, maxResponseBytes, takesLarge } = this.#options;
    const { session } = lease;
    const observer: ExchangeObserver = {
      onNotification: (notification) => this.#notify(notification),
      onServerRequest: (asked, withdrawn) => this.#ask(asked, withdrawn),
      onReceived: () => this.#attachment?.observer.onReceived?.(),
    };
    const onLarge = (bytes: Uint8Array): void => {
      this.#large = bytes;
    };
    const limits: RequestLimits = takesLarge ? { maxResponseBytes, onLarge } : { maxResponseBytes };
    return session.upstream.request(session.channel, request, observer, limits, this.#controller.signal);
  }

  /**
   * Waits until the call ends or the server asks. A caller that goes away ends the call upstream.
   * @throws {AegisError} what the upstream or the signal failed with
   */
  async attend(attachment: Attachment): Promise<Turn> {
    this.#attachment = attachment;
    const { signal } = attachment;
    const onAbort = (): void => this.#controller.abort(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
    try {
      this.#watchAsks();
      while (this.#ending === undefined && !this.#isTelling)
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      if (this.#ending === undefined) return { kind: "asks", asks: this.#entries() };
      if ("fault" in this.#ending) throw this.#ending.fault;
      return { kind: "reply", reply: this.#ending.reply, large: this.#large };
    } finally {
      this.#isTelling = false;
      this.#attachment = undefined;
      // They were the answers of this one request, which a call that waits must not keep: nor its release.
      this.#ahead = {};
      this.#governAhead = undefined;
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** Gives the server its answers. Keys it did not ask for are ignored; what stays open is asked again. */
  answer(answers: JsonObject): void {
    for (const [key, ask] of [...this.#asks]) {
      const result = Object.hasOwn(answers, key) ? answers[key] : undefined;
      if (isJsonObject(result)) ask.settle({ kind: "result", result });
    }
  }

  /** Ends the call upstream. */
  cancel(reason: string): void {
    this.#controller.abort(new UpstreamFault("EXCHANGE_ABORTED", reason));
  }

  #entries(): Readonly<Record<string, JsonObject>> {
    return Object.fromEntries([...this.#asks].map(([key, { entry }]) => [key, entry]));
  }

  async #ask(asked: JsonObject, withdrawn: AbortSignal): Promise<UpstreamReply> {
    const method = asked["method"];
    const params = entryParams(asked["params"]);
    const { capabilities } = this.#options;
    if (this.#ending !== undefined || typeof method !== "string") return refusal(-32601, "Method not found");
    if (!isDeclared(capabilities, method, params)) {
      this.#missing = { ...this.#missing, ...requiredCapability(method, params) };
      return refusal(-32601, "Method not found");
    }
    const { lease } = this.#options;
    const asksRoots = method === "roots/list";
    if (asksRoots && !lease.isAlone()) return ROOTS_UNTOLD;
    const key = this.#keys.next(method, params);
    if (key === undefined) return refusal(-32603, "Too many requests in one call");
    const ahead = await this.#answerAhead(key, { method, params });
    const reply = ahead ?? (await this.#askClient(key, { method, params }, withdrawn));
    return asksRoots && reply.kind === "result" && !lease.tellRoots() ? ROOTS_UNTOLD : reply;
  }

  /** Each answer serves once. Whatever keeps one from serving, the client is asked. */
  async #answerAhead(key: string, ask: BridgedAsk): Promise<UpstreamReply | undefined> {
    const answer = Object.hasOwn(this.#ahead, key) ? this.#ahead[key] : undefined;
    if (!isJsonObject(answer)) return undefined;
    const { [key]: _used, ...left } = this.#ahead;
    this.#ahead = left;
    try {
      return await this.#governAhead?.(ask, answer);
    } catch {
      return undefined;
    }
  }

  #askClient(key: string, { method, params }: BridgedAsk, withdrawn: AbortSignal): Promise<UpstreamReply> {
    const { mayPark } = this.#options;
    if (this.#ending !== undefined || withdrawn.aborted) return Promise.resolve(refusal(-32603, "Withdrawn"));
    if (this.#asks.size >= MAX_OPEN_ASKS || (this.#asks.size === 0 && !mayPark()))
      return Promise.resolve(refusal(-32603, "Too many requests wait for an answer"));
    const entry =
      method === "roots/list" && Object.keys(params).length === 0 ? { method } : { method, params };
    return new Promise((resolve) => {
      const settle = (reply: UpstreamReply): void => {
        this.#asks.delete(key);
        resolve(reply);
      };
      this.#asks.set(key, { entry, settle });
      withdrawn.addEventListener("abort", () => settle(refusal(-32603, "Withdrawn")), { once: true });
      this.#watchAsks();
    });
  }

  /** Tells the caller of open asks once no further one arrives; a parked call has nobody to tell. */
  #watchAsks(): void {
    if (this.#asks.size === 0 || this.#attachment === undefined || this.#isTelling) return;
    const nowMs = performance.now();
    if (this.#quiet === undefined) this.#firstAskMs = nowMs;
    clearTimeout(this.#quiet);
    const leftMs = Math.max(0, this.#firstAskMs + ASK_LATEST_MS - nowMs);
    this.#quiet = setTimeout(() => this.#tell(), Math.min(ASK_QUIET_MS, leftMs));
  }

  #tell(): void {
    this.#quiet = undefined;
    if (this.#attachment === undefined || this.#asks.size === 0) return;
    this.#isTelling = true;
    this.#wake();
  }

  #end(ending: Ending): void {
    this.#ending = ending;
    clearTimeout(this.#quiet);
    this.#quiet = undefined;
    for (const ask of [...this.#asks.values()]) ask.settle(refusal(-32603, "The call is over"));
    const { lease } = this.#options;
    lease.session.calls.delete(this.#listener);
    lease.release();
    this.#wake();
  }

  /** Relayed on the stream of whoever waits now, under the progress token of that request and its log level. */
  #notify(notification: JsonObject): void {
    const attachment = this.#attachment;
    if (attachment === undefined) return;
    const meta = metaOf(attachment.request);
    if (notification["method"] === "notifications/progress") {
      const token = meta?.["progressToken"];
      const { params } = notification;
      if (token === undefined || !isJsonObject(params)) return;
      attachment.observer.onNotification({ ...notification, params: { ...params, progressToken: token } });
      return;
    }
    const level = meta?.[META_LOG_LEVEL];
    if (passesLogLevel(notification, typeof level === "string" ? level : "none"))
      attachment.observer.onNotification(notification);
  }
}

/** MCP 2025-11-25, session management: 404 says that the session is gone, and nothing was done. */
function isLostSession(fault: unknown): boolean {
  return fault instanceof UpstreamFault && fault.httpStatus === 404;
}

function metaOf(request: OutboundRequest): JsonObject | undefined {
  const meta: JsonValue | undefined = request.params?.["_meta"];
  return isJsonObject(meta) ? meta : undefined;
}
