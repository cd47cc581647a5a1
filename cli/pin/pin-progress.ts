// Progress of `aegis pin`: on a terminal one line that is written over, elsewhere one line for each server.
import { showCodePoints } from "#registry";
import type { PinProgress } from "#registry";
import type { CliIo } from "../output/io.ts";

const CLEAR_LINE = "\r\u001b[2K";
const WIDTH = 79;

export interface PinProgressView {
  readonly onProgress: (progress: PinProgress) => void;
  /** Removes the line of a terminal. */
  readonly end: () => void;
}

export function pinProgress(io: Pick<CliIo, "err" | "showProgress">, servers: number): PinProgressView {
  if (!io.showProgress) {
    return {
      onProgress: ({ server, text, isSummary }) => {
        if (isSummary) io.err(`${`${server}: ${showCodePoints(text)}`.slice(0, WIDTH).toWellFormed()}\n`);
      },
      end: () => undefined,
    };
  }
  const seen = new Set<string>();
  return {
    onProgress: ({ server, text }) => {
      seen.add(server);
      const line = `pinning ${String(seen.size)}/${String(servers)}  ${server}: ${showCodePoints(text).replace(/\s+/gu, " ")}`;
      io.err(CLEAR_LINE + line.slice(0, WIDTH).toWellFormed());
    },
    end: () => io.err(CLEAR_LINE),
  };
}
