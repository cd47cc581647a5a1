// Door #compiler: from a policy repository to a bundle, and what was found on the way.
export { COMPILER_VERSION, compile } from "./compile.ts";
export type { CompileOptions, CompileResult, CompiledBundle, ProjectModel } from "./compile.ts";
export {
  DIAGNOSTICS_FORMAT_VERSION,
  DIAGNOSTIC_CODES,
  renderGithub,
  renderJson,
  renderSarif,
  renderText,
} from "./diagnostics/index.ts";
export type {
  Diagnostic,
  DiagnosticCode,
  DiagnosticCodeEntry,
  Severity,
  SourceSpan,
  TextRenderOptions,
} from "./diagnostics/index.ts";
export {
  WORKSPACE_LIMITS,
  WorkspaceError,
  directoryWorkspace,
  gitWorkspace,
  memoryWorkspace,
} from "./workspace/index.ts";
export type { Workspace } from "./workspace/index.ts";
export type { Overlay, OverlayIssuer } from "./lower/overlay.ts";
export type { PrincipalAttribute } from "./lower/identity.ts";
export type {
  CallExpectation,
  MatrixTest,
  TestCall,
  TestCase,
  TestPrincipal,
  TestSuite,
  TransformTest,
  VisibilityTest,
} from "./model/test-suite.ts";
export type { Invariant, InvariantCallers, InvariantResult, InvariantWitness } from "./model/invariant.ts";
export { formatDocument } from "./format/format-document.ts";
export type { FormatOptions, FormatResult } from "./format/format-document.ts";
export { DOCUMENT_SCHEMAS } from "./documents/validate.ts";
export type { DocumentKind } from "./documents/validate.ts";
export {
  PIN_FORMAT_VERSION,
  diffPins,
  formatPins,
  pinServers,
  readPins,
  showHidden,
} from "./registry/index.ts";
export type {
  PinAspect,
  PinChange,
  PinContent,
  PinEntry,
  PinProgress,
  PinServersOptions,
  PinTarget,
} from "./registry/index.ts";
export {
  RELEASE_TOOL_CODES,
  ReleaseToolError,
  cosignDocument,
  cosignRelease,
  cosignRoot,
  createKey,
  initRoot,
  inspectBundle,
  loadPublicKey,
  loadSigningKey,
  openChannelDirectory,
  openTrustRoot,
  releaseBundle,
  rollbackTo,
  rotateRoot,
  signDocument,
  verifyChannelDirectory,
} from "./release/index.ts";
export type {
  BundleReport,
  ChannelDirectory,
  ChannelReader,
  PublicKey,
  ReleaseOutcome,
  ReleaseTarget,
  ReleaseTerms,
  ReleaseToolCode,
  RootChange,
  RootDraft,
  RootInit,
  SigningKey,
  VerifyReport,
  VerifyRequest,
} from "./release/index.ts";
export { IMPLIED_PERMIT } from "./lower/implied-permits.ts";
