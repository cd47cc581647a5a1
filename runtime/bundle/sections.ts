// The typed content of a bundle: what the compiler writes and the gateway reads. A bundle is data; nothing in it
// is executable. The compiler asserts these shapes before it emits and the gateway checks them again on load.
import type { JsonObject, JsonValue } from "#std";
import type { RetentionSection } from "./retention.ts";

/** Lower-case hex sha-256. */
export type Digest = string;
export type ServerId = string;
export type TenantId = string;
/** Stable id of one compiled policy, e.g. `policies/sql.yaml#/deny/tools/0` or `policies/sql.cedar#0`. */
export type PolicyId = string;
/** Cedar action id of one pinned leaf, e.g. `tools/call:sql-prod/sql.query`. Unique across servers. */
export type LeafAction = string;
export type Era = "legacy" | "modern";

/** The tenant of a repository that declares none. Its role and group ids are written unqualified. */
export const DEFAULT_TENANT: TenantId = "default";

export interface EntityRef {
  readonly type: string;
  readonly id: string;
}

// ── registry.json ────────────────────────────────────────────────────────────────────────────────────────────

/** A server reached over the network. */
export interface RemoteTransport {
  /** `sse` is HTTP+SSE of MCP 2024-11-05; `websocket` is one message per text frame, subprotocol `mcp`. */
  readonly type: "streamable-http" | "sse" | "websocket";
  /** http or https; ws or wss for `websocket`. */
  readonly url: string;
  /** Logical name; only gateway.json maps it to a secret. */
  readonly credential?: string;
  /** Lower-case header that carries the credential as it is; absent = `authorization: Bearer <credential>`. */
  readonly header?: string;
}

export type TransportEntry =
  | RemoteTransport
  /** `program` is a logical name; only gateway.json maps it to an executable. */
  | { readonly type: "stdio"; readonly program: string; readonly args: readonly string[] };

/** What one era of a server announced when it was pinned. */
export interface EraEntry {
  /** The revision negotiated at pin time, e.g. `2025-11-25`. */
  readonly protocolVersion: string;
  readonly capabilities: JsonObject;
  readonly serverInfo: JsonObject;
  readonly instructions?: string;
}

/** What a server lists and a pin approves. */
export type PinnedKind = "tool" | "resource" | "resource-template" | "prompt";
/** A method of one server that no definition stands for; the name of such a leaf is empty. */
export type MethodKind =
  "completion" | "elicitation" | "logging" | "roots" | "sampling" | "subscription" | "task";
/** `resource-rule`: resource URIs that are not pinned, by pattern; `name` is the pattern. */
export type LeafKind = PinnedKind | "resource-rule" | MethodKind;

/** One approved definition. A server may describe the same leaf differently in each era. */
export interface DefinitionEntry {
  readonly eras: readonly Era[];
  /** `definitionDigest(definition)`. */
  readonly digest: Digest;
  /** The list item exactly as the server gave it. */
  readonly definition: JsonObject;
}

/** An argument mirrored into an `Mcp-Param-*` header (MCP 2026-07-28, `x-mcp-header`). */
export interface ParamHeader {
  readonly header: string;
  readonly path: readonly string[];
}

export interface LeafEntry {
  readonly action: LeafAction;
  readonly kind: LeafKind;
  /** Tool or prompt name, resource URI, URI template or pattern; empty for a method. */
  readonly name: string;
  /** Empty for what is not pinned. */
  readonly definitions: readonly DefinitionEntry[];
  /** Program that validates and projects the arguments. */
  readonly argumentsProgram: SchemaProgram;
  readonly paramHeaders: readonly ParamHeader[];
}

export interface ServerEntry {
  readonly id: ServerId;
  readonly tier: string;
  readonly labels: readonly string[];
  /** Per environment: where the server is. */
  readonly transports: Readonly<Record<string, TransportEntry>>;
  /** A live definition older than this is verified again before a call passes. */
  readonly pinMaxAgeMs: number;
  readonly eras: Readonly<Partial<Record<Era, EraEntry>>>;
  readonly leaves: readonly LeafEntry[];
}

export interface RegistrySection {
  readonly servers: readonly ServerEntry[];
}

// ── lowered JSON Schema: see runtime/schema ──────────────────────────────────────────────────────────────────

export type JsonTypeName = "null" | "boolean" | "integer" | "number" | "string" | "array" | "object";
/** How a value enters the Cedar context; absent means opaque: validated, never visible to policy. */
export type CedarProjection = "String" | "Long" | "Bool" | "Decimal" | "Set" | "Record";

/** One node of a lowered schema. Numbers in `properties`, `items` … are indexes into `SchemaProgram.nodes`. */
export interface SchemaNode {
  /** `true` accepts everything, `false` nothing; absent means the keywords below decide. */
  readonly always?: boolean;
  readonly types?: readonly JsonTypeName[];
  readonly enum?: readonly JsonValue[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly multipleOf?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  /** RE2 syntax, unanchored search. */
  readonly pattern?: string;
  readonly format?: string;
  readonly properties?: Readonly<Record<string, number>>;
  readonly patternProperties?: readonly (readonly [pattern: string, node: number])[];
  readonly additionalProperties?: number;
  readonly propertyNames?: number;
  readonly required?: readonly string[];
  readonly dependentRequired?: Readonly<Record<string, readonly string[]>>;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly items?: number;
  readonly prefixItems?: readonly number[];
  readonly contains?: number;
  readonly minContains?: number;
  readonly maxContains?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly uniqueItems?: boolean;
  readonly allOf?: readonly number[];
  readonly anyOf?: readonly number[];
  readonly oneOf?: readonly number[];
  readonly not?: number;
  readonly if?: number;
  readonly then?: number;
  readonly else?: number;
  readonly projection?: CedarProjection;
  /** The projection is that of this node, e.g. of the one non-null branch of an `anyOf`. */
  readonly projectionOf?: number;
  /** Null is accepted here and enters the context as absence. */
  readonly nullable?: boolean;
}

export interface SchemaProgram {
  readonly nodes: readonly SchemaNode[];
  /** Index of the node that the whole value must satisfy. */
  readonly root: number;
}

// ── policies.json ────────────────────────────────────────────────────────────────────────────────────────────

/** A fact computed from the projected context before Cedar runs, written under `context._m` or `context._d`. */
export type Derivation =
  /** `context._m.<name>` = RE2 search of `pattern` in the String at `path`; false where the path is absent. */
  | {
      readonly kind: "matches";
      readonly name: string;
      /** Path from the root of the context (`["arguments","sql"]`) or of the principal (`["principal","email"]`). */
      readonly path: readonly string[];
      readonly pattern: string;
    }
  /** `context._d.<name>` = `{ ok: Bool, operations: Set<String>, tables: Set<String>, functions: Set<String> }`. */
  | {
      readonly kind: "sql";
      readonly name: string;
      readonly path: readonly string[];
      readonly dialect: "postgresql";
    }
  | EveryDerivation
  | RangeDerivation
  | SqlNamesDerivation
  | TextDerivation;

/**
 * `context._d.<name>` = true where every element of the array at `path` passes: the member at `element` of each (the
 * element itself where that is empty), or what `part` names of it, is text in which RE2 finds `pattern`. A part that
 * cannot be read fails; an absent member passes, and so does an empty array.
 */
export interface EveryDerivation {
  readonly kind: "every";
  readonly name: string;
  readonly path: readonly string[];
  readonly element: readonly string[];
  readonly part: "text" | "url.scheme" | "url.host" | "path.normalized" | "email.domain";
  readonly pattern: string;
}

/**
 * `context._d.<name>` = `{ ok: Bool, min: Long, max: Long }` over the elements of the array at `path`: of integers, or
 * of the lengths of texts in Unicode code points. Where there is nothing to measure every bound holds: `min` is the
 * greatest and `max` the least safe integer.
 */
export interface RangeDerivation {
  readonly kind: "range";
  readonly name: string;
  readonly path: readonly string[];
  readonly element: readonly string[];
  readonly of: "value" | "length";
}

/** `context._d.<name>` = true where every name of `member` of the SQL facts at `path` matches one of the patterns. */
export interface SqlNamesDerivation {
  readonly kind: "sqlNames";
  readonly name: string;
  readonly path: readonly string[];
  readonly dialect: "postgresql";
  readonly member: "tables" | "functions";
  /** Names as the SQL facts write them; `*` stands for any characters. */
  readonly patterns: readonly string[];
}

/**
 * Writes `context._d.<name>` from the value at `path`; an absent value yields the fact of an empty one.
 * - `url`, `path`, `email`: a record, see `runtime/facts`
 * - `length`: Long, Unicode code points of a String
 * - `count`: Long, elements of an array, duplicates counted
 * - `lower`: String, in lower case by the Unicode default mapping
 */
export interface TextDerivation {
  readonly kind: "url" | "path" | "email" | "length" | "count" | "lower";
  readonly name: string;
  readonly path: readonly string[];
}

export interface SlicePolicy {
  readonly id: PolicyId;
  /** Digest of the residual in `PolicySection.residuals`. */
  readonly residual: Digest;
}

/** Everything that decides one leaf for one tenant. */
export interface Slice {
  readonly tenant: TenantId;
  readonly action: LeafAction;
  readonly schema: Digest;
  /** Decides a call whose arguments are known. */
  readonly call: readonly SlicePolicy[];
  /** Decides visibility: an over-approximation in which some arguments could be allowed. */
  readonly visibility: readonly SlicePolicy[];
  /** Policies of documents in shadow mode: decided together with `call` and recorded, never enforced. */
  readonly shadow: readonly SlicePolicy[];
  readonly derivations: readonly Derivation[];
  /** What only the policies in shadow mode read; absent = nothing. The enforced decision never depends on it. */
  readonly shadowFacts?: ShadowFacts;
  /** Projects the arguments of this tenant's calls, where its own policies read more of them; absent = the leaf's. */
  readonly argumentsProgram?: SchemaProgram;
}

/** What a shadow decision needs beside what the enforced one has. */
export interface ShadowFacts {
  /** Schema of the context of a shadow decision. */
  readonly schema: Digest;
  /** Further to those of the slice. */
  readonly derivations: readonly Derivation[];
  /** Projects the arguments for a shadow decision; absent = as the leaf's own program does. */
  readonly argumentsProgram?: SchemaProgram;
}

export interface PolicySection {
  /** Cedar policies in JSON form (EST), keyed by the sha-256 of their canonical JSON. */
  readonly residuals: Readonly<Record<Digest, JsonObject>>;
  /** Cedar schemas in JSON form, keyed likewise. */
  readonly schemas: Readonly<Record<Digest, JsonObject>>;
  readonly slices: readonly Slice[];
}

// ── routes.json, identity.json, limits.json, transforms.json, sources.json, vectors.json ─────────────────────

export interface RouteEntry {
  /** Absolute path on the gateway, e.g. `/sql-prod/mcp`. */
  readonly path: string;
  readonly tenant: TenantId;
  /** At least one, each once, in the order in which their tools are listed. */
  readonly servers: readonly ServerId[];
  /** Canonical resource URI of the endpoint (RFC 8707 audience). */
  readonly resource: string;
  readonly issuers: readonly string[];
  /** Whole exchange, admission to reply. */
  readonly deadlineMs: number;
  readonly maxResponseBytes: number;
}

export interface EnvironmentEntry {
  readonly routes: readonly RouteEntry[];
  readonly issuers: readonly IssuerEntry[];
}

/** Keyed by environment name, which equals the release channel. */
export interface RoutesSection {
  readonly environments: Readonly<Record<string, EnvironmentEntry>>;
}

export type ClaimType = "String" | "Bool" | "Long" | "StringSet";

export interface AttributeMapping {
  readonly attribute: string;
  /** Claim name; a dot descends into objects. */
  readonly claim: string;
  readonly type: ClaimType;
  readonly required: boolean;
}

export interface IssuerEntry {
  /** Exact `iss`. */
  readonly issuer: string;
  readonly keys:
    | { readonly type: "jwks-url"; readonly url: string }
    | { readonly type: "jwks"; readonly jwks: JsonObject };
  readonly algorithms: readonly string[];
  /** Accepted `typ` header, e.g. `at+jwt`; absent = any but an ID token. */
  readonly tokenType?: string;
  /** Tenant of every caller of this issuer, where `tenantOf` is absent. */
  readonly tenant: TenantId;
  /** The tenant of a caller by a claim of its token; a value that is not listed is refused. */
  readonly tenantOf?: { readonly claim: string; readonly map: Readonly<Record<string, TenantId>> };
  /** A token whose `claim` has one of `values` belongs to an Agent. Absent = where `sub` is the client (RFC 9068, 2.2). */
  readonly agents?: { readonly claim: string; readonly values: readonly string[] };
  /** Claim that identifies the user, default `sub`. */
  readonly idClaim: string;
  readonly rolesClaim?: string;
  /** Claim value to role name; a value that is not listed gives no role. Absent = values are role names. */
  readonly roleMap?: Readonly<Record<string, string>>;
  readonly groupsClaim?: string;
  readonly attributes: readonly AttributeMapping[];
}

export type LimitKey = "principal" | "tenant" | "server" | "tool";

export interface LimitEntry {
  readonly id: string;
  /** Callers this limit counts; absent = those of every tenant. */
  readonly tenant?: TenantId;
  /** Leaves this limit applies to; absent = every leaf. */
  readonly actions?: readonly LeafAction[];
  /** One counter for each combination of these. */
  readonly per: readonly LimitKey[];
  /** Calls admitted in any window. */
  readonly limit: number;
  readonly windowMs: number;
}

export interface LimitsSection {
  readonly limits: readonly LimitEntry[];
}

export type PathSegment =
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "index"; readonly index: number }
  | { readonly kind: "wildcard" };

/** Kinds of values that are found by their form, wherever they stand. */
export type DetectorName = "email" | "card" | "key";

interface TransformBase {
  readonly policy: PolicyId;
  /** Candidate readings of the written path; all are applied (`$.response` is ambiguous without an outputSchema). */
  readonly paths: readonly (readonly PathSegment[])[];
}

export interface PlainOperation extends TransformBase {
  readonly verb: "redact" | "remove" | "hash";
}

export interface TruncateOperation extends TransformBase {
  readonly verb: "truncate";
  /** Unicode code points that stay. */
  readonly length: number;
}

export interface ReplaceOperation extends TransformBase {
  readonly verb: "replace";
  readonly value: JsonValue;
}

/** Replaces what the detectors find in all text at and below `paths`. */
export interface DetectOperation extends TransformBase {
  readonly verb: "detect";
  readonly detectors: readonly DetectorName[];
}

export type TransformOperation = PlainOperation | TruncateOperation | ReplaceOperation | DetectOperation;

export interface TransformEntry {
  /** Callers whose exchanges are transformed; a tenant's entry holds the platform's operations too. */
  readonly tenant: TenantId;
  readonly action: LeafAction;
  /** Applied to the arguments before dispatch. */
  readonly request: readonly TransformOperation[];
  /** Applied to every copy of the result payload. */
  readonly response: readonly TransformOperation[];
  /** Member names that the approved outputSchema shows: never scrubbed although a redacted value may contain one. */
  readonly publicNames?: readonly string[];
}

export interface TransformsSection {
  readonly transforms: readonly TransformEntry[];
}

export interface SourcePosition {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export interface PolicySource extends SourcePosition {
  readonly effect: "permit" | "forbid";
  /** `@reason` annotation or metadata.reason; shown to auditors and, for a deny, to the caller. */
  readonly reason?: string;
  /** Present where the policy is decided and recorded, not enforced. */
  readonly mode?: "shadow";
}

export interface SourcesSection {
  readonly policies: Readonly<Record<PolicyId, PolicySource>>;
}

/** `Agent`: an OAuth client that acts for itself. */
export type PrincipalType = "User" | "Agent";

/** The facts about a caller that a decision may read. */
export interface PrincipalFacts {
  readonly type: PrincipalType;
  readonly id: string;
  readonly tenant: TenantId;
  readonly roles: readonly string[];
  readonly groups: readonly string[];
  readonly attributes: Readonly<Record<string, string | boolean | number | readonly string[]>>;
}

/** The facts about a request, beside its arguments, that a decision may read: members of the Cedar context. */
export interface RequestFacts {
  /** Milliseconds since the epoch: `context.now`. */
  readonly nowMs: number;
  /** IPv4 or IPv6 address in text; absent where there is none, as over stdio: `context.sourceIp`. */
  readonly sourceIp?: string;
  /** `context.client`: `id` is authenticated by the token, `name` and `version` are what the client says of itself. */
  readonly client: { readonly id?: string; readonly name?: string; readonly version?: string };
  /** `context.protocol`. */
  readonly protocol: { readonly era: Era; readonly version: string };
  readonly auth: AuthFacts;
}

/** How the caller authenticated: `context.auth`. */
export interface AuthFacts {
  readonly issuer: string;
  /** Authentication methods (RFC 8176), sorted. `context.auth.mfa` is true where it contains `mfa`. */
  readonly amr: readonly string[];
  readonly acr?: string;
  /** Granted scopes, sorted. */
  readonly scopes: readonly string[];
  /** Milliseconds since the epoch: `context.auth.tokenAge` counts from here. */
  readonly issuedAtMs: number;
  /** Milliseconds since the epoch (`auth_time`): `context.auth.authAge` counts from here. */
  readonly authenticatedAtMs?: number;
}

/** A decision that every gateway must reproduce before it activates the bundle. */
export interface DecisionVector {
  readonly name: string;
  readonly action: LeafAction;
  readonly principal: PrincipalFacts;
  readonly request: RequestFacts;
  readonly arguments: JsonObject;
  readonly expect: {
    readonly effect: "allow" | "deny";
    readonly reasons: readonly PolicyId[];
  };
}

export interface VectorsSection {
  readonly vectors: readonly DecisionVector[];
}

/** A bundle after its archive was verified and its sections were shape-checked. */
export interface BundleContent {
  readonly name: string;
  readonly registry: RegistrySection;
  readonly policies: PolicySection;
  readonly routes: RoutesSection;
  readonly limits: LimitsSection;
  readonly transforms: TransformsSection;
  readonly sources: SourcesSection;
  readonly vectors: VectorsSection;
  /** Absent where the repository says nothing of retention. */
  readonly retention?: RetentionSection;
}
