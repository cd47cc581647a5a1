// Door #upstream.
export type {
  ChannelKey,
  DeclaredClient,
  ExchangeObserver,
  LegacyChannelKey,
  OutboundRequest,
  RequestLimits,
  Upstream,
  UpstreamEvents,
  UpstreamReply,
} from "./upstream.ts";
export type { ServerUpstream } from "./server-upstream.ts";
export type { EgressRules } from "./egress.ts";
export type { UpstreamFactory, UpstreamFactoryOptions, UpstreamTarget } from "./create-upstream.ts";
export { createUpstreamFactory } from "./create-upstream.ts";
export type { LargeMessage, LargeMessages } from "./large-message.ts";
export type { ProgramEntry } from "./stdio-process.ts";
export type { ProcessBudget } from "./process-wire.ts";
export { createProcessBudget } from "./process-wire.ts";
export { UPSTREAM_CAPS } from "./upstream-caps.ts";
export { UpstreamFault, isUnsent, untilAborted } from "./upstream-fault.ts";
export {
  LATEST_LEGACY_PROTOCOL_VERSION,
  MODERN_PROTOCOL_VERSION,
  gatewayEnvelope,
  readingChannel,
} from "./envelope.ts";
export type { LiveDefinition, LiveListing } from "./definitions.ts";
export { listDefinitions } from "./definitions.ts";
export type {
  PinAlarm,
  PinCheck,
  PinFault,
  PinVerifier,
  PinVerifierOptions,
  RefreshBudget,
} from "./pin-verifier.ts";
export { createPinVerifier, createRefreshBudget } from "./pin-verifier.ts";
