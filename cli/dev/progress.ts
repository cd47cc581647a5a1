// Progress of the development commands: one line for each step, on standard error.
import type { CliIo } from "../output/io.ts";
import { paint } from "../output/io.ts";

/** Runs one step and writes a line about it: what `describe` makes of the result, and the time it took. */
export async function step<T>(
  io: CliIo,
  what: string,
  work: () => Promise<T>,
  describe: (value: T) => string = () => "",
): Promise<T> {
  const startedMs = performance.now();
  if (io.showProgress) io.err(`..  ${what}`);
  const clear = io.showProgress ? "\r\u001b[K" : "";
  try {
    const value = await work();
    const detail = describe(value);
    const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1);
    const text = detail === "" ? what : `${what}: ${detail}`;
    io.err(
      `${clear}${paint(io.colorErr, "green", "ok")}  ${text} ${paint(io.colorErr, "dim", `(${seconds} s)`)}\n`,
    );
    return value;
  } catch (fault) {
    io.err(`${clear}${paint(io.colorErr, "red", "--")}  ${what}\n`);
    throw fault;
  }
}

export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
