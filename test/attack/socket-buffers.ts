// How much of an answer that nobody reads the system takes off the server's hands.
import { readFileSync } from "node:fs";

/** Where the system does not say. */
const SAFE_BYTES = 64_000_000;

function readSetting(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

/**
 * Most that the buffers of one TCP connection may hold, the sender's and the receiver's. Those of a server on another system
 * are taken to be as large as here.
 */
export function heldBytes(read: (path: string) => string | undefined = readSetting): number {
  // Least, default, most.
  const most = ["tcp_wmem", "tcp_rmem"].map((name) =>
    Number(read(`/proc/sys/net/ipv4/${name}`)?.trim().split(/\s+/u)[2]),
  );
  const sum = most.reduce((total, bytes) => total + bytes, 0);
  return Number.isSafeInteger(sum) ? sum : SAFE_BYTES;
}
