// Keeps the gateway's log in a file and counts the alarms in it.
import { createWriteStream } from "node:fs";
import { finished } from "node:stream/promises";

export interface GatewayLog {
  readonly write: (line: string) => void;
  /** Alarms about definitions that are not the approved ones. */
  readonly pinAlarms: () => number;
  /** The last lines. */
  readonly tail: () => string;
  readonly close: () => Promise<void>;
}

const TAIL_LINES = 5;

export function openGatewayLog(file: string): GatewayLog {
  const stream = createWriteStream(file, { mode: 0o600 });
  // A disk that is full must not end the gateway's supervisor.
  stream.on("error", () => undefined);
  let alarms = 0;
  const recent: string[] = [];
  return {
    write: (line) => {
      if (line.includes('"msg":"pin mismatch"')) alarms++;
      recent.push(line);
      if (recent.length > TAIL_LINES) recent.shift();
      stream.write(`${line}\n`);
    },
    pinAlarms: () => alarms,
    tail: () => recent.join("\n"),
    close: async () => {
      stream.end();
      await finished(stream).catch(() => undefined);
    },
  };
}
