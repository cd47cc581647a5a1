// A request whose target the entrance has read: the same request, at the endpoint that it is for.
import type { InboundHttp } from "./inbound.ts";

/** `inbound` as a request for `path`, whose target is `rawTarget`. */
export function relocated(inbound: InboundHttp, path: string, rawTarget: string): InboundHttp {
  const { transport, method, httpVersion, headers, remoteAddress, reply } = inbound;
  return {
    ...{ transport, method, httpVersion, headers, remoteAddress, reply, path, rawTarget },
    readBody: (maxBytes, signal) => inbound.readBody(maxBytes, signal),
    onClosed: (listener) => inbound.onClosed(listener),
    get closed() {
      return inbound.closed;
    },
  };
}
