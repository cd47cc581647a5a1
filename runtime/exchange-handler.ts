// From one inbound message to one exchange on the leased snapshot. Nothing here decides anything.
import { randomUUID } from "node:crypto";
import type { AuditLog } from "#audit";
import type { Clock } from "#std";
import { resourceMetadata } from "./authn/resource-metadata.ts";
import { accepts } from "./listener/check-transport.ts";
import type { InboundHttp } from "./listener/inbound.ts";
import { SYSTEM_TENANT } from "./pipeline/audit-records.ts";
import { createControl } from "./pipeline/control.ts";
import { newExchange } from "./pipeline/exchange.ts";
import type { Authenticated, Checked, Exchange, Reached } from "./pipeline/exchange.ts";
import type { Pipeline } from "./pipeline/pipeline.ts";
import { ReplyChannel } from "./pipeline/reply-channel.ts";
import { sendDenial } from "./pipeline/reply.ts";
import { settleBefore } from "./pipeline/pipeline.ts";
import {
  DENIAL_RECORD_TIMEOUT_MS,
  addressRefusal,
  escapedFault,
  refuse,
  runExchange,
} from "./pipeline/run-exchange.ts";
import type { ExchangeRunner } from "./pipeline/run-exchange.ts";
import type { Denial } from "./pipeline/verdict.ts";
import type { SnapshotHolder } from "./snapshot/snapshot-holder.ts";
import type { Snapshot } from "./snapshot/snapshot.ts";

export interface ExchangeHandlerOptions {
  readonly holder: SnapshotHolder<Snapshot>;
  readonly runner: ExchangeRunner;
  /** Listener, endpoint and authenticate, then the verb of a legacy session. */
  readonly sessionVerbs: Pipeline<Exchange, Authenticated>;
  /** The listener's checks alone, for documents that need no authentication. */
  readonly listenerOnly: Pipeline<Exchange, Checked>;
  readonly audit: AuditLog;
  readonly clock: Clock;
  /** Exchanges under way at once; more are turned away. */
  readonly maxInFlight: number;
  /** Longest an exchange may take before its route's own deadline is known. */
  readonly admissionDeadlineMs?: number;
}

const METADATA_PREFIX = "/.well-known/oauth-protected-resource";

export interface ExchangeHandler {
  /** Answers one message, or one request of another verb. */
  readonly handle: (inbound: InboundHttp) => Promise<void>;
  /**
   * Does `work` for an exchange on a leased snapshot. Undefined where there is none to have, and where `work` fails: it
   * has been refused then.
   */
  readonly run: <T>(
    inbound: InboundHttp,
    work: (exchange: Exchange) => Promise<T | undefined>,
  ) => Promise<T | undefined>;
}

export function createExchangeHandler(options: ExchangeHandlerOptions): ExchangeHandler {
  let inFlight = 0;
  const run: ExchangeHandler["run"] = async (inbound, work) => {
    if (inFlight >= options.maxInFlight) {
      await refuseEarly(inbound, { code: "OVERLOADED", detail: `${inFlight} exchanges in flight` }, options);
      return undefined;
    }
    const lease = options.holder.acquire(() => control.cancel());
    if (lease === undefined) {
      await refuseEarly(inbound, { code: "NOT_READY", detail: "no active release" }, options);
      return undefined;
    }
    inFlight += 1;
    const control = createControl(inbound, {
      admissionDeadlineMs: options.admissionDeadlineMs,
      onDeadline: lease.setDeadline,
    });
    const exchange = newExchange({
      id: randomUUID(),
      receivedAtMs: options.clock.nowMs(),
      startedMonotonicMs: options.clock.monotonicMs(),
      inbound,
      reply: new ReplyChannel(inbound.reply, () => acceptsStream(inbound)),
      control,
      snapshot: lease.snapshot,
    });
    try {
      return await work(exchange);
    } catch (fault) {
      await refuse(options.runner, exchange, escapedFault(fault), "gateway");
      return undefined;
    } finally {
      control.release();
      lease.release();
      inFlight -= 1;
    }
  };
  return { run, handle: (inbound) => run(inbound, (exchange) => serve(exchange, options)) };
}

/** A connection that carries messages takes any number of them; a response only where the client says so. */
function acceptsStream({ transport, headers }: InboundHttp): boolean {
  return transport !== "http" || accepts(headers, "text/event-stream");
}

async function serve(exchange: Exchange, options: ExchangeHandlerOptions): Promise<void> {
  if (exchange.inbound.method === "GET" && exchange.inbound.path.startsWith(METADATA_PREFIX)) {
    if (await serveMetadata(exchange, options)) return;
  }
  if (exchange.inbound.method === "GET" || exchange.inbound.method === "DELETE") {
    await serveSessionVerb(exchange, options);
    return;
  }
  await runExchange(options.runner, exchange);
}

async function serveSessionVerb(exchange: Exchange, options: ExchangeHandlerOptions): Promise<void> {
  const outcome = await options.sessionVerbs.run(exchange, exchange.control.signal, options.runner.onStage);
  if (outcome.kind === "denial")
    await refuse(options.runner, outcome.reached as Reached, outcome.denial, outcome.stage);
}

/** RFC 9728, unauthenticated but for the listener's checks: `/.well-known/oauth-protected-resource/<endpoint path>`. */
async function serveMetadata(exchange: Exchange, options: ExchangeHandlerOptions): Promise<boolean> {
  const route = exchange.snapshot.routes.get(exchange.inbound.path.slice(METADATA_PREFIX.length));
  if (route === undefined) return false;
  const checked = await options.listenerOnly.run(exchange, exchange.control.signal, options.runner.onStage);
  if (checked.kind === "denial") {
    await refuse(options.runner, exchange, checked.denial, checked.stage);
    return true;
  }
  const document = resourceMetadata(route.entry);
  exchange.reply.finish(200, JSON.stringify(document), { "cache-control": "max-age=300" });
  return true;
}

/** Refuses before there is an exchange: no release to govern it, or no room for it. */
async function refuseEarly(
  inbound: InboundHttp,
  denial: Denial,
  options: ExchangeHandlerOptions,
): Promise<void> {
  const id = randomUUID();
  const reply = new ReplyChannel(inbound.reply, () => false);
  const body = { id, effect: "deny", code: denial.code, client: inbound.remoteAddress || "unknown" };
  const appended = options.audit.append({ tenant: SYSTEM_TENANT, event: "auth", body });
  const recorded = await settleBefore(appended, AbortSignal.timeout(DENIAL_RECORD_TIMEOUT_MS)).then(
    () => denial.detail,
    (fault: unknown) => `${denial.detail}; not recorded: ${escapedFault(fault).detail}`,
  );
  addressRefusal(reply, inbound);
  sendDenial(reply, { ...denial, detail: recorded }, { decisionId: id, challenge: undefined });
}
