// HTTP over a plain or TLS socket: the request's bytes go out as they are, the answer is read with a deadline.
import { connect } from "node:net";
import type { Socket } from "node:net";
import { connect as connectTls } from "node:tls";

export interface RawResponse {
  /** 0 where the connection ended without an answer. */
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

export interface RawTarget {
  readonly host: string;
  readonly port: number;
  readonly timeoutMs: number;
  /** Absent = plain. `isChecked` false takes any certificate. */
  readonly tls?: { readonly isChecked: boolean };
}

/** A connection that is written to and read from by hand. */
export interface RawConnection {
  readonly write: (bytes: Uint8Array) => void;
  /** Stops taking bytes from the socket. */
  readonly pause: () => void;
  readonly resume: () => void;
  /** Everything that came so far. */
  readonly received: () => Buffer;
  readonly isClosed: () => boolean;
  /** Why it never opened; undefined where it did, or may still. */
  readonly refusal: () => string | undefined;
  /** True as soon as `check` holds; false where the time is over, or the connection, first. */
  readonly until: (check: () => boolean, timeoutMs: number) => Promise<boolean>;
  readonly close: () => void;
}

function openSocket({ host, port, tls }: RawTarget): Socket {
  if (tls === undefined) return connect({ host, port });
  const name = /^[\d.]+$|:/u.test(host) ? {} : { servername: host };
  return connectTls({ host, port, ...name, ALPNProtocols: ["http/1.1"], rejectUnauthorized: tls.isChecked });
}

/** Opens a connection and keeps it. What is written before it is open waits. */
export function openRaw(target: RawTarget): RawConnection {
  const socket = openSocket(target);
  let received = Buffer.alloc(0);
  let isClosed = false;
  let isOpen = false;
  let refusal: string | undefined;
  const watchers = new Set<() => void>();
  const tell = (): void => {
    for (const watcher of watchers) watcher();
  };
  socket.on("data", (chunk) => {
    received = Buffer.concat([received, chunk]);
    tell();
  });
  socket.once(target.tls === undefined ? "connect" : "secureConnect", () => (isOpen = true));
  socket.on("error", (fault) => (refusal = isOpen ? undefined : fault.message));
  socket.on("close", () => {
    isClosed = true;
    tell();
  });
  return {
    write: (bytes) => void (isClosed ? undefined : socket.write(bytes)),
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    received: () => received,
    isClosed: () => isClosed,
    refusal: () => refusal,
    until: (check, timeoutMs) =>
      new Promise((resolve) => {
        const finish = (value: boolean): void => {
          clearTimeout(timer);
          watchers.delete(look);
          resolve(value);
        };
        const look = (): void => {
          if (check()) finish(true);
          else if (isClosed) finish(false);
        };
        const timer = setTimeout(() => finish(check()), timeoutMs);
        watchers.add(look);
        look();
      }),
    close: () => void socket.destroy(),
  };
}

/** Resolves with the first final answer, complete or as far as it came before the connection ended. */
export async function exchangeRaw(target: RawTarget, request: Uint8Array): Promise<RawResponse> {
  const connection = openRaw(target);
  try {
    connection.write(request);
    const isOver = (): boolean => connection.isClosed() || isComplete(connection.received());
    const isAnswered = await connection.until(isOver, target.timeoutMs);
    const refusal = connection.refusal();
    if (refusal !== undefined) throw new Error(`cannot connect: ${refusal}`);
    const received = connection.received();
    if (!isAnswered && !connection.isClosed())
      throw new Error(
        `no complete answer within ${target.timeoutMs} ms; received ${JSON.stringify(received.toString("latin1").slice(0, 500))}`,
      );
    return readResponse(received) ?? { status: 0, headers: new Map(), body: received.toString("latin1") };
  } finally {
    connection.close();
  }
}

export function isComplete(received: Buffer): boolean {
  const head = received.indexOf("\r\n\r\n");
  if (head === -1) return false;
  const response = readResponse(received);
  if (response === undefined || response.status < 200) return false;
  if (response.status === 204 || response.status === 304) return true;
  const length = response.headers.get("content-length");
  if (length !== undefined) return received.length - (head + 4) >= Number(length);
  return received.subarray(-5).equals(Buffer.from("0\r\n\r\n"));
}

/** The head and what of the body has come, chunk sizes included; undefined before the head is complete. */
export function readResponse(received: Buffer): RawResponse | undefined {
  const head = received.indexOf("\r\n\r\n");
  if (head === -1) return undefined;
  const [statusLine = "", ...lines] = received.subarray(0, head).toString("latin1").split("\r\n");
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(statusLine)?.[1] ?? "0");
  if (status === 100) return readResponse(received.subarray(head + 4));
  const headers = new Map(
    lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
    }),
  );
  return { status, headers, body: received.subarray(head + 4).toString("utf8") };
}
