// The one way back to the caller: exactly one final message, and before it any number of notifications on a stream
// that is opened only when the first of them arrives.
import type { Era } from "#bundle";
import type { RequestId } from "#mcp";
import type { HttpReply, SseStream } from "../listener/inbound.ts";

/** What is known of the message being answered, as soon as it is known: even a refusal must carry its id. */
export interface ReplyAddress {
  readonly id: RequestId | null;
  readonly era: Era | undefined;
  readonly method: string | undefined;
  /** False for notifications and posted responses. */
  readonly expectsAnswer: boolean;
}

export class ReplyChannel {
  readonly #http: HttpReply;
  readonly #acceptsStream: () => boolean;
  #stream: SseStream | undefined;
  #finished = false;
  #address: ReplyAddress = { id: null, era: undefined, method: undefined, expectsAnswer: true };

  /** @param acceptsStream asked only where there is something to stream. */
  constructor(http: HttpReply, acceptsStream: () => boolean) {
    this.#http = http;
    this.#acceptsStream = acceptsStream;
  }

  get finished(): boolean {
    return this.#finished;
  }

  get address(): ReplyAddress {
    return this.#address;
  }

  addressTo(address: ReplyAddress): void {
    this.#address = address;
  }

  /** Sends a notification on the exchange's own stream. False where the caller cannot receive one or the answer has gone. */
  notify(json: string): boolean {
    if (this.#finished) return false;
    if (this.#stream === undefined && !this.#acceptsStream()) return false;
    this.#stream ??= this.#http.openStream();
    return this.#stream.send(json);
  }

  /** Sends the final message; later calls do nothing and return false. */
  finish(
    status: number,
    json: string | Uint8Array | undefined,
    headers: Readonly<Record<string, string>> = {},
  ): boolean {
    if (this.#finished) return false;
    this.#finished = true;
    if (this.#stream !== undefined) {
      this.#stream.end(json);
      return true;
    }
    if (json === undefined) this.#http.empty(status, headers);
    else this.#http.json(status, json, headers);
    return true;
  }

  /** Hands the response over to a long-lived stream; the exchange ends without a message. */
  takeOver(headers: Readonly<Record<string, string>> = {}): SseStream | undefined {
    if (this.#finished || this.#stream !== undefined) return undefined;
    this.#finished = true;
    return this.#http.openStream(headers);
  }
}
