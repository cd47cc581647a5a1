// Door #resources: which leaf stands for a resource URI.
export { canonicalSpelling, isCanonicalUri, uriFault } from "./canonical-uri.ts";
export type { UriFault } from "./canonical-uri.ts";
export { createResourceIndex } from "./resource-index.ts";
export type { ResourceIndex } from "./resource-index.ts";
export { expandPattern, isUriPattern, patternFault, patternRegex, templateRegex } from "./uri-pattern.ts";
export type { PatternFault } from "./uri-pattern.ts";
