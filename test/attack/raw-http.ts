// One HTTP exchange over a plain socket: the request's bytes go out as they are, the answer is read with a deadline.
import { connect } from "node:net";

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
}

/** Resolves with the first final answer, complete or as far as it came before the connection ended. */
export function exchangeRaw(target: RawTarget, request: Uint8Array): Promise<RawResponse> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: target.host, port: target.port });
    let received = Buffer.alloc(0);
    const finish = (): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(readResponse(received) ?? { status: 0, headers: new Map(), body: received.toString("latin1") });
    };
    const timer = setTimeout(() => {
      socket.destroy();
      reject(
        new Error(
          `no complete answer within ${target.timeoutMs} ms; received ${JSON.stringify(received.toString("latin1"))}`,
        ),
      );
    }, target.timeoutMs);
    socket.on("connect", () => socket.write(request));
    socket.on("data", (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (isComplete(received)) finish();
    });
    socket.on("error", finish);
    socket.on("close", finish);
  });
}

function isComplete(received: Buffer): boolean {
  const head = received.indexOf("\r\n\r\n");
  if (head === -1) return false;
  const response = readResponse(received);
  if (response === undefined || response.status < 200) return false;
  const length = response.headers.get("content-length");
  if (length !== undefined) return received.length - (head + 4) >= Number(length);
  return received.subarray(-5).equals(Buffer.from("0\r\n\r\n"));
}

function readResponse(received: Buffer): RawResponse | undefined {
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
