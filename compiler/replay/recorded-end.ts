// How a recorded decision's call ended: its result in the log, or what the log says of there being none.
import type { AuditRecord } from "#audit";

/** How a call ended. Times are RFC 3339; members that the record does not have are null. */
export type RecordedEnd =
  | {
      readonly kind: "result";
      readonly at: string;
      /** `result`, `error`, `accepted` or `denied`. */
      readonly outcome: string;
      /** Code of the gateway, or number of a JSON-RPC error. */
      readonly code: string | number | null;
      readonly detail: string | null;
      readonly durationMs: number | null;
    }
  /** The log has a gap where the result would be. */
  | { readonly kind: "gap"; readonly at: string; readonly reason: string }
  /** Allowed, and no result in what was read. */
  | { readonly kind: "open" };

/** The end that a record says for the decision; undefined where it is about something else. */
export function readEnd(record: AuditRecord, id: string): RecordedEnd | undefined {
  const { event, body, time } = record;
  if (event === "gap") {
    const { decisions, reason } = body;
    const isListed = Array.isArray(decisions) && decisions.includes(id);
    return isListed ? { kind: "gap", at: time, reason: typeof reason === "string" ? reason : "" } : undefined;
  }
  if (event !== "result" || body["id"] !== id) return undefined;
  const { outcome, code, detail, durationMs } = body;
  return {
    kind: "result",
    at: time,
    outcome: typeof outcome === "string" ? outcome : "unknown",
    code: typeof code === "string" || typeof code === "number" ? code : null,
    detail: typeof detail === "string" ? detail : null,
    durationMs: typeof durationMs === "number" ? durationMs : null,
  };
}

/**
 * Which of two ends to keep: a result over a gap, as a call that was given up as lost may still report; else the first.
 */
export function firmerEnd(kept: RecordedEnd | undefined, read: RecordedEnd): RecordedEnd {
  return kept === undefined || (kept.kind !== "result" && read.kind === "result") ? read : kept;
}

/** Lines of text for it; none where the call was denied before it had an end. `ofSegment`: only one segment was read. */
export function endLines(
  end: RecordedEnd | null,
  { ofSegment }: { readonly ofSegment: boolean },
): readonly string[] {
  if (end === null) return [];
  switch (end.kind) {
    case "result": {
      const { outcome, code, durationMs, detail } = end;
      const how = code === null ? outcome : `${outcome} ${code}`;
      const after = durationMs === null ? "" : `, after ${durationMs} ms`;
      return [`  ended      ${how}${after}${detail === null ? "" : `: ${detail}`}`];
    }
    case "gap":
      return [`  ended      unknown: the log has a gap there (${end.reason}, ${end.at})`];
    case "open":
      return [
        ofSegment
          ? "  ended      no result is recorded in this segment: it may stand in a later one"
          : "  ended      no result is recorded: still under way, or lost in a crash",
      ];
  }
}
