// Door #bundle: the bundle contract and its verification.
export { DEFAULT_TENANT } from "./sections.ts";
export {
  METHODS_OF_KIND,
  METHOD_KINDS,
  annotationsOf,
  isMethodKind,
  leafActionOf,
  methodOfAction,
  primitiveOf,
} from "./leaf.ts";
export type { Primitive, ToolAnnotations } from "./leaf.ts";
export { isCredentialHeader } from "./credential-header.ts";
export type { FactsEntry, FactsMode, RetentionSection } from "./retention.ts";
export { canonicalJson } from "./canonical-json.ts";
export { parseCanonicalJson } from "./parse-canonical.ts";
export { bundleDigest, definitionDigest, isDigest, sha256Hex } from "./digest.ts";
export { readArchive, writeArchive } from "./archive.ts";
export {
  decodeBundle,
  decodeBundleFile,
  decodeBundleInTurns,
  encodeBundle,
  encodeBundleFile,
} from "./bundle-file.ts";
export type { BundleManifest, DecodedBundle } from "./bundle-file.ts";
export {
  BUNDLE_FORMAT_VERSION,
  MANIFEST_FILE,
  MAX_BUNDLE_BYTES,
  SECTION_FILES,
  SUPPORTED_FEATURES,
} from "./format.ts";
export type { SectionName } from "./format.ts";
export { bundleFile, RELEASE_FILE, rootFile } from "./channel.ts";
export {
  FileTooLargeError,
  PRIVATE_DIRECTORY_MODE,
  PRIVATE_FILE_MODE,
  PUBLIC_FILE_MODE,
  nodeFileSystem,
  readBounded,
  syncDirectory,
  writeDurably,
  writeNew,
} from "./durable-file.ts";
export type { FileSystem } from "./durable-file.ts";
export { formatInstant } from "./instant.ts";
export { RELEASE_CODES, decodeStatement, peekStatement, verifyRelease } from "./release.ts";
export type {
  Ratchet,
  ReleaseExpectation,
  ReleaseFloor,
  ReleaseStatement,
  VerifiedRelease,
} from "./release.ts";
export {
  MAX_ROOT_STEPS,
  ROOT_CODES,
  advanceRoot,
  decodeRoot,
  decodeRootPayload,
  keyIdOf,
  openPinnedRoot,
  openSelfSignedRoot,
  requireFreshRoot,
} from "./root.ts";
export type { RootDocument, TrustedRoot } from "./root.ts";
export {
  MAX_DOCUMENT_BYTES,
  documentPayload,
  parseSignedDocument,
  protectedHeader,
  requireThreshold,
} from "./signed-document.ts";
export type {
  DocumentCodes,
  DocumentSignature,
  DocumentType,
  ProtectedHeader,
  PublicJwk,
  SignatureAlgorithm,
  SignedDocument,
  TrustedKey,
  TrustedRole,
} from "./signed-document.ts";
export type {
  AttributeMapping,
  AuthFacts,
  BundleContent,
  CedarProjection,
  ClaimType,
  DecisionVector,
  DefinitionEntry,
  Derivation,
  DetectorName,
  DetectOperation,
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
  MethodKind,
  ParamHeader,
  PathSegment,
  PinnedKind,
  PlainOperation,
  PolicyId,
  PolicySection,
  PolicySource,
  PrincipalFacts,
  PrincipalType,
  RegistrySection,
  RemoteTransport,
  ReplaceOperation,
  RequestFacts,
  RouteEntry,
  RoutesSection,
  SchemaNode,
  SchemaProgram,
  ServerEntry,
  ShadowFacts,
  ServerId,
  Slice,
  SlicePolicy,
  SourcePosition,
  SourcesSection,
  TenantId,
  EveryDerivation,
  RangeDerivation,
  SqlNamesDerivation,
  TextDerivation,
  TransformEntry,
  TransformOperation,
  TransformsSection,
  TransportEntry,
  TruncateOperation,
  VectorsSection,
} from "./sections.ts";
