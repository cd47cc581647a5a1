// The bridge: each line of a stdio client becomes an HTTP request to the gateway, what comes back becomes lines. Every
// message keeps its text; only headers are derived from it. The era is that of the message: a client that asks
// `server/discover` first may still fall back to `initialize`.
import type { Readable, Writable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import type { Response } from "undici";
import type { RequestId } from "#mcp";
import { isJsonObject } from "#std";
import type { JsonObject } from "#std";
import { mediaTypeOf, messageOf, readAnswer, readBody } from "./answer-reader.ts";
import {
  BridgeError,
  REPEAT,
  errorLine,
  lostAfterSending,
  lostAnswer,
  toBridgeError,
} from "./bridge-error.ts";
import type { StreamPosition } from "./event-stream.ts";
import { LegacySession, POST_HEADERS, resumeHeaders, retryDelayMs } from "./legacy-session.ts";
import { isModern, readClientLine } from "./message.ts";
import type { ClientLine, ServerText } from "./message.ts";
import { MirroredHeaders } from "./mirrored-headers.ts";
import { discard } from "./remote-endpoint.ts";
import type { RemoteEndpoint } from "./remote-endpoint.ts";
import { createLineWriter, readLines } from "./stdio-lines.ts";
import { listTools } from "./tool-list.ts";

export interface BridgeOptions {
  readonly remote: RemoteEndpoint;
  readonly input: Readable;
  readonly output: Writable;
  /** One line for a person. */
  readonly note: (text: string) => void;
  /** Ends the bridge at once. */
  readonly signal: AbortSignal;
  /** How long requests under way are waited for after the input has ended; default 30 s. */
  readonly drainMs?: number;
}

const DRAIN_MS = 30_000;
const END_SESSION_MS = 2_000;
const SIDE_MESSAGE_MS = 60_000;
const MAX_IN_FLIGHT = 1_000;
const MAX_RESUMES = 20;
const HEADER_MISMATCH = -32020;
const PATH = "check the path of the URL";

interface InFlight {
  readonly message: ClientLine;
  readonly controller: AbortController;
  /** Ids that no answer has come for. */
  readonly open: Set<RequestId>;
  /** Ids whose answer the client no longer waits for. */
  readonly cancelled: Set<RequestId>;
  /** The gateway has answered its POST in some way. */
  isSent: boolean;
  done: Promise<void>;
}

const keyOf = (id: RequestId): string => JSON.stringify(id);

/** Resolves when the input has ended and what was under way is answered, or the signal aborts. */
export async function runBridge(options: BridgeOptions): Promise<void> {
  await new Bridge(options).run();
}

class Bridge {
  readonly #options: BridgeOptions;
  readonly #write: (text: string) => Promise<void>;
  readonly #headers = new MirroredHeaders();
  readonly #session: LegacySession;
  readonly #inFlight = new Map<string, InFlight>();
  readonly #ended = new AbortController();
  readonly #signal: AbortSignal;

  constructor(options: BridgeOptions) {
    this.#options = options;
    this.#write = createLineWriter(options.output);
    this.#signal = AbortSignal.any([options.signal, this.#ended.signal]);
    this.#session = new LegacySession({
      remote: options.remote,
      note: options.note,
      signal: this.#signal,
      onMessage: (message) => this.#write(message.text),
    });
  }

  async run(): Promise<void> {
    const { input, signal, note } = this.#options;
    const stop = (): void => void input.destroy();
    signal.addEventListener("abort", stop, { once: true });
    try {
      for await (const line of readLines(input)) {
        if (signal.aborted) break;
        if (line.kind === "line") await this.#take(line.text);
        else await this.#refuse(`the client wrote ${line.why}`, "PARSE_ERROR");
      }
    } catch (fault) {
      if (!signal.aborted) note(`standard input: ${(fault as Error).message}`);
    } finally {
      signal.removeEventListener("abort", stop);
    }
    await this.#drain();
    await this.#session.end(END_SESSION_MS);
    this.#ended.abort();
  }

  /** A subscription never ends by itself, so only the others are waited for. */
  async #drain(): Promise<void> {
    const waiting: Promise<void>[] = [];
    for (const { message, controller, done } of this.#inFlight.values()) {
      if (message.method === "subscriptions/listen") controller.abort();
      waiting.push(done);
    }
    const timer = new AbortController();
    const limit = AbortSignal.any([timer.signal, this.#options.signal]);
    const late = delay(this.#options.drainMs ?? DRAIN_MS, undefined, { signal: limit }).catch(
      () => undefined,
    );
    await Promise.race([Promise.all(waiting), late]);
    timer.abort();
  }

  async #take(text: string): Promise<void> {
    let message: ClientLine;
    try {
      message = readClientLine(text);
    } catch (fault) {
      const code = fault instanceof TypeError ? "MESSAGE_INVALID" : "PARSE_ERROR";
      return this.#refuse(`the client wrote what is no message: ${(fault as Error).message}`, code);
    }
    if (message.kind === "request" || (message.kind === "batch" && message.ids.length > 0)) {
      const done = this.#start(message);
      // What follows may need the session that this opens.
      if (message.method === "initialize") await done;
      return;
    }
    if (message.method === "notifications/cancelled" && this.#cancel(message)) return;
    await this.#notify(message);
  }

  async #refuse(what: string, code: "PARSE_ERROR" | "MESSAGE_INVALID"): Promise<void> {
    this.#options.note(what);
    await this.#write(errorLine(null, new BridgeError(code, what, "send one JSON-RPC message per line")));
  }

  /** True where the cancellation is done: in the modern era it is the end of the response stream. */
  #cancel({ params }: ClientLine): boolean {
    const id = params?.["requestId"];
    if (typeof id !== "string" && typeof id !== "number") return false;
    const entry = this.#inFlight.get(keyOf(id));
    if (entry === undefined) return !this.#session.isOpen;
    entry.cancelled.add(id);
    if (!isModern(entry.message)) return false;
    entry.controller.abort();
    return true;
  }

  /** Notifications and responses: taken in order, answered by a status alone. */
  async #notify(message: ClientLine): Promise<void> {
    const signal = AbortSignal.any([this.#signal, AbortSignal.timeout(SIDE_MESSAGE_MS)]);
    try {
      const response = await this.#post(message, signal);
      await discard(response);
      if (!response.ok) {
        const what = message.method ?? message.kind;
        this.#options.note(`the gateway did not take ${what}: HTTP ${String(response.status)}`);
      } else if (message.method === "notifications/initialized" && !isModern(message)) {
        this.#session.listen(message.text);
      }
    } catch (fault) {
      if (!this.#signal.aborted) this.#report(toBridgeError(fault));
    }
  }

  #start(message: ClientLine): Promise<void> {
    const keys = message.ids.map(keyOf);
    if (this.#inFlight.size >= MAX_IN_FLIGHT || keys.some((key) => this.#inFlight.has(key))) {
      const fault = new BridgeError(
        "MESSAGE_INVALID",
        "too many requests, or an id in use",
        "wait for answers",
      );
      return this.#fail(message, new Set(message.ids), fault);
    }
    const controller = new AbortController();
    const entry: InFlight = {
      message,
      controller,
      open: new Set(message.ids),
      cancelled: new Set(),
      isSent: false,
      done: Promise.resolve(),
    };
    for (const key of keys) this.#inFlight.set(key, entry);
    entry.done = this.#request(entry, AbortSignal.any([this.#signal, controller.signal])).finally(() => {
      for (const key of keys) this.#inFlight.delete(key);
    });
    return entry.done;
  }

  async #request(entry: InFlight, signal: AbortSignal): Promise<void> {
    const { message } = entry;
    const fail = async (fault: BridgeError): Promise<void> => {
      const unanswered = entry.open.difference(entry.cancelled);
      if (unanswered.size > 0 && !signal.aborted) await this.#fail(message, unanswered, fault);
    };
    try {
      await this.#exchange(entry, signal);
      await fail(new BridgeError("CONNECTION_LOST", "the answer ended early", REPEAT));
    } catch (fault) {
      await fail(toBridgeError(entry.isSent ? lostAfterSending(fault) : fault));
    }
  }

  async #fail(message: ClientLine, open: ReadonlySet<RequestId>, fault: BridgeError): Promise<void> {
    this.#report(fault, message.method);
    for (const id of open) await this.#write(errorLine(id, fault));
  }

  #report({ message, remedy }: BridgeError, method?: string): void {
    this.#options.note(`${method === undefined ? "" : `${method}: `}${message}; ${remedy}`);
  }

  async #exchange(entry: InFlight, signal: AbortSignal): Promise<void> {
    const { message, open } = entry;
    const isOpening = message.method === "initialize" && !isModern(message);
    if (isOpening) this.#session.begin(message);
    const response = await this.#post(message, signal, () => (entry.isSent = true));
    const position: StreamPosition = { lastEventId: undefined, retryMs: undefined };
    if (!response.ok) return this.#httpError(entry, response, signal);
    if (isOpening) this.#session.opened(response.headers.get("mcp-session-id"), undefined);
    const onMessage = async (answer: ServerText): Promise<void> => {
      if (isOpening && answer.answers.length > 0)
        this.#session.opened(response.headers.get("mcp-session-id"), answer);
      await this.#deliver(entry, answer);
    };
    await this.#read(response, position, onMessage, signal);
    if (!isModern(message)) {
      await this.#resume(entry, position, onMessage, signal);
      if (open.size === 0) this.#session.remember(message);
    }
  }

  /** A stream that broke off is no fault yet where it can be resumed. */
  async #read(
    response: Response,
    position: StreamPosition,
    onMessage: (answer: ServerText) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    try {
      await readAnswer(response, position, onMessage);
    } catch (fault) {
      signal.throwIfAborted();
      if (fault instanceof BridgeError || position.lastEventId === undefined) throw fault;
    }
  }

  /** MCP 2025-11-25: a server may close the stream of a request and be polled with the id of its last event. */
  async #resume(
    { open, cancelled }: InFlight,
    position: StreamPosition,
    onMessage: (answer: ServerText) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    const isWanted = (): boolean => !open.isSubsetOf(cancelled) && position.lastEventId !== undefined;
    for (let tried = 0; isWanted() && tried < MAX_RESUMES; tried++) {
      await delay(retryDelayMs(position, 0), undefined, { signal });
      const headers = { ...this.#session.headers(), ...resumeHeaders(position) };
      const response = await this.#options.remote.send({ method: "GET", headers }, signal).catch(lostAnswer);
      if (!response.ok || mediaTypeOf(response) !== "text/event-stream") return discard(response);
      await this.#read(response, position, onMessage, signal);
    }
  }

  async #deliver(entry: InFlight, answer: ServerText): Promise<void> {
    const { message, open } = entry;
    for (const id of answer.answers) {
      if (id !== null) open.delete(id);
    }
    if (message.method === "tools/list" && isModern(message) && isJsonObject(answer.value)) {
      const { result } = answer.value;
      if (isJsonObject(result)) this.#headers.learn(result);
    }
    if (!answersOnlyCancelled(entry, answer)) await this.#write(answer.text);
  }

  /** An HTTP error: the JSON-RPC error it carries, or one that says what happened. */
  async #httpError(entry: InFlight, response: Response, signal: AbortSignal): Promise<void> {
    const { message } = entry;
    const text = await readBody(response);
    const error = errorMember(text);
    const [id] = message.ids;
    if (
      error?.["code"] === HEADER_MISMATCH &&
      message.method === "tools/call" &&
      !this.#headers.knows(message)
    ) {
      // The gateway refused before it did anything: the tool mirrors arguments, and nobody has listed it yet.
      if (await listTools(this.#options.remote, message, this.#headers, signal))
        return this.#exchange(entry, signal);
    }
    if (error !== undefined && id !== undefined && message.kind === "request") {
      const parsed = messageOf(text);
      const isForIt = parsed.answers.length === 1 && parsed.answers[0] === id;
      if (isNoEndpoint(response, message, error))
        this.#options.note(
          `${message.method ?? ""}: nothing is served at ${this.#options.remote.url.href}; ${PATH}`,
        );
      const answer = isForIt ? parsed.text : JSON.stringify({ jsonrpc: "2.0", id, error });
      return this.#deliver(entry, { text: answer, answers: [id], value: parsed.value });
    }
    throw new BridgeError(
      "GATEWAY_ANSWER_INVALID",
      `the gateway answered HTTP ${String(response.status)}`,
      response.status === 404 ? PATH : "ask the operator of the gateway",
    );
  }

  /** POSTs a message; a session that the gateway has forgotten is opened again, once. */
  async #post(message: ClientLine, signal: AbortSignal, onSent?: () => void): Promise<Response> {
    const modern = isModern(message);
    const isOpening = message.method === "initialize";
    const send = (): Promise<Response> =>
      this.#options.remote.send(
        {
          method: "POST",
          headers: {
            ...POST_HEADERS,
            ...(modern ? this.#headers.headersOf(message) : isOpening ? {} : this.#session.headers()),
          },
          body: message.text,
        },
        signal,
      );
    const sessionId = modern || isOpening ? undefined : this.#session.id;
    const response = await send();
    onSent?.();
    if (response.status !== 404 || sessionId === undefined) return response;
    if (!(await this.#session.reopen(sessionId))) return response;
    await discard(response);
    return send();
  }
}

/**
 * True for a message that the client must not see (MCP, cancellation). A batch that answers other requests too is
 * passed on whole, because its text is kept.
 */
function answersOnlyCancelled({ cancelled }: InFlight, { answers, value }: ServerText): boolean {
  const size = Array.isArray(value) ? value.length : 1;
  return size > 0 && answers.length === size && answers.every((id) => id !== null && cancelled.has(id));
}

/** A 404 for the URL itself. Sessions and methods that are unknown have that status too (Streamable HTTP). */
function isNoEndpoint({ status }: Response, message: ClientLine, error: JsonObject): boolean {
  const data = error["data"];
  const isNamed = isJsonObject(data) && data["code"] === "ROUTE_NOT_FOUND";
  return status === 404 && (isNamed || (message.method === "initialize" && !isModern(message)));
}

function errorMember(text: string) {
  try {
    const { value } = messageOf(text);
    const error = isJsonObject(value) ? value["error"] : undefined;
    return isJsonObject(error) ? error : undefined;
  } catch {
    return undefined;
  }
}
