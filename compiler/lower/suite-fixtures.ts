// The principals, calls and groups that tests name → facts as the gateway would have them.
import { DEFAULT_TENANT } from "#bundle";
import type { TenantId } from "#bundle";
import type { DiagnosticSink, SourceSpan } from "../diagnostics/index.ts";
import type { Parsed } from "../documents/load.ts";
import type { TestDataShape, TestPrincipalShape, TestSuiteShape } from "../documents/shapes.ts";
import { didYouMean } from "../documents/yaml-source.ts";
import type { TestCall, TestPrincipal } from "../model/test-suite.ts";
import type { PrincipalAttribute } from "./identity.ts";
import type { Layer, Layers } from "./layers.ts";
import type { TestCalls } from "./test-calls.ts";
import { instantOf, requestAt, requestOf } from "./test-requests.ts";

/** What lowering the suites of one layer needs. */
export interface SuiteWork {
  /** The layer of the suites. */
  readonly layer: Layer;
  readonly calls: TestCalls;
  readonly tenants: Layers["tenants"];
  readonly attributesOf: (tenant: TenantId) => readonly PrincipalAttribute[];
  readonly attributesAreKnown: boolean;
  readonly knownRoles: readonly string[] | undefined;
  readonly sink: DiagnosticSink;
}

/** The names that the tests of one suite may use. */
export interface Fixtures {
  readonly principals: Map<string, TestPrincipal>;
  readonly calls: Map<string, TestCall>;
  /** Names of principals by the name of their group. */
  readonly principalGroups: Map<string, NamedGroup>;
  readonly callGroups: Map<string, NamedGroup>;
}

/** A named list of principals or calls, as it is written. */
export interface NamedGroup {
  readonly names: readonly string[];
  /** Where the name at `index` stands. */
  readonly place: (index: number) => SourceSpan;
}

function hasType(value: unknown, type: PrincipalAttribute["type"]): boolean {
  switch (type) {
    case "String":
      return typeof value === "string";
    case "Bool":
      return typeof value === "boolean";
    case "Long":
      return Number.isSafeInteger(value);
    case "StringSet":
      return Array.isArray(value);
  }
}

function checkAttributes(
  work: SuiteWork,
  attributes: readonly PrincipalAttribute[],
  shape: TestPrincipalShape,
  at: (name: string) => SourceSpan,
): void {
  if (!work.attributesAreKnown) return;
  const known = attributes.map((item) => item.name);
  for (const [name, value] of Object.entries(shape.attrs ?? {})) {
    const attribute = attributes.find((item) => item.name === name);
    if (attribute === undefined) {
      const message = `no issuer maps a claim to the attribute ${JSON.stringify(name)}`;
      work.sink.report("TEST_PRINCIPAL_INVALID", at(name), message, didYouMean(name, known));
    } else if (!hasType(value, attribute.type)) {
      work.sink.report("TEST_PRINCIPAL_INVALID", at(name), `${name} must be of type ${attribute.type}`);
    }
  }
}

/** A tenant's suites decide as that tenant; those of the platform as any. */
function tenantOf(
  work: SuiteWork,
  document: Parsed<TestDataShape>,
  name: string,
  shape: TestPrincipalShape,
): TenantId {
  const { layer, tenants, sink } = work;
  const { tenant = layer.tenant } = shape;
  if (tenant === layer.tenant || (layer.tenant === DEFAULT_TENANT && tenants.has(tenant))) return tenant;
  const at = document.source.at("principals", name, "tenant");
  if (layer.tenant === DEFAULT_TENANT) {
    const message = `the tenant ${JSON.stringify(tenant)} is not declared`;
    sink.report("TENANT_UNKNOWN", at, message, didYouMean(tenant, [...tenants.keys()]));
  } else sink.report("TENANT_ESCAPE", at, `the principals of this suite belong to ${layer.tenant}`);
  return layer.tenant;
}

function checkRoles(
  work: SuiteWork,
  document: Parsed<TestDataShape>,
  name: string,
  shape: TestPrincipalShape,
  tenant: TenantId,
): void {
  const known = tenant === work.layer.tenant ? work.knownRoles : work.tenants.get(tenant)?.roles;
  for (const [index, role] of (shape.roles ?? []).entries()) {
    if (known?.includes(role) !== false) continue;
    const message = `the role ${JSON.stringify(role)} is not declared`;
    const at = document.source.at("principals", name, "roles", index);
    work.sink.report("ROLE_UNKNOWN", at, message, didYouMean(role, known));
  }
}

function principalOf(
  work: SuiteWork,
  document: Parsed<TestDataShape>,
  name: string,
  shape: TestPrincipalShape,
): TestPrincipal {
  const { source } = document;
  const tenant = tenantOf(work, document, name, shape);
  const known = work.attributesOf(tenant);
  checkAttributes(work, known, shape, (attribute) => source.at("principals", name, "attrs", attribute));
  checkRoles(work, document, name, shape, tenant);
  const attributes = shape.attrs ?? {};
  return {
    name,
    facts: {
      type: shape.type ?? "User",
      id: shape.id,
      tenant,
      roles: [...(shape.roles ?? [])].sort(),
      groups: [...(shape.groups ?? [])].sort(),
      attributes,
    },
    request: requestOf(
      shape.request,
      (...path) => source.at("principals", name, "request", ...path),
      work.sink,
    ),
    missingAttributes: known
      .filter((item) => item.required && !Object.hasOwn(attributes, item.name))
      .map((item) => item.name),
    at: source.atKey("principals", name),
  };
}

/** Adds what a document declares; `shared` documents must not declare a name twice. */
export function addFixtures(
  work: SuiteWork,
  document: Parsed<TestDataShape>,
  into: Fixtures,
  shared: boolean,
): void {
  const { shape, source } = document;
  for (const [name, principal] of Object.entries(shape.principals ?? {})) {
    if (shared && into.principals.has(name)) {
      const message = `the principal ${JSON.stringify(name)} is declared twice`;
      work.sink.report("DOCUMENT_DUPLICATE", source.atKey("principals", name), message);
    }
    into.principals.set(name, principalOf(work, document, name, principal));
  }
  for (const [name, call] of Object.entries(shape.calls ?? {})) {
    if (shared && into.calls.has(name)) {
      work.sink.report(
        "DOCUMENT_DUPLICATE",
        source.atKey("calls", name),
        `the call ${JSON.stringify(name)} is declared twice`,
      );
    }
    const lowered = work.calls.callOf(name, call, (...path) =>
      path.length === 0 ? source.atKey("calls", name) : source.at("calls", name, ...path),
    );
    if (lowered !== undefined) into.calls.set(name, lowered);
  }
  addGroups(work, document, into, shared);
}

function addGroups(work: SuiteWork, document: Parsed<TestDataShape>, into: Fixtures, shared: boolean): void {
  const { shape, source } = document;
  for (const key of ["principalGroups", "callGroups"] as const) {
    for (const [name, names] of Object.entries(shape[key] ?? {})) {
      if (shared && into[key].has(name)) {
        const message = `the group ${JSON.stringify(name)} is declared twice`;
        work.sink.report("DOCUMENT_DUPLICATE", source.atKey(key, name), message);
      }
      into[key].set(name, { names, place: (index) => source.at(key, name, index) });
    }
  }
}

/** Names of principals that state the time of their call themselves. */
export function timedPrincipals(documents: readonly Parsed<TestDataShape>[]): ReadonlySet<string> {
  const timed = documents.flatMap(({ shape }) =>
    Object.entries(shape.principals ?? {}).filter(([, { request }]) => request?.now !== undefined),
  );
  return new Set(timed.map(([name]) => name));
}

/** The clock of a suite is frozen: every call happens at `options.now` unless its principal says otherwise. */
export function applyClock(
  document: Parsed<TestSuiteShape>,
  fixtures: Fixtures,
  ownTimes: ReadonlySet<string>,
  sink: DiagnosticSink,
): void {
  const text = document.shape.options?.now;
  if (text === undefined) return;
  const nowMs = instantOf(text);
  if (nowMs === undefined) {
    const at = document.source.at("options", "now");
    sink.report("DOCUMENT_INVALID", at, "expected an RFC 3339 time, e.g. 2026-11-22T10:00:00Z");
    return;
  }
  for (const [name, principal] of fixtures.principals) {
    if (ownTimes.has(name)) continue;
    fixtures.principals.set(name, { ...principal, request: requestAt(principal.request, nowMs) });
  }
}
