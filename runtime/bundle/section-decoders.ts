// Shape of each section file, checked member by member. Mirrors sections.ts; the types keep both in step.
import type {
  AttributeMapping,
  AuthFacts,
  DecisionVector,
  DefinitionEntry,
  Derivation,
  DetectOperation,
  EnvironmentEntry,
  EraEntry,
  IssuerEntry,
  LeafEntry,
  LimitEntry,
  LimitsSection,
  ParamHeader,
  PathSegment,
  PlainOperation,
  PolicySection,
  PolicySource,
  PrincipalFacts,
  RegistrySection,
  RemoteTransport,
  ReplaceOperation,
  RequestFacts,
  RouteEntry,
  RoutesSection,
  ServerEntry,
  ShadowFacts,
  Slice,
  SlicePolicy,
  SourcesSection,
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
import type { FactsEntry, RetentionSection } from "./retention.ts";
import {
  boolean,
  closedObject,
  decodeFault,
  digest,
  finiteNumber,
  jsonObject,
  jsonValue,
  listOf,
  mapOf,
  nonEmptyText,
  oneOf,
  taggedUnion,
  text,
  wholeNumber,
} from "./decoder.ts";
import type { Decode } from "./decoder.ts";
import type { JsonValue } from "#std";
import { isCredentialHeader } from "./credential-header.ts";
import { schemaProgram } from "./schema-decoder.ts";

const MAX_RETENTION_DAYS = 3_650;
const texts = listOf(text);
const names = listOf(nonEmptyText);

// ── registry.json ────────────────────────────────────────────────────────────────────────────────────────────

function remoteTransport(
  type: Decode<RemoteTransport["type"]>,
  url: Decode<string>,
): Decode<RemoteTransport> {
  return closedObject<RemoteTransport>({ type, url }, { credential: nonEmptyText, header: credentialHeader });
}

const transport = taggedUnion<TransportEntry>("type", {
  "streamable-http": remoteTransport(oneOf("streamable-http"), httpUrl),
  sse: remoteTransport(oneOf("sse"), httpUrl),
  websocket: remoteTransport(oneOf("websocket"), webSocketUrl),
  stdio: closedObject<Extract<TransportEntry, { type: "stdio" }>>(
    { type: oneOf("stdio"), program: nonEmptyText, args: texts },
    {},
  ),
});

const eraName = oneOf("legacy", "modern");

const eraEntry = closedObject<EraEntry>(
  { protocolVersion: nonEmptyText, capabilities: jsonObject, serverInfo: jsonObject },
  { instructions: text },
);

const definition = closedObject<DefinitionEntry>(
  { eras: listOf(eraName), digest, definition: jsonObject },
  {},
);
const paramHeader = closedObject<ParamHeader>({ header: nonEmptyText, path: names }, {});

const leaf = closedObject<LeafEntry>(
  {
    action: nonEmptyText,
    kind: oneOf(
      ...(["tool", "resource", "resource-template", "prompt", "resource-rule"] as const),
      ...(["completion", "elicitation", "logging", "roots", "sampling", "subscription", "task"] as const),
    ),
    name: text,
    definitions: listOf(definition),
    argumentsProgram: schemaProgram,
    paramHeaders: listOf(paramHeader),
  },
  {},
);

const server = closedObject<ServerEntry>(
  {
    id: nonEmptyText,
    tier: text,
    labels: texts,
    transports: mapOf(transport),
    pinMaxAgeMs: wholeNumber(0),
    eras: closedObject<ServerEntry["eras"]>({}, { legacy: eraEntry, modern: eraEntry }),
    leaves: listOf(leaf),
  },
  {},
);

/** In steps: a server at a time. */
export function* registrySection(
  value: JsonValue | undefined,
  at: string,
): Generator<undefined, RegistrySection> {
  const { servers } = registryOutline(value, at);
  return { servers: yield* eachOf(server, servers, `${at}.servers`) };
}

const registryOutline = closedObject<{ readonly servers: readonly JsonValue[] }>(
  { servers: listOf(jsonValue) },
  {},
);

// ── policies.json ────────────────────────────────────────────────────────────────────────────────────────────

const textDerivation = closedObject<TextDerivation>(
  { kind: oneOf("url", "path", "email", "length", "count", "lower"), name: nonEmptyText, path: names },
  {},
);

const derivation = taggedUnion<Derivation>("kind", {
  matches: closedObject<Extract<Derivation, { kind: "matches" }>>(
    { kind: oneOf("matches"), name: nonEmptyText, path: names, pattern: text },
    {},
  ),
  sql: closedObject<Extract<Derivation, { kind: "sql" }>>(
    { kind: oneOf("sql"), name: nonEmptyText, path: names, dialect: oneOf("postgresql") },
    {},
  ),
  every: closedObject<EveryDerivation>(
    {
      kind: oneOf("every"),
      name: nonEmptyText,
      path: names,
      element: names,
      part: oneOf("text", "url.scheme", "url.host", "path.normalized", "email.domain"),
      pattern: text,
    },
    {},
  ),
  range: closedObject<RangeDerivation>(
    { kind: oneOf("range"), name: nonEmptyText, path: names, element: names, of: oneOf("value", "length") },
    {},
  ),
  sqlNames: closedObject<SqlNamesDerivation>(
    {
      kind: oneOf("sqlNames"),
      name: nonEmptyText,
      path: names,
      dialect: oneOf("postgresql"),
      member: oneOf("tables", "functions"),
      patterns: names,
    },
    {},
  ),
  url: textDerivation,
  path: textDerivation,
  email: textDerivation,
  length: textDerivation,
  count: textDerivation,
  lower: textDerivation,
});

const slicePolicy = closedObject<SlicePolicy>({ id: nonEmptyText, residual: digest }, {});

const shadowFacts = closedObject<ShadowFacts>(
  { schema: digest, derivations: listOf(derivation) },
  { argumentsProgram: schemaProgram },
);

const slice = closedObject<Slice>(
  {
    tenant: nonEmptyText,
    action: nonEmptyText,
    schema: digest,
    call: listOf(slicePolicy),
    visibility: listOf(slicePolicy),
    shadow: listOf(slicePolicy),
    derivations: listOf(derivation),
  },
  { shadowFacts, argumentsProgram: schemaProgram },
);

const policyOutline = closedObject<Omit<PolicySection, "slices"> & { readonly slices: readonly JsonValue[] }>(
  { residuals: mapOf(jsonObject, digest), schemas: mapOf(jsonObject, digest), slices: listOf(jsonValue) },
  {},
);

/** In steps: a slice at a time. */
export function* policySection(
  value: JsonValue | undefined,
  at: string,
): Generator<undefined, PolicySection> {
  const outline = policyOutline(value, at);
  return { ...outline, slices: yield* eachOf(slice, outline.slices, `${at}.slices`) };
}

function* eachOf<T>(
  decode: Decode<T>,
  items: readonly JsonValue[],
  at: string,
): Generator<undefined, readonly T[]> {
  const decoded: T[] = [];
  for (const [index, item] of items.entries()) {
    decoded.push(decode(item, `${at}[${String(index)}]`));
    yield;
  }
  return decoded;
}

// ── routes.json ──────────────────────────────────────────────────────────────────────────────────────────────

const route = closedObject<RouteEntry>(
  {
    path: absolutePath,
    tenant: nonEmptyText,
    servers: names,
    resource: nonEmptyText,
    issuers: names,
    deadlineMs: wholeNumber(1),
    maxResponseBytes: wholeNumber(1),
  },
  {},
);

const attributeMapping = closedObject<AttributeMapping>(
  {
    attribute: nonEmptyText,
    claim: nonEmptyText,
    type: oneOf("String", "Bool", "Long", "StringSet"),
    required: boolean,
  },
  {},
);

const issuerKeys = taggedUnion<IssuerEntry["keys"]>("type", {
  "jwks-url": closedObject<Extract<IssuerEntry["keys"], { type: "jwks-url" }>>(
    { type: oneOf("jwks-url"), url: httpUrl },
    {},
  ),
  jwks: closedObject<Extract<IssuerEntry["keys"], { type: "jwks" }>>(
    { type: oneOf("jwks"), jwks: jsonObject },
    {},
  ),
});

const issuer = closedObject<IssuerEntry>(
  {
    issuer: nonEmptyText,
    keys: issuerKeys,
    algorithms: names,
    tenant: nonEmptyText,
    idClaim: nonEmptyText,
    attributes: listOf(attributeMapping),
  },
  {
    tokenType: nonEmptyText,
    rolesClaim: nonEmptyText,
    roleMap: mapOf(nonEmptyText),
    groupsClaim: nonEmptyText,
    tenantOf: closedObject<NonNullable<IssuerEntry["tenantOf"]>>(
      { claim: nonEmptyText, map: mapOf(nonEmptyText) },
      {},
    ),
    agents: closedObject<NonNullable<IssuerEntry["agents"]>>({ claim: nonEmptyText, values: names }, {}),
  },
);

const environment = closedObject<EnvironmentEntry>({ routes: listOf(route), issuers: listOf(issuer) }, {});

export const routesSection = closedObject<RoutesSection>(
  { environments: mapOf(environment, nonEmptyText) },
  {},
);

// ── limits.json, transforms.json ─────────────────────────────────────────────────────────────────────────────

const limit = closedObject<LimitEntry>(
  {
    id: nonEmptyText,
    per: listOf(oneOf("principal", "tenant", "server", "tool")),
    limit: wholeNumber(0),
    windowMs: wholeNumber(1),
  },
  { actions: names, tenant: nonEmptyText },
);

export const limitsSection = closedObject<LimitsSection>({ limits: listOf(limit) }, {});

const pathSegment = taggedUnion<PathSegment>("kind", {
  name: closedObject<Extract<PathSegment, { kind: "name" }>>({ kind: oneOf("name"), name: text }, {}),
  index: closedObject<Extract<PathSegment, { kind: "index" }>>(
    { kind: oneOf("index"), index: wholeNumber(0) },
    {},
  ),
  wildcard: closedObject<Extract<PathSegment, { kind: "wildcard" }>>({ kind: oneOf("wildcard") }, {}),
});

const operationBase = { policy: nonEmptyText, paths: listOf(listOf(pathSegment)) } as const;
const plainOperation = closedObject<PlainOperation>(
  { ...operationBase, verb: oneOf("redact", "remove", "hash") },
  {},
);

const transformOperation = taggedUnion<TransformOperation>("verb", {
  redact: plainOperation,
  remove: plainOperation,
  hash: plainOperation,
  truncate: closedObject<TruncateOperation>(
    { ...operationBase, verb: oneOf("truncate"), length: wholeNumber(0) },
    {},
  ),
  replace: closedObject<ReplaceOperation>({ ...operationBase, verb: oneOf("replace"), value: jsonValue }, {}),
  detect: closedObject<DetectOperation>(
    { ...operationBase, verb: oneOf("detect"), detectors: listOf(oneOf("email", "card", "key")) },
    {},
  ),
});

const transform = closedObject<TransformEntry>(
  {
    tenant: nonEmptyText,
    action: nonEmptyText,
    request: listOf(transformOperation),
    response: listOf(transformOperation),
  },
  { publicNames: texts },
);

export const transformsSection = closedObject<TransformsSection>({ transforms: listOf(transform) }, {});

// ── sources.json, vectors.json ───────────────────────────────────────────────────────────────────────────────

/** Days that records can be kept: 1 to 3650. */
const days: Decode<number> = (value, at) => {
  const count = wholeNumber(1)(value, at);
  if (count > MAX_RETENTION_DAYS) throw new Error(`${at}: more than ${String(MAX_RETENTION_DAYS)} days`);
  return count;
};

const factsMode = oneOf("none", "without-text", "all");
const recordedFacts = closedObject<FactsEntry>({ tenants: mapOf(factsMode) }, { default: factsMode });

export const retentionSection = closedObject<RetentionSection>(
  { tenants: mapOf(days) },
  { defaultDays: days, facts: recordedFacts },
);

const policySource = closedObject<PolicySource>(
  { file: nonEmptyText, line: wholeNumber(0), column: wholeNumber(0), effect: oneOf("permit", "forbid") },
  { reason: text, mode: oneOf("shadow") },
);

export const sourcesSection = closedObject<SourcesSection>(
  { policies: mapOf(policySource, nonEmptyText) },
  {},
);

const attributeValue: Decode<PrincipalFacts["attributes"][string]> = (value, at) => {
  if (typeof value === "string" || typeof value === "boolean") return value;
  return Array.isArray(value) ? texts(value, at) : finiteNumber(value, at);
};

const principal = closedObject<PrincipalFacts>(
  {
    type: oneOf("User", "Agent"),
    id: nonEmptyText,
    tenant: nonEmptyText,
    roles: texts,
    groups: texts,
    attributes: mapOf(attributeValue),
  },
  {},
);

const requestFacts = closedObject<RequestFacts>(
  {
    nowMs: wholeNumber(0),
    client: closedObject<RequestFacts["client"]>({}, { id: text, name: text, version: text }),
    protocol: closedObject<RequestFacts["protocol"]>({ era: eraName, version: text }, {}),
    auth: closedObject<AuthFacts>(
      { issuer: text, amr: texts, scopes: texts, issuedAtMs: wholeNumber(0) },
      { acr: text, authenticatedAtMs: wholeNumber(0) },
    ),
  },
  { sourceIp: nonEmptyText },
);

const vector = closedObject<DecisionVector>(
  {
    name: nonEmptyText,
    action: nonEmptyText,
    principal,
    request: requestFacts,
    arguments: jsonObject,
    expect: closedObject<DecisionVector["expect"]>({ effect: oneOf("allow", "deny"), reasons: texts }, {}),
  },
  {},
);

export const vectorsSection = closedObject<VectorsSection>({ vectors: listOf(vector) }, {});

// ── shared leaves ────────────────────────────────────────────────────────────────────────────────────────────

function webSocketUrl(value: unknown, at: string): string {
  const url = typeof value === "string" ? URL.parse(value) : null;
  if (url === null || (url.protocol !== "wss:" && url.protocol !== "ws:")) {
    throw decodeFault(at, "expected a ws or wss URL");
  }
  return value as string;
}

function credentialHeader(value: unknown, at: string): string {
  if (typeof value !== "string" || !isCredentialHeader(value)) {
    throw decodeFault(at, "expected a header that may carry a credential");
  }
  return value;
}

function httpUrl(value: unknown, at: string): string {
  const url = typeof value === "string" ? URL.parse(value) : null;
  if (url === null || (url.protocol !== "https:" && url.protocol !== "http:")) {
    throw decodeFault(at, "expected an http or https URL");
  }
  return value as string;
}

function absolutePath(value: unknown, at: string): string {
  if (typeof value !== "string" || !/^\/[A-Za-z0-9._~/-]*$/.test(value)) {
    throw decodeFault(at, "expected an absolute path");
  }
  return value;
}
