// The TypeScript side of compiler/schema/*.schema.json: what a validated document is.
import type { ClaimType, DetectorName, Era, FactsMode, LimitKey, PrincipalType } from "#bundle";
import type { JsonObject, JsonValue } from "#std";

export interface HeaderShape {
  readonly apiVersion?: "aegis.dev/v1";
  readonly kind?: string;
  readonly metadata?: MetadataShape;
}

export interface MetadataShape {
  readonly name?: string;
  readonly owner?: string;
  readonly reason?: string;
  readonly description?: string;
}

export interface ProjectShape extends HeaderShape {
  readonly metadata: MetadataShape & { readonly name: string };
  readonly environments?: readonly string[];
  readonly roles?: readonly string[];
  readonly tenants?: Readonly<Record<string, TenantShape>>;
  readonly gates?: Readonly<Record<string, GateShape>>;
}

/** `label:<name>` in `require` names a label of the pull request. */
export type GateRuleShape = "allow" | "warn" | "deny" | { readonly require: string };

export interface GateClausesShape {
  readonly default?: GateRuleShape;
  readonly tiers?: Readonly<Record<string, GateRuleShape>>;
  readonly labels?: Readonly<Record<string, GateRuleShape>>;
  readonly maxPercentOfReplay?: number;
}

/** A rule alone is that of everything. */
export type GateShape = GateRuleShape | GateClausesShape;

export interface TenantShape {
  readonly servers: readonly string[];
  /** Roles of its own documents; absent = those of the project. */
  readonly roles?: readonly string[];
}

export type TargetGroup = "tools" | "resources" | "prompts";
/** What a server asks of the client: granted or denied by server name. */
export type AskGroup = "sampling" | "elicitation" | "roots";
/** What follows from a permitted definition and can only be denied, by server name. */
export type ImpliedGroup = "completion" | "logging" | "subscriptions" | "tasks";
export type AllowShape = Readonly<Partial<Record<TargetGroup | AskGroup, readonly string[]>>>;
export type DenyShape = Readonly<Partial<Record<TargetGroup | AskGroup | ImpliedGroup, readonly string[]>>>;

export interface ArgumentConstraintShape {
  readonly max?: number;
  readonly min?: number;
  readonly enum?: readonly (string | number | boolean)[];
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly pattern?: string;
  readonly prefix?: readonly string[];
  readonly host?: readonly string[];
  readonly schemes?: readonly string[];
  readonly within?: readonly string[];
  readonly emailDomain?: readonly string[];
}

export interface ConstraintShape {
  readonly operations?: readonly string[];
  readonly tables?: readonly string[];
  readonly functions?: readonly string[];
  readonly arguments?: Readonly<Record<string, ArgumentConstraintShape>>;
}

export interface TransformShape {
  readonly redact?: readonly string[];
  readonly remove?: readonly string[];
  readonly hash?: readonly string[];
  readonly truncate?: readonly { readonly path: string; readonly length: number }[];
  readonly replace?: readonly { readonly path: string; readonly value: JsonValue }[];
  readonly detect?: readonly { readonly path: string; readonly detectors: readonly DetectorName[] }[];
}

export interface SamplingShape {
  readonly maxTokens?: number;
  readonly models?: readonly string[];
  readonly tools?: readonly string[];
  readonly includeContext?: readonly string[];
}

export interface ElicitationShape {
  readonly modes?: readonly ("form" | "url")[];
  readonly fields?: readonly string[];
  readonly forbiddenFields?: readonly string[];
  readonly hosts?: readonly string[];
}

export interface RootsShape {
  readonly schemes?: readonly string[];
  readonly within?: readonly string[];
}

export interface PolicyShape extends HeaderShape {
  readonly scope?: {
    readonly servers?: readonly string[];
    readonly labels?: readonly string[];
    readonly tiers?: readonly string[];
    readonly principals?: string | { readonly in?: readonly string[] };
  };
  readonly policy?: {
    readonly evaluator?: string;
    readonly failMode?: string;
    readonly mode?: "enforce" | "shadow";
  };
  readonly deny?: DenyShape;
  readonly allow?: AllowShape;
  readonly constraints?: Readonly<Record<string, ConstraintShape>>;
  readonly sampling?: Readonly<Record<string, SamplingShape>>;
  readonly elicitation?: Readonly<Record<string, ElicitationShape>>;
  readonly roots?: Readonly<Record<string, RootsShape>>;
  readonly transforms?: Readonly<Record<string, TransformShape>>;
}

export interface ServerShape extends HeaderShape {
  readonly metadata: MetadataShape & { readonly name: string };
  readonly transport: {
    readonly type: "streamable-http" | "sse" | "websocket" | "stdio";
    readonly url?: string;
    readonly credential?: string;
    readonly header?: string;
    readonly program?: string;
    readonly args?: readonly string[];
  };
  readonly tier?: string;
  readonly labels?: readonly string[];
  readonly pinMaxAge?: string;
  readonly sql?: Readonly<Record<string, { readonly argument: string; readonly dialect: "postgresql" }>>;
}

export interface EndpointShape {
  readonly path: string;
  readonly server?: string;
  readonly servers?: readonly string[];
  readonly issuers?: readonly string[];
  readonly deadline?: string;
  readonly maxResponse?: string | number;
}

export interface RoutesShape extends HeaderShape {
  readonly endpoints: readonly EndpointShape[];
}

export interface EnvironmentShape extends HeaderShape {
  readonly publicUrl?: string;
  readonly upstreams?: Readonly<Record<string, { readonly url?: string }>>;
}

export interface IssuerShape {
  readonly issuer: string;
  readonly environments?: readonly string[];
  readonly jwksUrl?: string;
  readonly jwksFile?: string;
  readonly algorithms?: readonly string[];
  readonly tokenType?: string;
  readonly id?: string;
  readonly roles?: { readonly claim: string; readonly map?: Readonly<Record<string, string>> };
  readonly groups?: { readonly claim: string };
  readonly agents?: { readonly claim: string; readonly values: readonly string[] };
  /** Only in the platform's identity.yaml. */
  readonly tenants?: { readonly claim: string; readonly map: Readonly<Record<string, string>> };
  readonly attributes?: Readonly<
    Record<string, { readonly claim?: string; readonly type: ClaimType; readonly required?: boolean }>
  >;
}

export interface IdentityShape extends HeaderShape {
  readonly issuers: readonly IssuerShape[];
}

export interface LimitsShape extends HeaderShape {
  readonly limits: readonly {
    readonly id: string;
    readonly tools?: readonly string[];
    readonly asks?: readonly AskGroup[];
    readonly per: readonly LimitKey[];
    readonly limit: number;
    readonly window: string;
  }[];
}

export interface RetentionShape extends HeaderShape {
  readonly retention?: {
    /** Days with the unit, e.g. `90d`. */
    readonly default?: string;
    readonly tenants?: Readonly<Record<string, string>>;
  };
  readonly facts?: {
    readonly default?: FactsMode;
    readonly tenants?: Readonly<Record<string, FactsMode>>;
  };
}

export interface InvariantShape {
  readonly name: string;
  readonly reason?: string;
  readonly callers?: {
    readonly type?: PrincipalType;
    readonly roles?: readonly string[];
    readonly notRoles?: readonly string[];
    readonly groups?: readonly string[];
    readonly tenants?: readonly string[];
    readonly attrs?: Readonly<Record<string, string | boolean | number | readonly string[]>>;
  };
  readonly targets?: {
    readonly servers?: readonly string[];
    readonly labels?: readonly string[];
    readonly tiers?: readonly string[];
    readonly tools?: readonly string[];
    readonly resources?: readonly string[];
    readonly prompts?: readonly string[];
    readonly methods?: readonly string[];
    readonly annotations?: Readonly<Record<string, boolean>>;
  };
  readonly expect: "allowed" | "denied";
}

/** Only of the platform: a tenant's documents hold for its own callers anyway. */
export interface InvariantsShape extends HeaderShape {
  readonly invariants: readonly InvariantShape[];
}

export interface TestRequestShape {
  /** RFC 3339. */
  readonly now?: string;
  readonly sourceIp?: string;
  readonly client?: { readonly id?: string; readonly name?: string; readonly version?: string };
  readonly protocol?: { readonly era?: Era; readonly version?: string };
  readonly auth?: {
    readonly issuer?: string;
    readonly amr?: readonly string[];
    readonly acr?: string;
    readonly scopes?: readonly string[];
    readonly tokenAge?: string;
    readonly authAge?: string;
  };
}

export interface TestPrincipalShape {
  readonly type?: PrincipalType;
  readonly id: string;
  /** Only in suites of the platform; those of a tenant's suites are its own. */
  readonly tenant?: string;
  readonly roles?: readonly string[];
  readonly groups?: readonly string[];
  readonly request?: TestRequestShape;
  readonly attrs?: Readonly<Record<string, string | boolean | number | readonly string[]>>;
}

export interface TestCallShape {
  readonly server: string;
  readonly tool?: string;
  readonly resource?: string;
  readonly prompt?: string;
  readonly sampling?: JsonObject;
  readonly elicitation?: JsonObject;
  readonly completion?: JsonObject;
  /** URI of a root. */
  readonly root?: string;
  /** URI of `resources/subscribe`. */
  readonly subscribe?: string;
  readonly logging?: string;
  readonly task?: "cancel" | "get" | "list" | "result" | "update";
  readonly arguments?: JsonObject;
  readonly invalid?: boolean;
}

export interface TestDataShape extends HeaderShape {
  readonly principalGroups?: Readonly<Record<string, readonly string[]>>;
  readonly callGroups?: Readonly<Record<string, readonly string[]>>;
  readonly principals?: Readonly<Record<string, TestPrincipalShape>>;
  readonly calls?: Readonly<Record<string, TestCallShape>>;
}

export interface TestExpectShape {
  /** Cells of these principals alone. */
  readonly as?: readonly string[];
  readonly reasons?: readonly string[];
  readonly errors?: number;
  readonly shadow?: "allow" | "deny";
  readonly code?: string;
  /** Of Cedar's own tests alone: no other policy may be among the reasons. */
  readonly exactly?: boolean;
}

export interface TestVisibleShape {
  readonly principals: readonly string[];
  readonly server: string;
  readonly tools?: readonly string[];
  /** URIs of resources and URI templates. */
  readonly resources?: readonly string[];
  readonly prompts?: readonly string[];
}

export interface TestShape {
  readonly name: string;
  readonly skip?: string;
  readonly matrix?: { readonly principals: readonly string[]; readonly calls: readonly string[] };
  readonly allow?: readonly (readonly [principal: string, call: string])[];
  readonly visible?: TestVisibleShape;
  readonly expect?: Readonly<Record<string, TestExpectShape | readonly TestExpectShape[]>>;
  readonly as?: string;
  readonly call?: string | TestCallShape;
  readonly upstream?: JsonObject;
  readonly expectResponse?: JsonObject;
  readonly expectRequest?: JsonObject;
}

export interface TestSuiteShape extends TestDataShape {
  readonly name?: string;
  readonly description?: string;
  readonly options?: { readonly now?: string };
  readonly tests: readonly TestShape[];
}

/** What `validateDocument` returns for each kind. */
export interface DocumentShapes {
  readonly Project: ProjectShape;
  readonly Policy: PolicyShape;
  readonly Server: ServerShape;
  readonly Routes: RoutesShape;
  readonly Environment: EnvironmentShape;
  readonly Identity: IdentityShape;
  readonly Limits: LimitsShape;
  readonly Retention: RetentionShape;
  readonly Invariants: InvariantsShape;
  readonly TestData: TestDataShape;
  readonly TestSuite: TestSuiteShape;
}
