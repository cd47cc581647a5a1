// Door #upstream.
export type {
  ChannelKey,
  ExchangeObserver,
  OutboundRequest,
  Upstream,
  UpstreamEvents,
  UpstreamReply,
} from "./upstream.ts";
