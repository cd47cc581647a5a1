// Names of the proxy arms, in the order in which they are shown.

export const PROXY_ARMS = [
  "bare-hop",
  "aegis-minimal",
  "aegis-loaded",
  "aegis-loaded-sync",
  "aegis-loaded-cedar",
] as const;
export type ProxyArmName = (typeof PROXY_ARMS)[number];
