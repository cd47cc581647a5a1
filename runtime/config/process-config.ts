// gateway.json: addresses, sources, trust root, programs, directories and resource caps of one gateway process. Never
// policy: nothing here can make a decision wider. The only reader of the process environment.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { JsonValue } from "#std";
import { isAddressRange } from "./address-range.ts";
import { ConfigError, ConfigReader, MAX_LIST_ITEMS } from "./config-decoder.ts";
import { readCredentials } from "./credentials.ts";
import { readEgress } from "./egress.ts";
import type { EgressConfig } from "./egress.ts";
import { pathsFrom, readPrograms } from "./programs.ts";
import type { PathResolver, ProgramConfig } from "./programs.ts";
import { readStdio } from "./local-server.ts";
import type { StdioConfig } from "./local-server.ts";
import { readSealingKey } from "./sealing-key.ts";
import type { SecretSource } from "./secrets.ts";
import { readTls } from "./tls.ts";
import type { TlsConfig } from "./tls.ts";

export interface ListenConfig {
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  /** Accepted Host names; absent = loopback names and the listening host. */
  readonly allowedHosts?: readonly string[];
  /** Accepted Origin values; absent = none, a request with an Origin is refused. */
  readonly allowedOrigins?: readonly string[];
  /** Addresses and ranges of proxies whose `X-Forwarded-For` is believed; absent = none. */
  readonly trustedProxies?: readonly string[];
  /** Absent = plain HTTP. */
  readonly tls?: TlsConfig;
}

export interface AdminConfig {
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
}

export interface ReleaseConfig {
  /** `dir:/absolute/path` or an https URL (http on loopback). */
  readonly source: string;
  /** Channel, which is also the environment of the bundle. */
  readonly channel: string;
  readonly pollIntervalMs: number;
  /** Lowest sequence accepted of `minEpoch`: guards a gateway whose state directory was lost. 0 = any. */
  readonly minSequence: number;
  /** Lowest epoch accepted; absent = the epoch of the pinned root. */
  readonly minEpoch?: number;
}

export interface TrustConfig {
  /** File of the first root. */
  readonly root: string;
  /** Lower-case hex sha-256 of that file. */
  readonly rootSha256: string;
}

export interface AuditConfig {
  readonly dir: string;
  /** Every signed checkpoint is appended to this file too: best on another volume. Absent = nowhere else. */
  readonly checkpointFile?: string;
  readonly mode: "sync" | "batch";
}

/** Caps of the process. */
export interface ProcessLimits {
  readonly maxRequestBytes: number;
  readonly maxConnections: number;
  readonly maxSessions: number;
  readonly maxSessionsPerPrincipal: number;
  readonly sessionIdleMs: number;
  /** Long-lived streams: GET streams of sessions and `subscriptions/listen`. */
  readonly maxStreams: number;
  readonly maxStreamsPerPrincipal: number;
  /** Unread bytes of one stream, and how long they may stay above that. */
  readonly maxStreamBufferBytes: number;
  readonly streamStallMs: number;
  /** Bytes kept for clients that resume a stream: of all sessions together, and of one. */
  readonly maxReplayBytes: number;
  readonly maxReplayBytesPerSession: number;
  readonly maxInFlight: number;
}

/** What decides: the interpreter with cedar-wasm beside it, or cedar-wasm alone. */
export type DecisionEngine = "interpreter" | "cedar-wasm";

export interface DecisionsConfig {
  readonly engine: DecisionEngine;
}

/** How answers to requests of sessions are sent over Streamable HTTP. */
export interface StreamsConfig {
  readonly answers: "json" | "events";
  /** Longest that one connection waits for an answer at 2025-11-25. 0 = as long as it takes. */
  readonly pollAfterMs: number;
}

export type LogLevel = "silent" | "error" | "warn" | "info" | "debug";

export interface ProcessConfig {
  readonly listen: ListenConfig;
  readonly admin: AdminConfig;
  /** Whose token a local server on standard input and output takes. */
  readonly stdio?: StdioConfig;
  readonly release: ReleaseConfig;
  readonly trust: TrustConfig;
  readonly stateDir: string;
  readonly audit: AuditConfig;
  /** By logical program name. */
  readonly programs: ReadonlyMap<string, ProgramConfig>;
  /** Secrets of upstreams by the logical name that the registry gives them. */
  readonly credentials: ReadonlyMap<string, string>;
  /** Seals what clients carry for the gateway; the same on every replica. Absent = a new one at each start. */
  readonly sealingKey?: Uint8Array;
  /** Absent = loopback, where the URL of a server says so itself, and public addresses. */
  readonly egress?: EgressConfig;
  readonly decisions: DecisionsConfig;
  readonly streams: StreamsConfig;
  readonly limits: ProcessLimits;
  readonly log: { readonly level: LogLevel };
}

/** Ranges and defaults of every number; gateway.schema.json states the same. */
export const CONFIG_NUMBERS = {
  "listen.port": { min: 0, max: 65_535, fallback: 8_080 },
  "admin.port": { min: 0, max: 65_535, fallback: 8_081 },
  "release.pollIntervalMs": { min: 100, max: 3_600_000, fallback: 10_000 },
  "release.minSequence": { min: 0, max: Number.MAX_SAFE_INTEGER, fallback: 0 },
  "streams.pollAfterMs": { min: 0, max: 3_600_000, fallback: 0 },
  "limits.maxRequestBytes": { min: 1_024, max: 1_048_576, fallback: 1_048_576 },
  "limits.maxConnections": { min: 1, max: 100_000, fallback: 4_096 },
  "limits.maxSessions": { min: 1, max: 1_000_000, fallback: 10_000 },
  "limits.maxSessionsPerPrincipal": { min: 1, max: 10_000, fallback: 16 },
  "limits.sessionIdleMs": { min: 1_000, max: 86_400_000, fallback: 1_800_000 },
  "limits.maxStreams": { min: 1, max: 1_000_000, fallback: 10_000 },
  "limits.maxStreamsPerPrincipal": { min: 1, max: 10_000, fallback: 32 },
  "limits.maxStreamBufferBytes": { min: 16_384, max: 16_777_216, fallback: 262_144 },
  "limits.streamStallMs": { min: 100, max: 600_000, fallback: 30_000 },
  "limits.maxReplayBytes": { min: 0, max: 4_294_967_296, fallback: 67_108_864 },
  "limits.maxReplayBytesPerSession": { min: 0, max: 67_108_864, fallback: 4_194_304 },
  "limits.maxInFlight": { min: 1, max: 100_000, fallback: 1_024 },
} as const;

const EPOCH_RANGE = { min: 0, max: Number.MAX_SAFE_INTEGER };
const auditModes = ["sync", "batch"] as const;
const decisionEngines = ["interpreter", "cedar-wasm"] as const;
const answerForms = ["json", "events"] as const;
/** Shorter ones would have clients ask all the time. */
const minPollAfterMs = 100;
const logLevels = ["silent", "error", "warn", "info", "debug"] as const;
const maxConfigBytes = 1_048_576;

/** Reads and decodes a configuration file; relative paths stand relative to it. Throws ConfigError. */
export function loadProcessConfig(file: string, environment: SecretSource = process.env): ProcessConfig {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    throw new ConfigError(file, [{ path: "$", message: "the file cannot be read" }]);
  }
  let value: JsonValue;
  try {
    if (Buffer.byteLength(text) > maxConfigBytes) throw new SyntaxError("larger than 1 MiB");
    value = JSON.parse(text) as JsonValue;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : "unreadable";
    throw new ConfigError(file, [{ path: "$", message: `is not JSON: ${reason}` }]);
  }
  return decodeProcessConfig(value, { file, baseDir: resolve(file, ".."), environment });
}

export interface DecodeOptions {
  /** Name for messages. */
  readonly file: string;
  /** Directory that relative paths start from. */
  readonly baseDir: string;
  readonly environment: SecretSource;
}

/** Decodes a configuration. Throws ConfigError with every problem. */
export function decodeProcessConfig(value: JsonValue, options: DecodeOptions): ProcessConfig {
  const reader = new ConfigReader();
  const keys = [
    "$schema",
    "listen",
    "admin",
    "stdio",
    "release",
    "trust",
    "stateDir",
    "audit",
    "programs",
    "credentials",
    "sealingKey",
    "egress",
    "decisions",
    "streams",
    "limits",
    "log",
  ];
  const root = reader.object(value, "$", keys, true);
  const at = pathsFrom(options.baseDir);
  const stateDir = at(reader.string(root["stateDir"], "$.stateDir"));
  const config: ProcessConfig = {
    listen: readListen(reader, root["listen"], at),
    admin: readAdmin(reader, root["admin"]),
    ...readStdio(reader, root["stdio"], options.environment, at),
    release: readRelease(reader, root["release"], at),
    trust: readTrust(reader, root["trust"], at),
    stateDir,
    audit: readAudit(reader, root["audit"], stateDir, at),
    programs: readPrograms(reader, root["programs"], options.environment, at),
    credentials: readCredentials(reader, root["credentials"], options.environment, at),
    ...readSealingKey(reader, root["sealingKey"], options.environment, at),
    ...readEgress(reader, root["egress"]),
    decisions: readDecisions(reader, root["decisions"]),
    streams: readStreams(reader, root["streams"]),
    limits: readLimits(reader, root["limits"]),
    log: readLog(reader, root["log"]),
  };
  if (reader.problems.length > 0) throw new ConfigError(options.file, reader.problems);
  return config;
}

const LISTEN_KEYS = ["host", "port", "allowedHosts", "allowedOrigins", "trustedProxies", "tls"] as const;

function readListen(reader: ConfigReader, value: JsonValue | undefined, at: PathResolver): ListenConfig {
  const listen = reader.object(value, "$.listen", LISTEN_KEYS, false);
  const allowedHosts = reader.strings(listen["allowedHosts"], "$.listen.allowedHosts", MAX_LIST_ITEMS);
  const allowedOrigins = reader.strings(listen["allowedOrigins"], "$.listen.allowedOrigins", MAX_LIST_ITEMS);
  for (const [index, origin] of (allowedOrigins ?? []).entries()) {
    if (URL.parse(origin)?.origin !== origin) {
      reader.report(`$.listen.allowedOrigins[${index}]`, "must be an origin such as https://app.example");
    }
  }
  const trustedProxies = reader.strings(listen["trustedProxies"], "$.listen.trustedProxies", MAX_LIST_ITEMS);
  for (const [index, range] of (trustedProxies ?? []).entries()) {
    if (!isAddressRange(range))
      reader.report(`$.listen.trustedProxies[${index}]`, "must be an address or a range such as 10.0.0.0/8");
  }
  return {
    host: reader.string(listen["host"], "$.listen.host", "127.0.0.1"),
    port: number(reader, listen["port"], "listen.port"),
    ...(allowedHosts === undefined ? {} : { allowedHosts }),
    ...(allowedOrigins === undefined ? {} : { allowedOrigins }),
    ...(trustedProxies === undefined ? {} : { trustedProxies }),
    ...readTls(reader, listen["tls"], at),
  };
}

function readAdmin(reader: ConfigReader, value: JsonValue | undefined): AdminConfig {
  const admin = reader.object(value, "$.admin", ["host", "port"], false);
  return {
    host: reader.string(admin["host"], "$.admin.host", "127.0.0.1"),
    port: number(reader, admin["port"], "admin.port"),
  };
}

function readRelease(reader: ConfigReader, value: JsonValue | undefined, at: PathResolver): ReleaseConfig {
  const release = reader.object(
    value,
    "$.release",
    ["source", "channel", "pollIntervalMs", "minSequence", "minEpoch"],
    true,
  );
  const source = value === undefined ? "" : reader.string(release["source"], "$.release.source");
  const channel = value === undefined ? "" : reader.string(release["channel"], "$.release.channel");
  if (channel !== "" && !/^[a-z0-9][a-z0-9._-]{0,63}$/.test(channel)) {
    reader.report("$.release.channel", "must be lower-case letters, digits, dot, dash or underscore");
  }
  return {
    source: readSource(reader, source, at),
    channel,
    pollIntervalMs: number(reader, release["pollIntervalMs"], "release.pollIntervalMs"),
    minSequence: number(reader, release["minSequence"], "release.minSequence"),
    ...(release["minEpoch"] === undefined
      ? {}
      : { minEpoch: reader.integer(release["minEpoch"], "$.release.minEpoch", EPOCH_RANGE) }),
  };
}

function readSource(reader: ConfigReader, source: string, at: PathResolver): string {
  if (source === "") return source;
  if (source.startsWith("dir:") && source.length > "dir:".length)
    return `dir:${at(source.slice("dir:".length))}`;
  const url = URL.parse(source);
  const loopback = url !== null && ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname);
  if (url !== null && (url.protocol === "https:" || (url.protocol === "http:" && loopback))) {
    if (url.username !== "" || url.password !== "")
      reader.report("$.release.source", "must not hold credentials");
    return source;
  }
  reader.report("$.release.source", "must be dir:/path or an https URL");
  return source;
}

function readTrust(reader: ConfigReader, value: JsonValue | undefined, at: PathResolver): TrustConfig {
  const trust = reader.object(value, "$.trust", ["root", "rootSha256"], true);
  if (value === undefined) return { root: "", rootSha256: "" };
  const rootSha256 = reader.string(trust["rootSha256"], "$.trust.rootSha256");
  if (rootSha256 !== "" && !/^[0-9a-f]{64}$/.test(rootSha256)) {
    reader.report("$.trust.rootSha256", "must be 64 lower-case hex digits");
  }
  return { root: at(reader.string(trust["root"], "$.trust.root")), rootSha256 };
}

function readAudit(
  reader: ConfigReader,
  value: JsonValue | undefined,
  stateDir: string,
  at: PathResolver,
): AuditConfig {
  const audit = reader.object(value, "$.audit", ["dir", "mode", "checkpointFile"], false);
  const dir = reader.optionalString(audit["dir"], "$.audit.dir");
  const checkpointFile = reader.optionalString(audit["checkpointFile"], "$.audit.checkpointFile");
  return {
    dir: dir === undefined ? resolve(stateDir === "" ? "." : stateDir, "audit") : at(dir),
    ...(checkpointFile === undefined ? {} : { checkpointFile: at(checkpointFile) }),
    mode: reader.oneOf(audit["mode"], "$.audit.mode", auditModes, "sync"),
  };
}

const LIMIT_NAMES = [
  "maxRequestBytes",
  "maxConnections",
  "maxSessions",
  "maxSessionsPerPrincipal",
  "sessionIdleMs",
  "maxStreams",
  "maxStreamsPerPrincipal",
  "maxStreamBufferBytes",
  "streamStallMs",
  "maxReplayBytes",
  "maxReplayBytesPerSession",
  "maxInFlight",
] as const satisfies readonly (keyof ProcessLimits)[];

function readLimits(reader: ConfigReader, value: JsonValue | undefined): ProcessLimits {
  const limits = reader.object(value, "$.limits", LIMIT_NAMES, false);
  const read = LIMIT_NAMES.map((name) => [name, number(reader, limits[name], `limits.${name}`)] as const);
  return Object.fromEntries(read) as Record<(typeof LIMIT_NAMES)[number], number>;
}

function readDecisions(reader: ConfigReader, value: JsonValue | undefined): DecisionsConfig {
  const decisions = reader.object(value, "$.decisions", ["engine"], false);
  return { engine: reader.oneOf(decisions["engine"], "$.decisions.engine", decisionEngines, "interpreter") };
}

function readStreams(reader: ConfigReader, value: JsonValue | undefined): StreamsConfig {
  const streams = reader.object(value, "$.streams", ["answers", "pollAfterMs"], false);
  const pollAfterMs = number(reader, streams["pollAfterMs"], "streams.pollAfterMs");
  if (pollAfterMs > 0 && pollAfterMs < minPollAfterMs)
    reader.report("$.streams.pollAfterMs", `must be 0 or at least ${String(minPollAfterMs)}`);
  return {
    answers: reader.oneOf(streams["answers"], "$.streams.answers", answerForms, "json"),
    pollAfterMs,
  };
}

function readLog(reader: ConfigReader, value: JsonValue | undefined): ProcessConfig["log"] {
  const log = reader.object(value, "$.log", ["level"], false);
  return { level: reader.oneOf(log["level"], "$.log.level", logLevels, "info") };
}

function number(
  reader: ConfigReader,
  value: JsonValue | undefined,
  name: keyof typeof CONFIG_NUMBERS,
): number {
  const range = CONFIG_NUMBERS[name];
  return reader.integer(value, `$.${name}`, range, range.fallback);
}
