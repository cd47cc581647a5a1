// Door of compiler/registry: reading, writing and comparing pins.
export type { PinContent, PinEntry } from "./pin-content.ts";
export { PIN_FORMAT_VERSION, formatPins, readPins, showHidden } from "./pin-content.ts";
export type { PinProgress, PinServersOptions, PinTarget } from "./pin-servers.ts";
export { pinServers } from "./pin-servers.ts";
export type { PinAspect, PinChange } from "./diff-pins.ts";
export type { PinImpact } from "./diff-schema.ts";
export type { PinReader } from "./pin-readers.ts";
export { PinReaders } from "./pin-readers.ts";
export type { AcceptedFinding } from "../documents/accepted-findings.ts";
export type { OtherTools, PinFinding, ScannedPins } from "../scan/scan-pins.ts";
export { scanPins } from "../scan/scan-pins.ts";
export type { PoisonSeverity } from "../scan/poison-rules.ts";
export { showCodePoints } from "../scan/scan-text.ts";
export { definitionLabel } from "../documents/pin-file.ts";
export { diffPins } from "./diff-pins.ts";
export type { ProjectServer, ProjectServers } from "./project-servers.ts";
export { readProjectServers } from "./project-servers.ts";
