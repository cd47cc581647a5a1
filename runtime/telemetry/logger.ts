// The process log: JSON lines on standard error.
import type { Clock } from "#std";
import { systemClock } from "#std";
import type { LogValue } from "./log-fields.ts";
import { cleanText, cleanValue, logLine } from "./log-fields.ts";

export type LogLevel = "silent" | "error" | "warn" | "info" | "debug";

/** Fields of a line. Whatever they hold is bounded and freed of credentials before it is written. */
export type LogFields = Readonly<Record<string, unknown>>;

export interface Logger {
  readonly error: (message: string, fields?: LogFields) => void;
  readonly warn: (message: string, fields?: LogFields) => void;
  readonly info: (message: string, fields?: LogFields) => void;
  readonly debug: (message: string, fields?: LogFields) => void;
  /** A logger whose lines all carry `fields`. */
  readonly child: (fields: LogFields) => Logger;
}

export interface LoggerOptions {
  /** Lines below this level are not made; default `info`. */
  readonly level?: LogLevel;
  /** Takes each line, newline included; default standard error. */
  readonly write?: (line: string) => void;
  readonly clock?: Clock;
}

const RANK: Readonly<Record<LogLevel, number>> = { silent: 0, error: 1, warn: 2, info: 3, debug: 4 };
/** The logger's own fields: data cannot take their place. */
const OWN_FIELDS: ReadonlySet<string> = new Set(["t", "level", "msg"]);

function cleanFields(fields: LogFields): Record<string, LogValue> {
  const cleaned = cleanValue(fields) as Record<string, LogValue>;
  const result = Object.create(null) as Record<string, LogValue>;
  for (const [name, value] of Object.entries(cleaned))
    result[OWN_FIELDS.has(name) ? `_${name}` : name] = value;
  return result;
}

function makeLogger(options: Required<LoggerOptions>, bound: Readonly<Record<string, LogValue>>): Logger {
  const log = (level: LogLevel, message: string, fields: LogFields | undefined): void => {
    if (RANK[level] > RANK[options.level]) return;
    const own = { t: new Date(options.clock.nowMs()).toISOString(), level, msg: cleanText(message) };
    options.write(
      logLine(
        Object.assign(Object.create(null), own, bound, fields === undefined ? {} : cleanFields(fields)),
      ),
    );
  };
  return {
    error: (message, fields) => log("error", message, fields),
    warn: (message, fields) => log("warn", message, fields),
    info: (message, fields) => log("info", message, fields),
    debug: (message, fields) => log("debug", message, fields),
    child: (fields) => makeLogger(options, Object.assign(Object.create(null), bound, cleanFields(fields))),
  };
}

/** Makes a logger. Each line is `{"t":…,"level":…,"msg":…,…fields}`. */
export function createLogger(options: LoggerOptions = {}): Logger {
  const write = options.write ?? ((line: string): void => void process.stderr.write(line));
  return makeLogger({ level: options.level ?? "info", write, clock: options.clock ?? systemClock }, {});
}
