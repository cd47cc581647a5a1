// What a load process is told, and what it reports. Both travel as one JSON line.

export interface LoadTarget {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly connections: number;
  /** Not counted. */
  readonly warmUpMs: number;
  readonly durationMs: number;
  /** Requests started each second; absent = as many as the connections carry. */
  readonly ratePerSecond?: number;
}

export interface LoadReport {
  /** Answers with status 200 and a JSON-RPC result. */
  readonly answered: number;
  /** Every other answer, and every connection that broke. */
  readonly failed: number;
  readonly perSecond: number;
  readonly latency: LatencyReport | undefined;
}

/**
 * Milliseconds from the moment a request was due to be sent to its last byte: waiting for a free connection counts, so
 * that a server which stalls cannot hide it by receiving less.
 */
export interface LatencyReport {
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
  /** Requests that were due but not answered when the time was over. */
  readonly unanswered: number;
  /** p99 of how late the generator's own clock ticked: latencies below this are not resolved. */
  readonly tickLateP99Ms: number;
}
