// What operators see on the admin port.
import type { ObservableAuditLog } from "#audit";
import { AegisError } from "#errors";
import type { Bridge } from "./bridge/index.ts";
import type { AdminAnswer, AdminHandlers } from "./listener/index.ts";
import type { Listeners } from "./listeners.ts";
import type { SessionTable } from "./sessions/session-table.ts";
import type { SnapshotHolder } from "./snapshot/snapshot-holder.ts";
import type { Snapshot } from "./snapshot/snapshot.ts";
import type { UpdateOutcome } from "./snapshot/update-status.ts";
import type { Updater } from "./snapshot/updater.ts";
import type { Streams } from "./streams/create-streams.ts";
import type { Metrics } from "./telemetry/index.ts";
import type { UpstreamBindings } from "./snapshot/bindings.ts";
import { GATEWAY_VERSION } from "./version.ts";

export interface StatusSources {
  readonly updater: Updater;
  readonly holder: SnapshotHolder<Snapshot>;
  readonly audit: ObservableAuditLog;
  readonly sessions: SessionTable;
  readonly streams: Pick<Streams, "describe">;
  readonly bridge: Pick<Bridge, "describe">;
  readonly listeners: Pick<Listeners, "connectionCount" | "tlsStatus">;
  /** Reads the certificate again, then asks for a release. */
  readonly reload: () => Promise<UpdateOutcome>;
  readonly bindings: UpstreamBindings;
  readonly metrics: Metrics;
  readonly isDraining: () => boolean;
  readonly nowMs: () => number;
}

export function createAdminHandlers(sources: StatusSources): AdminHandlers {
  return {
    healthz: () => json(200, { status: "alive", version: GATEWAY_VERSION }),
    readyz: () => {
      const causes = unreadyCauses(sources);
      return json(causes.length === 0 ? 200 : 503, { ready: causes.length === 0, causes });
    },
    status: () => json(200, statusDocument(sources)),
    metrics: async () => ({
      status: 200,
      contentType: sources.metrics.contentType,
      body: await sources.metrics.render(),
    }),
    reload: async () => reloadAnswer(await sources.reload()),
  };
}

/** Why the gateway must not get traffic; empty when it may. */
function unreadyCauses(sources: StatusSources): readonly string[] {
  const causes: string[] = [];
  if (sources.isDraining()) causes.push("draining");
  if (sources.holder.current() === undefined) causes.push("no release is active");
  else if (sources.updater.isExpired(sources.nowMs()))
    causes.push("the active release is past its expiry and grace");
  if (!sources.audit.writable()) causes.push("the audit log is not writable");
  return causes;
}

function statusDocument(sources: StatusSources): object {
  const { updater, holder, audit, sessions, bindings } = sources;
  const causes = unreadyCauses(sources);
  return {
    formatVersion: 1,
    version: GATEWAY_VERSION,
    ready: causes.length === 0,
    causes,
    release: updater.status(),
    generations: holder.liveGenerations(),
    sessions: sessions.size,
    streams: { ...sources.streams.describe(), replayBytes: sessions.replayBytes },
    bridge: sources.bridge.describe(),
    connections: sources.listeners.connectionCount(),
    tls: sources.listeners.tlsStatus() ?? null,
    upstreams: bindings.upstreams().map((upstream) => upstream.describe()),
    // What the release asks for; this gateway deletes nothing.
    retention: holder.current()?.retention ?? null,
    audit: {
      writable: audit.writable(),
      fault: audit.fault() ?? null,
      stats: audit.stats(),
      heads: audit.heads(),
    },
  };
}

function reloadAnswer(outcome: UpdateOutcome): AdminAnswer {
  switch (outcome.kind) {
    case "activated":
    case "unchanged":
      return json(200, outcome);
    case "rejected":
      return json(409, outcome);
    default:
      throw new AegisError("STAGE_FAULT", "unknown update outcome");
  }
}

function json(status: number, body: object): AdminAnswer {
  return { status, body: `${JSON.stringify(body, null, 2)}\n` };
}
