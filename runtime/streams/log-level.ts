// Which log messages of a server a caller gets (MCP server features, logging): a legacy session by the level it set, a
// modern request by the level it names, and without one none at all.
import type { Era } from "#bundle";
import { META_LOG_LEVEL } from "#mcp";
import type { ClientMessage } from "#mcp";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";

/** From the least to the most severe (RFC 5424). */
const LEVELS: readonly JsonValue[] = [
  ...["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"],
];

/** `all`: the server's own choice. */
export type LogThreshold = string | "all" | "none";

/** A level of the protocol, or undefined. */
function logLevelOf(value: JsonValue | undefined): string | undefined {
  return typeof value === "string" && LEVELS.includes(value) ? value : undefined;
}

/** What a request asks for, by its era and, in the legacy era, its session. */
export function logThreshold(
  era: Era,
  sessionLevel: string | undefined,
  params: JsonObject | undefined,
): LogThreshold {
  if (era === "legacy") return sessionLevel ?? "all";
  const meta = params?.["_meta"];
  return logLevelOf(isJsonObject(meta) ? meta[META_LOG_LEVEL] : undefined) ?? "none";
}

/** False for a log message below the threshold, or of a level that is none. Any other notification passes. */
export function passesLogLevel(notification: JsonObject, threshold: LogThreshold): boolean {
  if (notification["method"] !== "notifications/message") return true;
  if (threshold === "none") return false;
  const params = notification["params"];
  const level = logLevelOf(isJsonObject(params) ? params["level"] : undefined);
  if (level === undefined) return false;
  return threshold === "all" || LEVELS.indexOf(level) >= LEVELS.indexOf(threshold);
}

/** Keeps the level that a session's client has set, once the server took it (legacy `logging/setLevel`). */
export function noteLogLevel({ message, session, answer }: LevelExchange): void {
  if (session === undefined || message?.kind !== "request" || message.method !== "logging/setLevel") return;
  if (answer?.kind === "result") session.logLevel = logLevelOf(message.params?.["level"]) ?? session.logLevel;
}

interface LevelExchange {
  readonly message?: ClientMessage | undefined;
  readonly session?: { logLevel: string | undefined } | undefined;
  readonly answer?: { readonly kind: string } | undefined;
}

/** Whether a server that was told `level` sends more than one that was told `other`. */
export function isMoreVerbose(level: string, other: string): boolean {
  return LEVELS.indexOf(level) < LEVELS.indexOf(other);
}
