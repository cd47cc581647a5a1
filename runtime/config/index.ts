// Door #config: the configuration of a gateway process.
export { CONFIG_NUMBERS, decodeProcessConfig, loadProcessConfig } from "./process-config.ts";
export { ConfigError } from "./config-decoder.ts";
export { decodeCredentials } from "./credentials.ts";
export { decodeEgress } from "./egress.ts";
export type { EgressConfig } from "./egress.ts";
export { decodePrograms } from "./programs.ts";
export type { DecodeProgramsOptions, ProgramConfig } from "./programs.ts";
export type {
  AdminConfig,
  AuditConfig,
  DecisionEngine,
  DecodeOptions,
  ListenConfig,
  LogLevel,
  ProcessConfig,
  ProcessLimits,
  ReleaseConfig,
  TrustConfig,
} from "./process-config.ts";
export type { StdioConfig, TokenPlace } from "./local-server.ts";
export type { TlsConfig } from "./tls.ts";
export type { ConfigProblem } from "./config-decoder.ts";
