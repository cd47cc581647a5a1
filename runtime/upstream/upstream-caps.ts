// Caps of the upstream leg: every buffer, table and wait that a peer can fill or stretch.

export const UPSTREAM_CAPS = {
  /** Requests of one channel that wait for an answer, subscriptions included. */
  maxPendingPerChannel: 2_048,
  /** Requests of one HTTP upstream under way at once; more are refused unsent. */
  maxInFlightPerUpstream: 512,
  /** HTTP/1.1 connections to one origin for ordinary exchanges. */
  maxConnectionsPerOrigin: 128,
  /** Long-lived streams (legacy GET, `subscriptions/listen`) of one upstream. */
  maxStreamsPerUpstream: 1024,
  /** Legacy channels of one upstream. */
  maxLegacyChannels: 1024,
  /** Child processes of all stdio upstreams together. */
  maxProcesses: 256,
  /** One message of a channel shared by all requests: a line, a WebSocket message, an event. */
  maxLineBytes: 16 * 1024 * 1024,
  /** How long a large message of a shared wire may take to be read, waiting included. */
  largeMessageTimeoutMs: 30_000,
  /** Bytes queued for the stdin of one process, or for one WebSocket. */
  maxStdinQueueBytes: 8 * 1024 * 1024,
  /** Malformed lines after which a process is stopped. */
  maxMalformedLines: 32,
  /** Whole stream of one request, as a multiple of its response cap: bounds floods of notifications. */
  streamBytesFactor: 4,
  /** Body of an HTTP error answer. */
  maxErrorBodyBytes: 64 * 1024,
  /** Server-initiated requests of one channel that wait for our answer. */
  maxServerRequests: 16,
  /** Ids of cancelled requests whose late answer is no violation. */
  maxAbandonedIds: 1024,
  /** HTTP+SSE: how long the POST of one message may take; the answer comes on the stream. */
  postTimeoutMs: 30_000,
  /** WebSocket: interval of pings, and how long the pong may take before the connection counts as dead. */
  pingIntervalMs: 30_000,
  pongTimeoutMs: 10_000,
  /** Longest `endpoint` event of HTTP+SSE. */
  maxEndpointChars: 4_096,
  /** TCP and TLS connect. */
  connectTimeoutMs: 2_000,
  /** `initialize` handshake of a legacy channel, process start included. */
  handshakeTimeoutMs: 10_000,
  /**
   * After which a wire whose peer is silent is closed: since a request that was given up, and since the gateway's own
   * question.
   */
  patience: { silenceMs: 30_000, answerMs: 10_000 },
  /** How long the first call of a session waits for its GET stream, where the server may ask something on it. */
  streamOpenMs: 500,
  /** Cancel notifications, session DELETE and answers to server requests. */
  sideMessageTimeoutMs: 5_000,
  /** Below the 5 s with which Node servers close idle connections, so that a reused one is not about to go away. */
  keepAliveTimeoutMs: 4_000,
  /** How long a connection or process that modern callers share stays open without a request. */
  idleWireMs: 300_000,
  /** Text of the stderr of one process that is passed on in a second. */
  maxStderrBytesPerSecond: 64 * 1024,
  /** After the answer, how long an event stream may stay open before it is closed from here. */
  streamLingerMs: 250,
  /** Steps of stopping a process: stdin closed, then SIGTERM, then SIGKILL. */
  stopGraceMs: 500,
  killGraceMs: 1_000,
  /** Restart back-off of a process, or of a legacy GET stream, that keeps failing. */
  backOffFirstMs: 200,
  backOffMaxMs: 30_000,
  /** Legacy handshakes of one upstream that were answered, each with a delay of its own. */
  maxKnownHandshakes: 256,
  /** How long a process or connection that answered must have lived for its end to be the first in a row. */
  settledMs: 2_000,
  /** Times that the stream of one request is resumed, and the delay where the server names none. */
  maxResumes: 20,
  resumeDelayMs: 1_000,
  /** Consecutive failures after which the legacy GET stream of a session is given up. */
  maxStreamFailures: 5,
} as const;

/** Delay before attempt number `failures` (1 = after the first failure): doubles, capped. */
export function backOffMs(failures: number): number {
  if (failures <= 0) return 0;
  return Math.min(UPSTREAM_CAPS.backOffMaxMs, UPSTREAM_CAPS.backOffFirstMs * 2 ** Math.min(failures - 1, 20));
}
