// MCP over WebSocket as a wire. No revision of MCP specifies it; this is what the SDK 1.x client speaks: subprotocol
// `mcp`, one JSON-RPC message for each text frame, no batches, the message rules of stdio.
import { WebSocket } from "ws";
import type { RawData } from "ws";
import type { EgressGuard } from "./egress.ts";
import { UPSTREAM_CAPS } from "./upstream-caps.ts";
import { UpstreamFault } from "./upstream-fault.ts";
import type { OpenWire, Wire, WireEvents } from "./wire.ts";

const SUBPROTOCOL = "mcp";
const NORMAL_CLOSURE = 1000;
const UNSUPPORTED_DATA = 1003;
/** How `ws` names a message over `maxPayload`. */
const TOO_LARGE = "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH";

function codeOf(error: Error): string {
  return "code" in error && typeof error.code === "string" ? error.code : error.name;
}

function bytesOf(data: RawData): Uint8Array {
  if (Array.isArray(data)) return Buffer.concat(data);
  return data instanceof ArrayBuffer ? new Uint8Array(data) : data;
}

class WebSocketWire implements Wire {
  readonly #socket: WebSocket;
  readonly #events: WireEvents;
  readonly #opening = Promise.withResolvers<undefined>();
  readonly #gone = Promise.withResolvers<undefined>();
  #reason = "the connection was closed";
  #isOpen = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    url: string,
    headers: Readonly<Record<string, string>>,
    guard: EgressGuard | undefined,
    events: WireEvents,
  ) {
    this.#events = events;
    this.#opening.promise.catch(() => undefined);
    this.#socket = new WebSocket(url, SUBPROTOCOL, {
      headers,
      followRedirects: false,
      handshakeTimeout: UPSTREAM_CAPS.connectTimeoutMs,
      maxPayload: UPSTREAM_CAPS.maxLineBytes,
      perMessageDeflate: false,
      ...(guard === undefined ? {} : { lookup: guard.lookup }),
    });
    this.#socket.on("open", this.#onOpen);
    this.#socket.on("message", this.#onMessage);
    this.#socket.on("pong", () => this.#pingLater());
    this.#socket.on("unexpected-response", (request, response) => {
      const { statusCode } = response;
      this.#reason = `the upgrade was answered with HTTP status ${String(statusCode)}`;
      this.#opening.reject(
        new UpstreamFault("UPSTREAM_UNAVAILABLE", this.#reason, {
          unsent: true,
          ...(statusCode === undefined ? {} : { httpStatus: statusCode }),
        }),
      );
      request.destroy();
      this.#onClose();
    });
    this.#socket.on("error", (error) => {
      this.#reason = `the connection failed (${codeOf(error)})`;
      if (codeOf(error) === TOO_LARGE) events.onOversized();
      const failed = `${this.#reason}: ${error.message}`;
      this.#opening.reject(
        error instanceof UpstreamFault
          ? error
          : new UpstreamFault("UPSTREAM_UNAVAILABLE", failed, { unsent: true, cause: error }),
      );
    });
    this.#socket.on("close", (code) => {
      if (this.#isOpen) this.#reason = `${this.#reason} (WebSocket code ${String(code)})`;
      this.#onClose();
    });
  }

  get opened(): Promise<void> {
    return this.#opening.promise;
  }

  readonly send = (text: string): Promise<void> => {
    if (this.#socket.readyState !== WebSocket.OPEN)
      return Promise.reject(
        new UpstreamFault("UPSTREAM_UNAVAILABLE", "the connection is not open", { unsent: true }),
      );
    if (this.#socket.bufferedAmount + text.length > UPSTREAM_CAPS.maxStdinQueueBytes) {
      return Promise.reject(
        new UpstreamFault("UPSTREAM_UNAVAILABLE", "the server does not read its messages", { unsent: true }),
      );
    }
    // Once the socket has the bytes some of them may have left: no failure after this is provably unsent.
    this.#socket.send(text);
    return Promise.resolve();
  };

  readonly stop = async (): Promise<void> => {
    this.#reason = "the connection was closed";
    this.#socket.close(NORMAL_CLOSURE);
    const late = setTimeout(() => this.#socket.terminate(), UPSTREAM_CAPS.stopGraceMs);
    await this.#gone.promise;
    clearTimeout(late);
  };

  readonly #onOpen = (): void => {
    this.#isOpen = true;
    this.#opening.resolve(undefined);
    this.#pingLater();
  };

  readonly #onMessage = (data: RawData, isBinary: boolean): void => {
    if (!isBinary) {
      this.#events.onMessage(bytesOf(data));
      return;
    }
    this.#events.onViolation("a binary WebSocket message");
    this.#reason = "the server sent a binary message";
    this.#socket.close(UNSUPPORTED_DATA);
  };

  #pingLater(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (this.#socket.readyState !== WebSocket.OPEN) return;
      this.#socket.ping();
      this.#timer = setTimeout(() => {
        this.#reason = "the server does not answer pings";
        this.#socket.terminate();
      }, UPSTREAM_CAPS.pongTimeoutMs);
      this.#timer.unref();
    }, UPSTREAM_CAPS.pingIntervalMs);
    this.#timer.unref();
  }

  #isGone = false;

  #onClose(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    clearTimeout(this.#timer);
    this.#opening.reject(new UpstreamFault("UPSTREAM_UNAVAILABLE", this.#reason, { unsent: true }));
    this.#gone.resolve(undefined);
    this.#events.onClosed(this.#reason);
  }
}

/**
 * A WebSocket as a wire. The server must choose the subprotocol `mcp`.
 * @param headers flat name, value list of the upgrade request.
 * @param guard absent = any address is connected to.
 * @throws {TypeError} where the URL is not ws(s).
 */
export function webSocketWire(url: string, headers: readonly string[], guard?: EgressGuard): OpenWire {
  const { protocol, hostname } = new URL(url);
  if (protocol !== "ws:" && protocol !== "wss:") throw new TypeError(`not a WebSocket URL: ${url}`);
  const table: Record<string, string> = {};
  for (let index = 0; index + 1 < headers.length; index += 2)
    table[headers[index] ?? ""] = headers[index + 1] ?? "";
  return (events) => {
    guard?.requireLiteral(hostname);
    return new WebSocketWire(url, table, guard, events);
  };
}
