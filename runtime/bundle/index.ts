// Door #bundle: the bundle contract and its verification.
export { DEFAULT_TENANT } from "./sections.ts";
export { canonicalJson, parseCanonicalJson } from "./canonical-json.ts";
export { bundleDigest, definitionDigest, isDigest, sha256Hex } from "./digest.ts";
export { readArchive, writeArchive } from "./archive.ts";
export { decodeBundle, decodeBundleFile, encodeBundle } from "./bundle-file.ts";
export type { BundleManifest, DecodedBundle } from "./bundle-file.ts";
export {
  BUNDLE_FORMAT_VERSION,
  MANIFEST_FILE,
  MAX_BUNDLE_BYTES,
  SECTION_FILES,
  SUPPORTED_FEATURES,
} from "./format.ts";
export type { SectionName } from "./format.ts";
export type {
  AttributeMapping,
  BundleContent,
  CedarProjection,
  ClaimType,
  DecisionVector,
  DefinitionEntry,
  Derivation,
  Digest,
  EntityRef,
  EnvironmentEntry,
  Era,
  EraEntry,
  IssuerEntry,
  JsonTypeName,
  LeafAction,
  LeafEntry,
  LeafKind,
  LimitEntry,
  LimitKey,
  LimitsSection,
  ParamHeader,
  PathSegment,
  PolicyId,
  PolicySection,
  PolicySource,
  PrincipalFacts,
  RegistrySection,
  RouteEntry,
  RoutesSection,
  SchemaNode,
  SchemaProgram,
  ServerEntry,
  ServerId,
  Slice,
  SlicePolicy,
  SourcePosition,
  SourcesSection,
  TenantId,
  TransformEntry,
  TransformOperation,
  TransformsSection,
  TransportEntry,
  VectorsSection,
} from "./sections.ts";
