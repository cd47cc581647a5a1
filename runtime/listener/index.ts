// What the listeners offer to the composition root and the pipeline.
export type { HttpReply, InboundHttp, ResponseHeaders, SseStream } from "./inbound.ts";
export type { ListenerLimits } from "./limits.ts";
export { DEFAULT_LISTENER_LIMITS } from "./limits.ts";
export { createClientAddress } from "./client-address.ts";
export type { HttpListener, HttpListenerOptions, UpgradeHandler } from "./http-listener.ts";
export { startHttpListener } from "./http-listener.ts";
export type { TlsFiles, TlsMaterial, TlsReload, TlsStatus } from "./tls-material.ts";
export { openTlsMaterial } from "./tls-material.ts";
export type { ConnectionLimits } from "./connection/limits.ts";
export { DEFAULT_CONNECTION_LIMITS } from "./connection/limits.ts";
export { createTokenSource } from "./connection/token-source.ts";
export type { StdioConnection, StdioEnd, StdioStreams } from "./connection/stdio.ts";
export { standardStreams } from "./connection/stdio.ts";
export type { RequestHead, TransportRules } from "./check-transport.ts";
export { accepts, checkTransport, requireLegacyAccept } from "./check-transport.ts";
export type { AdminAnswer, AdminHandler, AdminHandlers, AdminListenerOptions } from "./admin-listener.ts";
export { LOOPBACK_HOSTS, startAdminListener } from "./admin-listener.ts";
