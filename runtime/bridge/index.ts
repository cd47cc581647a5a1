// What the rest of the gateway may know of bridging between the eras.
export { announcementOf, isBridged, upstreamEra } from "./upstream-era.ts";
export { bridgedDefinition } from "./definitions.ts";
