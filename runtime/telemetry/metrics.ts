// What the gateway counts, in the Prometheus text format. Labels come from the signed bundle or from tables in the code,
// never from a message, and every label still has a cap.
import { Counter, Gauge, Registry, collectDefaultMetrics } from "prom-client";
import type { AuditStats } from "#audit";
import { TalliedHistogram } from "./tallied-histogram.ts";
import type { Tally } from "./tallied-histogram.ts";

export interface ExchangeSample {
  readonly route: string;
  readonly method: string;
  readonly outcome: string;
  /** Error code, or `OK`. */
  readonly code: string;
  readonly durationMs: number;
}

/** What /metrics reads of the audit log when it is scraped. */
export interface AuditSource {
  readonly writable: () => boolean;
  readonly stats: () => AuditStats;
}

export interface Metrics {
  readonly exchange: (sample: ExchangeSample) => void;
  readonly stage: (name: string, durationMs: number) => void;
  readonly upstream: (server: string, outcome: string, durationMs: number) => void;
  readonly notification: (method: string, relayed: boolean) => void;
  readonly protocolViolation: (server: string) => void;
  readonly pinAlarm: (server: string) => void;
  /** The interpreter and cedar-wasm disagreed on a live decision. */
  readonly decisionDifference: () => void;
  /** `result`: what the policies in shadow mode would have changed. */
  readonly shadowDecision: (result: string) => void;
  readonly activeRelease: (digest: string, sequence: number) => void;
  readonly releaseRejected: (code: string) => void;
  /** A certificate was read: `activated` or `rejected`. */
  readonly certificate: (outcome: string) => void;
  readonly watchAudit: (source: AuditSource) => void;
  readonly contentType: string;
  /** The text of /metrics. */
  readonly render: () => Promise<string>;
}

const OTHER = "(other)";
const MAX_LABEL_CHARS = 200;
const MAX_VALUES_PER_LABEL = 500;
const MAX_EXCHANGE_SERIES = 10_000;
const MILLISECONDS = 1_000;
const STAGE_BUCKETS_SECONDS = [0.000_01, 0.000_05, 0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 1, 10];
const EXCHANGE_BUCKETS_SECONDS = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30];

type BoundLabel = (value: string) => string;

/** Lets the first values through and folds the rest into one, so that no peer can grow the exposition without end. */
function boundedLabel(): BoundLabel {
  const seen = new Set<string>();
  return (value) => {
    if (seen.has(value)) return value;
    if (seen.size >= MAX_VALUES_PER_LABEL || value.length > MAX_LABEL_CHARS) return OTHER;
    seen.add(value);
    return value;
  };
}

interface ExchangeSeries {
  readonly labels: Readonly<Record<"route" | "method" | "outcome" | "code", string>>;
  count: number;
  readonly durations: Tally;
}

function exchangeMetrics(registers: Registry[]): Pick<Metrics, "exchange" | "stage"> {
  const series = new Map<string, ExchangeSeries>();
  new Counter({
    name: "aegis_exchanges_total",
    help: "Exchanges that ended, by how.",
    labelNames: ["route", "method", "outcome", "code"] as const,
    registers,
    collect() {
      this.reset();
      for (const { labels, count } of series.values()) this.inc(labels, count);
    },
  });
  const durations = talliedBy(
    new TalliedHistogram({
      name: "aegis_exchange_duration_seconds",
      help: "Time from admission to reply.",
      labelNames: ["outcome"] as const,
      buckets: EXCHANGE_BUCKETS_SECONDS,
      registers,
    }),
    (outcome) => ({ outcome }),
  );
  const stages = talliedBy(
    new TalliedHistogram({
      name: "aegis_stage_duration_seconds",
      help: "Time in each stage.",
      labelNames: ["stage"] as const,
      buckets: STAGE_BUCKETS_SECONDS,
      registers,
    }),
    (stage) => ({ stage }),
  );
  const bound = {
    route: boundedLabel(),
    method: boundedLabel(),
    outcome: boundedLabel(),
    code: boundedLabel(),
  };
  const seriesOf = (sample: ExchangeSample): ExchangeSeries => {
    let labels = {
      route: bound.route(sample.route),
      method: bound.method(sample.method),
      outcome: bound.outcome(sample.outcome),
      code: bound.code(sample.code),
    };
    let name = seriesName(labels);
    if (!series.has(name) && series.size >= MAX_EXCHANGE_SERIES) {
      labels = { route: OTHER, method: OTHER, outcome: labels.outcome, code: OTHER };
      name = seriesName(labels);
    }
    const known = series.get(name);
    if (known !== undefined) return known;
    const made = { labels, count: 0, durations: durations(labels.outcome) };
    series.set(name, made);
    return made;
  };
  return {
    exchange: (sample) => {
      // Bounded labels are unchanged, so that the name of the sample is that of its series, or of none.
      const found = series.get(seriesName(sample)) ?? seriesOf(sample);
      found.count += 1;
      found.durations.observe(sample.durationMs / MILLISECONDS);
    },
    stage: (name, durationMs) => stages(name).observe(durationMs / MILLISECONDS),
  };
}

function seriesName({ route, method, outcome, code }: ExchangeSeries["labels"]): string {
  return `${route}\0${method}\0${outcome}\0${code}`;
}

/** The series of one label value, made when it is first asked for; the label is bounded. */
function talliedBy<T extends string>(
  histogram: TalliedHistogram<T>,
  labelsOf: (value: string) => Readonly<Record<T, string>>,
  bound: BoundLabel = boundedLabel(),
): (value: string) => Tally {
  const known = new Map<string, Tally>();
  return (value) => {
    const found = known.get(value);
    if (found !== undefined) return found;
    const label = bound(value);
    const tally = known.get(label) ?? histogram.series(labelsOf(label));
    known.set(label, tally);
    return tally;
  };
}

function decisionMetrics(registers: Registry[]): Pick<Metrics, "decisionDifference" | "shadowDecision"> {
  const differences = new Counter({
    name: "aegis_decision_differences_total",
    help: "Live decisions on which the interpreter and cedar-wasm disagreed; each was denied.",
    registers,
  });
  const shadow = new Counter({
    name: "aegis_shadow_decisions_total",
    help: "Decisions with policies in shadow mode, by what enforcing those would have changed.",
    labelNames: ["result"] as const,
    registers,
  });
  return {
    decisionDifference: () => differences.inc(),
    shadowDecision: (result) => shadow.inc({ result }),
  };
}

type UpstreamMetrics = Pick<Metrics, "upstream" | "notification" | "protocolViolation" | "pinAlarm">;

function upstreamMetrics(registers: Registry[]): UpstreamMetrics {
  const histogram = new TalliedHistogram({
    name: "aegis_upstream_duration_seconds",
    help: "Time an upstream took to answer.",
    labelNames: ["server", "outcome"] as const,
    buckets: EXCHANGE_BUCKETS_SECONDS,
    registers,
  });
  const durations = new Map<string, (outcome: string) => Tally>();
  const notifications = new Counter({
    name: "aegis_notifications_total",
    help: "Notifications that arrived, and whether they were passed on.",
    labelNames: ["method", "relayed"] as const,
    registers,
  });
  const violations = new Counter({
    name: "aegis_upstream_protocol_violations_total",
    help: "Messages of an upstream that broke the protocol.",
    labelNames: ["server"] as const,
    registers,
  });
  const alarms = new Counter({
    name: "aegis_pin_alarms_total",
    help: "Upstream definitions that were not the approved ones.",
    labelNames: ["server"] as const,
    registers,
  });
  const server = boundedLabel();
  const outcome = boundedLabel();
  const method = boundedLabel();
  return {
    upstream: (name, end, durationMs) => {
      const label = server(name);
      let ofServer = durations.get(label);
      if (ofServer === undefined) {
        ofServer = talliedBy(histogram, (value) => ({ server: label, outcome: value }), outcome);
        durations.set(label, ofServer);
      }
      ofServer(end).observe(durationMs / MILLISECONDS);
    },
    notification: (name, relayed) => notifications.inc({ method: method(name), relayed: String(relayed) }),
    protocolViolation: (name) => violations.inc({ server: server(name) }),
    pinAlarm: (name) => alarms.inc({ server: server(name) }),
  };
}

function releaseMetrics(registers: Registry[]): Pick<Metrics, "activeRelease" | "releaseRejected"> {
  const active = new Gauge({
    name: "aegis_active_release_info",
    help: "1 for the release in force.",
    labelNames: ["digest"] as const,
    registers,
  });
  const sequence = new Gauge({
    name: "aegis_active_release_sequence",
    help: "Sequence of the release in force.",
    registers,
  });
  const rejected = new Counter({
    name: "aegis_releases_rejected_total",
    help: "Releases that were refused, by why.",
    labelNames: ["code"] as const,
    registers,
  });
  const code = boundedLabel();
  return {
    activeRelease: (digest, number) => {
      active.reset();
      active.set({ digest }, 1);
      sequence.set(number);
    },
    releaseRejected: (reason) => rejected.inc({ code: code(reason) }),
  };
}

function listenerMetrics(registers: Registry[]): Pick<Metrics, "certificate"> {
  const loads = new Counter({
    name: "aegis_certificate_loads_total",
    help: "Certificates that were read while the gateway ran: activated, or rejected so that the former one stays.",
    labelNames: ["outcome"] as const,
    registers,
  });
  return { certificate: (outcome) => loads.inc({ outcome }) };
}

function auditMetrics(registers: Registry[]): Pick<Metrics, "watchAudit"> {
  let source: AuditSource | undefined;
  const gauge = (name: string, help: string, read: (from: AuditSource) => number): void => {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        if (source !== undefined) this.set(read(source));
      },
    });
  };
  gauge("aegis_audit_writable", "1 while the audit log takes records.", (from) => (from.writable() ? 1 : 0));
  gauge(
    "aegis_audit_queue_records",
    "Records that are not durable yet.",
    (from) => from.stats().queuedRecords,
  );
  gauge(
    "aegis_audit_queue_bytes",
    "Bytes of records that are not durable yet.",
    (from) => from.stats().queuedBytes,
  );
  gauge("aegis_audit_segment_bytes", "Size of the open segment.", (from) => from.stats().segmentBytes);
  gauge(
    "aegis_audit_failures",
    "Times the audit log failed since the start.",
    (from) => from.stats().failures,
  );
  return {
    watchAudit: (watched) => {
      source = watched;
    },
  };
}

/** Makes the metrics of one gateway, in a registry of their own; process and event-loop metrics of Node are among them. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  return {
    ...exchangeMetrics(registers),
    ...upstreamMetrics(registers),
    ...releaseMetrics(registers),
    ...decisionMetrics(registers),
    ...auditMetrics(registers),
    ...listenerMetrics(registers),
    contentType: registry.contentType,
    render: () => registry.metrics(),
  };
}
