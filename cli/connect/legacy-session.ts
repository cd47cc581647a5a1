// The session of a legacy client (MCP 2025-03-26 … 2025-11-25): id and version headers, the stream for what the server
// sends unasked, and a new session where the gateway has forgotten the old one.
import { setTimeout as delay } from "node:timers/promises";
import { isJsonObject } from "#std";
import { discard } from "./remote-endpoint.ts";
import type { RemoteEndpoint } from "./remote-endpoint.ts";
import { mediaTypeOf, readAnswer } from "./answer-reader.ts";
import type { OnMessage } from "./answer-reader.ts";
import type { StreamPosition } from "./event-stream.ts";
import type { ClientLine, ServerText } from "./message.ts";

const SESSION_ID = /^[\x21-\x7e]{1,1024}$/u;
const VERSION = /^[\x21-\x7e]{1,64}$/u;
const MIN_RETRY_MS = 100;
const MAX_RETRY_MS = 30_000;
const FIRST_RETRY_MS = 1_000;
const SIDE_MESSAGE_MS = 30_000;
/** Settings of a session that a new one is given again. */
const MAX_SETTINGS = 1_000;

export const POST_HEADERS = {
  "content-type": "application/json",
  accept: "application/json, text/event-stream",
} as const;

export interface LegacySessionOptions {
  readonly remote: RemoteEndpoint;
  readonly onMessage: OnMessage;
  readonly note: (text: string) => void;
  readonly signal: AbortSignal;
}

/** `retry` of the stream, kept within bounds. */
export function retryDelayMs(position: StreamPosition, failures: number): number {
  const wanted = (position.retryMs ?? FIRST_RETRY_MS) * 2 ** Math.min(failures, 6);
  return Math.min(Math.max(wanted, MIN_RETRY_MS), MAX_RETRY_MS);
}

export class LegacySession {
  readonly #options: LegacySessionOptions;
  #id: string | undefined;
  #version: string | undefined;
  #initialize: string | undefined;
  #initialized: string | undefined;
  /** Log level and subscriptions, by what they set. */
  readonly #settings = new Map<string, string>();
  #stream: AbortController | undefined;
  #reopening: Promise<boolean> | undefined;

  constructor(options: LegacySessionOptions) {
    this.#options = options;
  }

  /** True once a client has opened one. */
  get isOpen(): boolean {
    return this.#initialize !== undefined;
  }

  /** Undefined where the server gave none. */
  get id(): string | undefined {
    return this.#id;
  }

  /** Headers of everything after the handshake. */
  headers(): Record<string, string> {
    return {
      ...(this.#id === undefined ? {} : { "mcp-session-id": this.#id }),
      ...(this.#version === undefined ? {} : { "mcp-protocol-version": this.#version }),
    };
  }

  /** A new `initialize`: what came before is over. */
  begin(message: ClientLine): void {
    this.#stream?.abort();
    this.#id = undefined;
    this.#version = undefined;
    this.#settings.clear();
    this.#initialize = message.text;
  }

  /** Takes id and version from the answer to `initialize`. */
  opened(sessionId: string | null, answer: ServerText | undefined): void {
    this.#id = sessionId !== null && SESSION_ID.test(sessionId) ? sessionId : undefined;
    const result = isJsonObject(answer?.value) ? answer.value["result"] : undefined;
    const version = isJsonObject(result) ? result["protocolVersion"] : undefined;
    this.#version = typeof version === "string" && VERSION.test(version) ? version : undefined;
  }

  /** After `notifications/initialized` was taken: listens for what the server sends unasked. */
  listen(initialized: string): void {
    this.#initialized = initialized;
    this.#stream?.abort();
    this.#stream = new AbortController();
    void this.#keepStream(AbortSignal.any([this.#stream.signal, this.#options.signal]));
  }

  /** Remembers what a new session must be told again. */
  remember({ method, params, text }: ClientLine): void {
    const uri = params?.["uri"];
    if (method === "logging/setLevel") this.#settings.set(method, text);
    else if (
      method === "resources/subscribe" &&
      typeof uri === "string" &&
      this.#settings.size < MAX_SETTINGS
    )
      this.#settings.set(`uri ${uri}`, text);
    else if (method === "resources/unsubscribe" && typeof uri === "string")
      this.#settings.delete(`uri ${uri}`);
  }

  /** Opens a new session in the place of `lost`; false where that cannot be done. One at a time. */
  reopen(lost: string): Promise<boolean> {
    if (this.#id !== lost) return Promise.resolve(this.#id !== undefined);
    this.#reopening ??= this.#reopen().finally(() => (this.#reopening = undefined));
    return this.#reopening;
  }

  /** Tells the gateway that the session is over. */
  async end(timeoutMs: number): Promise<void> {
    this.#stream?.abort();
    if (this.#id === undefined) return;
    const headers = this.headers();
    this.#id = undefined;
    try {
      await discard(
        await this.#options.remote.send({ method: "DELETE", headers }, AbortSignal.timeout(timeoutMs)),
      );
    } catch {
      // The gateway ends idle sessions by itself.
    }
  }

  async #reopen(): Promise<boolean> {
    const { note, remote } = this.#options;
    if (this.#initialize === undefined) return false;
    this.#stream?.abort();
    const known = this.#version;
    const post = async (
      body: string,
      headers: Record<string, string>,
    ): Promise<[number, string | null, ServerText?]> => {
      const signal = AbortSignal.any([this.#options.signal, AbortSignal.timeout(SIDE_MESSAGE_MS)]);
      const response = await remote.send(
        { method: "POST", headers: { ...POST_HEADERS, ...headers }, body },
        signal,
      );
      let answer: ServerText | undefined;
      if (response.ok && response.status !== 202)
        await readAnswer(response, { lastEventId: undefined, retryMs: undefined }, (message) => {
          if (message.answers.length > 0) answer = message;
          return Promise.resolve();
        });
      else await discard(response);
      const id = response.headers.get("mcp-session-id");
      return answer === undefined ? [response.status, id] : [response.status, id, answer];
    };
    const [status, id, answer] = await post(this.#initialize, {});
    if (status !== 200 || answer === undefined) return false;
    this.opened(id, answer);
    // A client that agreed on one revision cannot be moved to another.
    if (this.#version !== known || this.#id === undefined) return false;
    if (this.#initialized !== undefined) {
      await post(this.#initialized, this.headers());
      this.listen(this.#initialized);
    }
    for (const setting of this.#settings.values()) await post(setting, this.headers());
    note("the gateway had ended the session; opened a new one");
    return true;
  }

  /** The GET stream, opened again whenever it ends, until the session does or the gateway has none. */
  async #keepStream(signal: AbortSignal): Promise<void> {
    const position: StreamPosition = { lastEventId: undefined, retryMs: undefined };
    for (let failures = 0; !signal.aborted; failures++) {
      try {
        const response = await this.#get(position, signal);
        if (response === undefined) return;
        failures = 0;
        await readAnswer(response, position, this.#options.onMessage);
      } catch {
        // Said once, by the request that meets the same fault.
      }
      await delay(retryDelayMs(position, failures), undefined, { signal }).catch(() => undefined);
    }
  }

  /** An open event stream; undefined where the gateway will never have one. */
  async #get(position: StreamPosition, signal: AbortSignal) {
    const response = await this.#options.remote.send(
      { method: "GET", headers: { ...this.headers(), ...resumeHeaders(position) } },
      signal,
    );
    if (response.ok && mediaTypeOf(response) === "text/event-stream") return response;
    await discard(response);
    // 409: the stream before this one has not been noticed as gone yet.
    if (response.status === 409 || response.status >= 500) throw new Error(`HTTP ${String(response.status)}`);
    return undefined;
  }
}

/** Headers of a GET that opens a stream, or goes on with one. */
export function resumeHeaders({ lastEventId }: StreamPosition): Record<string, string> {
  return {
    accept: "text/event-stream",
    ...(lastEventId === undefined ? {} : { "last-event-id": lastEventId }),
  };
}
