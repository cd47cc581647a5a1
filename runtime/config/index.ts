// Door #config: the configuration of a gateway process.
export { CONFIG_NUMBERS, ConfigError, decodeProcessConfig, loadProcessConfig } from "./process-config.ts";
export type {
  AdminConfig,
  AuditConfig,
  DecodeOptions,
  ListenConfig,
  LogLevel,
  ProcessConfig,
  ProcessLimits,
  ProgramConfig,
  ReleaseConfig,
  TrustConfig,
} from "./process-config.ts";
export type { ConfigProblem } from "./config-decoder.ts";
