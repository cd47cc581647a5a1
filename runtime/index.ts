// Door #gateway: a gateway inside another process, such as `aegis dev` and the tests.
export { startGateway } from "./gateway.ts";
export type { Gateway, GatewayOptions } from "./gateway.ts";
export { LocalStartError } from "./connections.ts";
export { ConfigError, decodeProcessConfig, loadProcessConfig } from "./config/index.ts";
export type { ProcessConfig } from "./config/index.ts";
export { GATEWAY_VERSION } from "./version.ts";
