// Every diagnostic the compiler can report: one sorted table. docs/diagnostics.md has a section for each code and a
// test keeps both in step. A code is stable once released.

import { CEDAR_CODES } from "../cedar/finding.ts";
import type { CedarCode } from "../cedar/finding.ts";

export type Severity = "error" | "warning";

export interface DiagnosticCodeEntry {
  readonly severity: Severity;
  /** One line: what is wrong, independent of the place where it was found. */
  readonly summary: string;
}

function error(summary: string): DiagnosticCodeEntry {
  return { severity: "error", summary };
}

function warning(summary: string): DiagnosticCodeEntry {
  return { severity: "warning", summary };
}

const OWN_CODES = {
  AGENTS_UNDECLARED: warning("a policy tells agents from users, and an issuer does not say who is an agent"),
  ARGUMENT_CONSTRAINT_IMPOSSIBLE: error(
    "an argument constraint that no value of the pinned schema satisfies",
  ),
  ARGUMENT_CONSTRAINT_INVALID: error("an argument constraint does not fit the type of the argument"),
  ARGUMENT_CONSTRAINT_VACUOUS: warning(
    "an argument constraint that every value of the pinned schema satisfies",
  ),
  ARGUMENT_CONSTRAINT_WEAK: warning("an argument constraint also lets pass what it seems to exclude"),
  ARGUMENT_OPAQUE: error("the pinned schema gives this argument no type that a policy can read"),
  ARGUMENT_UNKNOWN: error("the pinned schema has no such argument"),
  ATTRIBUTE_CONFLICT: error("two issuers map one attribute to different types"),
  BUNDLE_REFUSED: error("a gateway would refuse the bundle"),
  CEDAR_VALUE_IMPOSSIBLE: error("a policy compares with a value that can never be there"),
  CONDITION_ALWAYS_TRUE: warning("a condition of a policy excludes nothing"),
  CONSTRAINT_WITHOUT_PERMIT: warning("a constrained target is granted to nobody"),
  DOCUMENT_DUPLICATE: error("two documents declare the same name"),
  DOCUMENT_INVALID: error("a document does not have the shape of its kind"),
  DOCUMENT_UNKNOWN_KEY: error("a document has a key that its kind does not define"),
  DOCUMENT_UNRECOGNISED: warning("a file lies where no document of its kind is read"),
  DOCUMENT_UNTESTED: warning("no test calls a target that the document decides"),
  DURATION_INVALID: error("a duration or size is malformed or out of range"),
  ENVIRONMENT_UNKNOWN: error("an environment is not declared in aegis.yaml"),
  ENVIRONMENT_WITHOUT_ROUTES: warning("an environment has no endpoints"),
  EVALUATOR_UNSUPPORTED: error("policy.evaluator names an evaluator that does not exist"),
  EXPOSED_NOT_GRANTED: warning("a target is exposed but granted to nobody"),
  EXPOSURE_CONFLICT: warning("a target exposed by one document is closed by the exposure list of another"),
  FAIL_MODE_UNSUPPORTED: error("policy.failMode names a mode that would let a call pass after a fault"),
  GRANT_DENIED: warning("a document both allows and denies a target; deny wins"),
  IDENTITY_KEYS_INVALID: error("the key set of an issuer is missing, unreadable or contains private keys"),
  ID_MIXED_CASE: warning("an id with capitals is compared character by character"),
  ISSUER_UNKNOWN: error("an endpoint accepts an issuer that identity.yaml does not declare"),
  ISSUER_UNUSED: warning("no endpoint accepts tokens of this issuer"),
  LIMIT_UNUSED: warning("a limit counts calls that nobody is granted"),
  NAME_AMBIGUOUS: error("a bare name exists on several servers"),
  NAME_UNKNOWN: error("no pinned definition has this name"),
  PERMIT_EVERYTHING: warning("a policy permits everything to everyone"),
  PERMIT_SHADOWED: warning("a forbid takes back everything that a permit grants"),
  PIN_DIGEST_MISMATCH: error("a pinned definition does not hash to its recorded digest"),
  PIN_DUPLICATE: error("one pin file lists the same definition twice for one era"),
  PIN_ERA_CONFLICT: error("a definition takes different arguments in each era"),
  PIN_HIDDEN_CHARACTERS: error("a pinned definition has characters that nobody sees"),
  PIN_INVALID: error("a pin file is malformed"),
  PIN_MISSING: warning("a server has no pins, so nothing on it can be called"),
  PIN_SECRET_MIRRORED: error("a pinned tool tells clients to repeat a secret in a header"),
  PIN_SERVER_UNKNOWN: error("a pin file belongs to no declared server"),
  PIN_SUSPICIOUS_TEXT: warning(
    "a text of a pinned definition looks like an attack on the model that reads it",
  ),
  PIN_UNUSED: warning("a pinned definition is granted to nobody and named by no policy"),
  POLICY_DUPLICATE: warning("two policies say the same"),
  POLICY_FAN_OUT: warning("policies without scope make the bundle large"),
  POLICY_ID_DUPLICATE: error("two policies have the same @id"),
  PROJECT_MISSING: error("the directory has no aegis.yaml"),
  PUBLIC_URL_MISSING: error("an environment with endpoints has no publicUrl"),
  RESOURCE_PATTERN_INVALID: error("a resource pattern matches nothing, or more than it seems to"),
  ROLE_UNKNOWN: error("a role is not declared in aegis.yaml"),
  ROLE_UNMAPPED: warning("no issuer can give a role"),
  ROUTE_DUPLICATE: error("two endpoints of one environment have the same path"),
  ROUTE_NAME_LONG: warning(
    "a tool of an endpoint with several servers has a name that some models do not take",
  ),
  ROUTE_NAME_TOO_LONG: error("a tool of an endpoint with several servers has a name that MCP does not allow"),
  ROUTE_SERVER_DUPLICATE: error("an endpoint names one server twice"),
  ROUTE_SERVER_UNPINNED: warning("an endpoint with several servers names one that has no pins"),
  SCHEMA_DIALECT_UNSUPPORTED: error("a pinned schema is written in a dialect that is not supported"),
  SCHEMA_ID_NESTED: error("a pinned schema gives a part of itself another base URI"),
  SCHEMA_INVALID: error("a pinned schema is malformed"),
  SCHEMA_KEYWORD_IGNORED: warning("a keyword of a pinned schema has no effect"),
  SCHEMA_KEYWORD_UNKNOWN: warning("a keyword of a pinned schema is not part of JSON Schema"),
  SCHEMA_KEYWORD_UNSUPPORTED: error("a keyword of a pinned schema cannot be enforced"),
  SCHEMA_PATTERN_UNSUPPORTED: error("a pattern of a pinned schema cannot be matched in linear time"),
  SCHEMA_PROJECTION_TOO_LARGE: warning("a pinned schema is too large to be read by policies in full"),
  SCHEMA_REF_CYCLE: error("a pinned schema refers to itself without end"),
  SCHEMA_REF_REMOTE: error("a pinned schema refers to another document"),
  SCHEMA_REF_UNRESOLVED: error("a reference in a pinned schema leads nowhere"),
  SCHEMA_ROOT_NOT_OBJECT: error("the arguments of a tool are not an object"),
  SCHEMA_TOO_LARGE: error("a pinned schema is too large"),
  SCOPE_EMPTY: error("no server is in the scope of a document"),
  SECRET_LITERAL: warning("a literal looks like a credential"),
  SERVER_UNKNOWN: error("no document in registry/servers has this name"),
  SERVER_UNROUTED: warning("a pinned server is in no route"),
  SHADOW_TRANSFORM: error("a document in shadow mode transforms"),
  SOURCE_ENCODING: error("a file is not valid UTF-8"),
  SOURCE_HIDDEN_CHARACTER: error("a file contains invisible or direction-changing characters"),
  SOURCE_LIMIT: error("the repository exceeds a size or count limit"),
  SOURCE_MIXED_SCRIPT: warning("a word mixes letters of look-alike scripts"),
  SOURCE_UNSAFE: error("a file is a symbolic link, not a regular file, or has an unsafe name"),
  SQL_ARGUMENT_UNDECLARED: error("the registry does not say which argument of the tool holds SQL"),
  SQL_OPERATION_UNKNOWN: error("constraints.operations names an unknown SQL operation"),
  TENANT_ATTRIBUTE_ABSENT: error(
    "a tenant's callers lack an attribute, and a platform policy is laxer without it",
  ),
  TENANT_ESCAPE: error("a tenant's document reaches for what is not the tenant's"),
  TENANT_INVALID: error("a tenant cannot have this id"),
  TENANT_UNKNOWN: error("a tenant is not declared in aegis.yaml"),
  TEST_NAME_UNKNOWN: error("a test refers to a principal, call or policy that is not declared"),
  TEST_PRINCIPAL_INVALID: error("a test principal has facts that no issuer could supply"),
  TEXT_CASE_NEVER_EQUAL: error("a text in lower case is compared with one that has capitals"),
  TRANSFORM_BREAKS_SCHEMA: error("a transformed value no longer fits the approved schema"),
  TRANSFORM_CONFLICT: warning("of two operations at one path only one has an effect"),
  TRANSFORM_PATH_IMPOSSIBLE: error("by the approved schema a transform finds nothing at its path"),
  TRANSFORM_PATH_INVALID: error("the path of a transform is not valid"),
  TRANSFORM_PATH_UNDECLARED: warning("the approved schema does not describe the path of a transform"),
  TRANSFORM_ROOT_UNKNOWN: error("the path of a transform begins neither with $.request nor with $.response"),
  TRANSFORM_SCHEMA_UNUSABLE: warning("an approved schema cannot be used to check the paths of transforms"),
  TRANSPORT_INVALID: error("a transport or its overlay is not usable"),
  YAML_INVALID: error("a file is not strict YAML"),
} as const satisfies Record<string, DiagnosticCodeEntry>;

/** Codes that the phases of this folder's callers report themselves. */
export type DiagnosticCode = keyof typeof OWN_CODES;

/** Every code, those of the Cedar part included. */
export const DIAGNOSTIC_CODES: Readonly<Record<DiagnosticCode | CedarCode, DiagnosticCodeEntry>> = {
  ...OWN_CODES,
  ...CEDAR_CODES,
};
