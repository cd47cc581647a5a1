// What the rest of the gateway may know of bridging between the eras.
export { announcementOf, isBridged, upstreamEra } from "./upstream-era.ts";
export type { Translation } from "./translate-reply.ts";
export { translationOf } from "./translate-reply.ts";
export { bridgedDefinition } from "./definitions.ts";
export type { Bridge, BridgeCaller, BridgeOptions } from "./create-bridge.ts";
export { createBridge } from "./create-bridge.ts";
