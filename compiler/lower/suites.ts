// tests/ → test suites with every name resolved.
import { DEFAULT_TENANT } from "#bundle";
import type { TenantId } from "#bundle";
import type { DiagnosticSink, SourceSpan } from "../diagnostics/index.ts";
import type { Parsed } from "../documents/load.ts";
import type { TestDataShape, TestPrincipalShape, TestShape, TestSuiteShape } from "../documents/shapes.ts";
import { didYouMean } from "../documents/yaml-source.ts";
import type { CallExpectation, TestCall, TestCase, TestPrincipal, TestSuite } from "../model/test-suite.ts";
import type { LoweredIdentity, PrincipalAttribute } from "./identity.ts";
import type { Layer, Layers } from "./layers.ts";
import type { ResourceRule } from "./resource-patterns.ts";
import { TestCalls } from "./test-calls.ts";
import { instantOf, requestAt, requestOf } from "./test-requests.ts";

interface SuiteWork {
  /** The layer of the suites. */
  readonly layer: Layer;
  readonly calls: TestCalls;
  readonly tenants: Layers["tenants"];
  readonly attributesOf: (tenant: TenantId) => readonly PrincipalAttribute[];
  readonly attributesAreKnown: boolean;
  readonly knownRoles: readonly string[] | undefined;
  readonly sink: DiagnosticSink;
}

interface Fixtures {
  readonly principals: Map<string, TestPrincipal>;
  readonly calls: Map<string, TestCall>;
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

function addFixtures(
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
    const lowered = work.calls.callOf(name, call, source.atKey("calls", name));
    if (lowered !== undefined) into.calls.set(name, lowered);
  }
}

/** Resolves names within one suite; a name whose declaration was faulty has been reported already. */
class SuiteNames {
  readonly #fixtures: Fixtures;
  readonly #declaredCalls: ReadonlySet<string>;
  readonly #sink: DiagnosticSink;

  constructor(fixtures: Fixtures, declaredCalls: ReadonlySet<string>, sink: DiagnosticSink) {
    this.#fixtures = fixtures;
    this.#declaredCalls = declaredCalls;
    this.#sink = sink;
  }

  principal(name: string, at: SourceSpan): TestPrincipal | undefined {
    const found = this.#fixtures.principals.get(name);
    if (found === undefined) this.#unknown("principal", name, [...this.#fixtures.principals.keys()], at);
    return found;
  }

  call(name: string, at: SourceSpan): TestCall | undefined {
    const found = this.#fixtures.calls.get(name);
    if (found === undefined && !this.#declaredCalls.has(name)) {
      this.#unknown("call", name, [...this.#fixtures.calls.keys()], at);
    }
    return found;
  }

  #unknown(noun: string, name: string, known: readonly string[], at: SourceSpan): void {
    this.#sink.report(
      "TEST_NAME_UNKNOWN",
      at,
      `no ${noun} is named ${JSON.stringify(name)}`,
      didYouMean(name, known),
    );
  }
}

type SuiteDocument = Parsed<TestSuiteShape>;

function matrixTest(
  document: SuiteDocument,
  index: number,
  test: TestShape,
  names: SuiteNames,
  sink: DiagnosticSink,
): TestCase {
  const place = (...path: (string | number)[]): SourceSpan => document.source.at("tests", index, ...path);
  const matrix = test.matrix ?? { principals: [], calls: [] };
  const principals = matrix.principals.map((name, at) =>
    names.principal(name, place("matrix", "principals", at)),
  );
  const calls = matrix.calls.map((name, at) => names.call(name, place("matrix", "calls", at)));
  const allow = (test.allow ?? []).map(([principal, call], at) => ({
    principal,
    call,
    at: place("allow", at),
  }));
  for (const { principal, call, at } of allow) {
    if (matrix.principals.includes(principal) && matrix.calls.includes(call)) continue;
    sink.report("TEST_NAME_UNKNOWN", at, `[${principal}, ${call}] is not a cell of the matrix`);
  }
  const expect = new Map<string, CallExpectation>();
  for (const [call, { reasons, errors, shadow }] of Object.entries(test.expect ?? {})) {
    const at = document.source.atKey("tests", index, "expect", call);
    if (!matrix.calls.includes(call)) {
      sink.report(
        "TEST_NAME_UNKNOWN",
        at,
        `${JSON.stringify(call)} is not a call of the matrix`,
        didYouMean(call, matrix.calls),
      );
    }
    expect.set(call, { call, reasons, errors, shadow, at });
  }
  const defined = <T>(item: T | undefined): item is T => item !== undefined;
  return {
    kind: "matrix",
    name: test.name,
    skip: test.skip,
    at: place("name"),
    principals: principals.filter(defined),
    calls: calls.filter(defined),
    allow,
    expect,
  };
}

function transformTest(
  work: SuiteWork,
  document: SuiteDocument,
  index: number,
  test: TestShape,
  names: SuiteNames,
): TestCase | undefined {
  const place = (...path: (string | number)[]): SourceSpan => document.source.at("tests", index, ...path);
  const principal = names.principal(test.as ?? "", place("as"));
  const call =
    typeof test.call === "object"
      ? work.calls.callOf(test.name, test.call, place("call"))
      : names.call(test.call ?? "", place("call"));
  if (principal === undefined || call === undefined) return undefined;
  return {
    kind: "transform",
    name: test.name,
    skip: test.skip,
    at: place("name"),
    principal,
    call,
    upstream: test.upstream,
    expectResponse: test.expectResponse,
    expectRequest: test.expectRequest,
  };
}

const MATRIX_KEYS = ["matrix", "allow", "expect"] as const;
const TRANSFORM_KEYS = ["as", "call", "upstream", "expectResponse", "expectRequest"] as const;

function lowerTest(
  work: SuiteWork,
  document: SuiteDocument,
  index: number,
  test: TestShape,
  names: SuiteNames,
): TestCase | undefined {
  const isMatrix = test.matrix !== undefined;
  const foreign = (isMatrix ? TRANSFORM_KEYS : MATRIX_KEYS).find((key) => test[key] !== undefined);
  const expectsNothing = test.expectResponse === undefined && test.expectRequest === undefined;
  if (
    foreign !== undefined ||
    (!isMatrix && (test.as === undefined || test.call === undefined || expectsNothing))
  ) {
    const message =
      "a test has either matrix (with allow, expect) or as, call and expectResponse or expectRequest";
    work.sink.report("DOCUMENT_INVALID", document.source.at("tests", index), message);
    return undefined;
  }
  if (test.expectResponse !== undefined && test.upstream === undefined) {
    work.sink.report("DOCUMENT_INVALID", document.source.at("tests", index), "expectResponse needs upstream");
    return undefined;
  }
  return isMatrix
    ? matrixTest(document, index, test, names, work.sink)
    : transformTest(work, document, index, test, names);
}

/** Names of principals that state the time of their call themselves. */
function timedPrincipals(documents: readonly Parsed<TestDataShape>[]): ReadonlySet<string> {
  const timed = documents.flatMap(({ shape }) =>
    Object.entries(shape.principals ?? {}).filter(([, { request }]) => request?.now !== undefined),
  );
  return new Set(timed.map(([name]) => name));
}

/** The clock of a suite is frozen: every call happens at `options.now` unless its principal says otherwise. */
function applyClock(
  document: SuiteDocument,
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

/** The suites of one layer. `rules`: the resource rules that hold for its callers. */
export function lowerSuites(
  layer: Layer,
  tenants: Layers["tenants"],
  identity: LoweredIdentity,
  rules: readonly ResourceRule[],
  sink: DiagnosticSink,
): readonly TestSuite[] {
  const { documents, registry } = layer;
  const { attributesOf, isKnown } = identity;
  const knownRoles = documents.project?.shape.roles;
  const work: SuiteWork = {
    ...{ layer, tenants, attributesOf },
    calls: new TestCalls(registry, rules, sink),
    ...{ attributesAreKnown: isKnown, knownRoles, sink },
  };
  const shared: Fixtures = { principals: new Map(), calls: new Map() };
  for (const document of documents.testData) addFixtures(work, document, shared, true);
  const declared = documents.testData.flatMap((document) => Object.keys(document.shape.calls ?? {}));
  return documents.testSuites.map((document) => {
    const fixtures: Fixtures = { principals: new Map(shared.principals), calls: new Map(shared.calls) };
    addFixtures(work, document, fixtures, false);
    const ownTimes = timedPrincipals([...documents.testData, document]);
    applyClock(document, fixtures, ownTimes, sink);
    const names = new SuiteNames(
      fixtures,
      new Set([...declared, ...Object.keys(document.shape.calls ?? {})]),
      sink,
    );
    const tests = document.shape.tests.flatMap(
      (test, index) => lowerTest(work, document, index, test, names) ?? [],
    );
    const { name, metadata } = document.shape;
    const { file } = document.source;
    return { file, name: name ?? metadata?.name ?? file, tests };
  });
}
