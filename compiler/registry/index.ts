// Door of compiler/registry: reading, writing and comparing pins.
export type { PinContent, PinEntry } from "./pin-content.ts";
export { PIN_FORMAT_VERSION, formatPins, readPins, showHidden } from "./pin-content.ts";
export type { PinProgress, PinServersOptions, PinTarget } from "./pin-servers.ts";
export { pinServers } from "./pin-servers.ts";
export type { PinAspect, PinChange } from "./diff-pins.ts";
export { diffPins } from "./diff-pins.ts";
export type { ProjectServer, ProjectServers } from "./project-servers.ts";
export { readProjectServers } from "./project-servers.ts";
