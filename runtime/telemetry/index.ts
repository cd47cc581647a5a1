// Door of telemetry.
export { createLogger } from "./logger.ts";
export type { Logger, LoggerOptions, LogFields, LogLevel } from "./logger.ts";
export { cleanText, cleanValue } from "./log-fields.ts";
export type { LogValue } from "./log-fields.ts";
export { createMetrics } from "./metrics.ts";
export type { AuditSource, ExchangeSample, Metrics } from "./metrics.ts";
export { Secret } from "./secret.ts";
