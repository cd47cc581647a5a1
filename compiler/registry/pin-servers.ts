// Reads what servers show, in both eras, for approval. A server that is dead, slow or malformed fails alone.
import { isAegisError } from "#errors";
import type { Era, ServerId, TransportEntry } from "#bundle";
import {
  LATEST_LEGACY_PROTOCOL_VERSION,
  UpstreamFault,
  createUpstreamFactory,
  listDefinitions,
  readingChannel,
} from "#upstream";
import type {
  ChannelKey,
  EgressRules,
  LiveListing,
  ProgramEntry,
  ServerUpstream,
  UpstreamEvents,
  UpstreamReply,
} from "#upstream";
import { failure, ok } from "#std";
import type { JsonValue, Result } from "#std";
import { pinContentOf } from "./pin-content.ts";
import { mirrorFault } from "./mirrored-arguments.ts";
import type { PinContent } from "./pin-content.ts";
import { showCodePoints } from "../scan/scan-text.ts";

export interface PinTarget {
  readonly id: ServerId;
  readonly transport: TransportEntry;
}

export interface PinProgress {
  readonly server: ServerId;
  readonly text: string;
  /** True for the one report of a server that was read: what it speaks, in a few words. */
  readonly isSummary: boolean;
}

export interface PinServersOptions {
  readonly servers: readonly PinTarget[];
  /** Logical program name to executable, for stdio servers. */
  readonly programs: ReadonlyMap<string, ProgramEntry>;
  /** Secrets by the logical name that the registry gives them. */
  readonly credentials?: ReadonlyMap<string, string>;
  /** Which addresses may be connected to, as of a gateway; absent = as of one without `egress`. */
  readonly egress?: EgressRules;
  readonly signal: AbortSignal;
  /** Eras that servers are asked in; both where absent. */
  readonly eras?: readonly Era[];
  readonly onProgress?: (progress: PinProgress) => void;
  /** Whole work on one server, default 30 s. */
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 30_000;
/** A server of a shared channel that does not answer the modern probe in this time is taken for a legacy one. */
const PROBE_MS = 10_000;
const CONCURRENCY = 4;
const PAGES_BETWEEN_REPORTS = 10;
/** What every revision of MCP asks of tool names. An allow-list: no normalisation makes look-alikes safe. */
const TOOL_NAME = /^[A-Za-z0-9_.-]{1,128}$/;
const MAX_NAME_CHARS = 2_048;
/** Nobody reviews more than this. */
const MAX_DEFINITION_BYTES = 1024 * 1024;
const MAX_DEFINITION_DEPTH = 64;
/** Statuses that say nothing about the era: falling back on them would turn an outage into a downgrade. */
const NOT_AN_ERA: ReadonlySet<number> = new Set([401, 403, 407, 408, 425, 429]);

const MODERN: ChannelKey = { era: "modern" };
const LEGACY: ChannelKey = readingChannel("pin", LATEST_LEGACY_PROTOCOL_VERSION);

function quietEvents(onViolation: (detail: string) => void): UpstreamEvents {
  const refused: UpstreamReply = { kind: "error", error: { code: -32601, message: "Method not found" } };
  return {
    onNotification: () => undefined,
    onServerRequest: () => Promise.resolve(refused),
    onClosed: () => undefined,
    onProtocolViolation: (_server, detail) => onViolation(detail),
  };
}

/** True where the failed announcement means "this server does not speak that era" rather than "it is not well". */
function lacksEra(error: unknown, transport: TransportEntry): boolean {
  if (!isAegisError(error)) return false;
  if (error.code === "UPSTREAM_PROTOCOL") return true;
  const isUnsent = error instanceof UpstreamFault && error.unsent;
  // Some servers exit or hang up on a message they do not expect before `initialize`; others stay silent.
  if (transport.type === "stdio" || (transport.type !== "streamable-http" && !isUnsent))
    return error.code === "UPSTREAM_UNAVAILABLE" || error.code === "UPSTREAM_TIMEOUT";
  const status = error instanceof UpstreamFault ? error.httpStatus : undefined;
  return status !== undefined && status >= 400 && status < 500 && !NOT_AN_ERA.has(status);
}

function textOf(error: unknown): string {
  if (isAegisError(error)) return error.detail;
  return error instanceof Error ? error.message : String(error);
}

async function announces(
  upstream: ServerUpstream,
  channel: ChannelKey,
  target: PinTarget,
  signal: AbortSignal,
): Promise<string | undefined> {
  const isProbe = channel.era === "modern" && target.transport.type !== "streamable-http";
  const bounded = isProbe ? AbortSignal.any([signal, AbortSignal.timeout(PROBE_MS)]) : signal;
  try {
    await upstream.announce(channel, bounded);
    return undefined;
  } catch (error) {
    if (!signal.aborted && lacksEra(error, target.transport)) return textOf(error);
    throw error;
  }
}

async function pinOne(target: PinTarget, options: PinServersOptions): Promise<PinContent> {
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
  const late = new UpstreamFault(
    "UPSTREAM_TIMEOUT",
    `not done within ${String(Math.ceil(timeoutMs / 1_000))} s`,
  );
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(late), timeoutMs);
  timer.unref();
  const signal = AbortSignal.any([options.signal, timeout.signal]);
  const report = (text: string, isSummary = false): void =>
    options.onProgress?.({ server: target.id, text, isSummary });
  let violation: string | undefined;
  const create = createUpstreamFactory({
    programs: options.programs,
    credentials: options.credentials ?? new Map(),
    egress: options.egress ?? {},
    events: quietEvents((detail) => {
      violation = detail;
      report(detail);
    }),
  });
  const upstream = create({ id: target.id, eras: {} }, target.transport);
  const listings: LiveListing[] = [];
  const absent: { readonly era: Era; readonly reason: string }[] = [];
  try {
    for (const channel of [MODERN, LEGACY].filter(({ era }) => options.eras?.includes(era) ?? true)) {
      const missing = await announces(upstream, channel, target, signal);
      if (missing === undefined) {
        let pages = 0;
        const listing = await listDefinitions(upstream, channel, signal, () => {
          pages += 1;
          if (pages % PAGES_BETWEEN_REPORTS === 0) report(`${channel.era}: ${String(pages)} pages`);
        });
        const usable = usableListing(listing, target.transport, report);
        report(`${channel.era}: ${String(usable.definitions.length)} definitions`);
        listings.push(usable);
      } else {
        report(`${channel.era}: not spoken (${missing})`);
        absent.push({ era: channel.era, reason: missing });
      }
      await upstream.release(channel);
    }
  } catch (error) {
    // A server that is silent for want of a message that can be read is not just slow.
    throw violation === undefined ? error : new Error(`${textOf(error)} (${violation})`, { cause: error });
  } finally {
    clearTimeout(timer);
    await upstream.close();
  }
  const reasons = absent.map(({ era, reason }) => `${era}: ${reason}`).join("; ");
  if (listings.length === 0) throw new Error(`speaks no supported revision (${reasons})`);
  const content = pinContentOf(target.id, listings);
  requirePinnable(content);
  const spoken = listings.map(({ era, definitions }) => `${era} (${String(definitions.length)} definitions)`);
  report([...spoken, ...absent.map(({ era }) => `${era} not spoken`)].join(", "), true);
  return content;
}

/** Over HTTP the modern era has rules for headers that a client must refuse a tool for; other tools are untouched. */
function usableListing(
  listing: LiveListing,
  { type }: TransportEntry,
  report: (text: string) => void,
): LiveListing {
  if (listing.era !== "modern" || type !== "streamable-http") return listing;
  const definitions = listing.definitions.filter(({ kind, name, definition }) => {
    const fault = kind === "tool" ? mirrorFault(definition["inputSchema"]) : undefined;
    if (fault !== undefined) report(`modern: left out tool ${showCodePoints(name).slice(0, 80)}: ${fault}`);
    return fault === undefined;
  });
  return { ...listing, definitions };
}

/** @throws {Error} for what no pin may hold, whoever approves it. */
function requirePinnable(content: PinContent): void {
  for (const { kind, name, definition } of content.entries) {
    const label = `${kind} ${JSON.stringify(showCodePoints(name).slice(0, 80))}`;
    if (kind === "tool" && !TOOL_NAME.test(name))
      throw new Error(`${label}: a tool name is 1 to 128 of A-Z a-z 0-9 _ . -`);
    if (name.length === 0 || name.length > MAX_NAME_CHARS)
      throw new Error(`${label}: the name is empty or too long`);
    const bytes = Buffer.byteLength(JSON.stringify(definition));
    if (bytes > MAX_DEFINITION_BYTES)
      throw new Error(
        `${label}: the definition has ${String(bytes)} bytes; at most ${String(MAX_DEFINITION_BYTES)} can be approved`,
      );
    if (isTooDeep(definition, MAX_DEFINITION_DEPTH))
      throw new Error(`${label}: the definition is nested too deep`);
  }
}

function isTooDeep(value: JsonValue, left: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return left === 0 || Object.values(value as object).some((item: JsonValue) => isTooDeep(item, left - 1));
}

/**
 * Connects to each server and reads its definitions. The outcome of each stands alone: its pins, or what went wrong
 * in words for the operator.
 * @throws only what `options.signal` was aborted with.
 */
export async function pinServers(
  options: PinServersOptions,
): Promise<ReadonlyMap<ServerId, Result<PinContent, string>>> {
  const outcomes = new Map<ServerId, Result<PinContent, string>>();
  const waiting = [...options.servers];
  const work = async (): Promise<void> => {
    for (let target = waiting.shift(); target !== undefined; target = waiting.shift()) {
      options.signal.throwIfAborted();
      const { id } = target;
      const outcome = await pinOne(target, options).then(
        (content) => ok(content),
        (error: unknown) => failure(textOf(error)),
      );
      outcomes.set(id, outcome);
    }
  };
  await Promise.all(Array.from({ length: Math.min(CONCURRENCY, waiting.length) }, work));
  options.signal.throwIfAborted();
  return outcomes;
}
