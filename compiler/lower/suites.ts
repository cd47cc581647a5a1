// tests/ → test suites with every name resolved.
import type { DiagnosticSink, SourceSpan } from "../diagnostics/index.ts";
import type { Parsed } from "../documents/load.ts";
import type { TestExpectShape, TestShape, TestSuiteShape } from "../documents/shapes.ts";
import { didYouMean } from "../documents/yaml-source.ts";
import type { CallExpectation, TestCase, TestSuite, VisibilityTest } from "../model/test-suite.ts";
import type { LoweredIdentity } from "./identity.ts";
import type { Layer, Layers } from "./layers.ts";
import type { ResourceRule } from "./resource-patterns.ts";
import { addFixtures, applyClock, timedPrincipals } from "./suite-fixtures.ts";
import type { Fixtures, SuiteWork } from "./suite-fixtures.ts";
import { SuiteNames } from "./suite-names.ts";
import { TestCalls } from "./test-calls.ts";

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
  const principals = names.principals(matrix.principals, (at) => place("matrix", "principals", at));
  const calls = names.calls(matrix.calls, (at) => place("matrix", "calls", at));
  // A name whose declaration is faulty is a cell all the same: its own finding is enough.
  const cells = {
    principals: expand("principal", matrix.principals, (at) => place("matrix", "principals", at), names),
    calls: expand("call", matrix.calls, (at) => place("matrix", "calls", at), names),
  };
  const allow = (test.allow ?? []).flatMap(([principal, call], index) => {
    const at = place("allow", index);
    const isCell =
      names.members("principal", principal, at).every((name) => cells.principals.includes(name)) &&
      names.members("call", call, at).every((name) => cells.calls.includes(name));
    if (!isCell) sink.report("TEST_NAME_UNKNOWN", at, `[${principal}, ${call}] is not a cell of the matrix`);
    return names
      .members("principal", principal, at)
      .flatMap((who) => names.members("call", call, at).map((what) => ({ principal: who, call: what, at })));
  });
  return {
    kind: "matrix",
    name: test.name,
    skip: test.skip,
    at: place("name"),
    ...{ principals, calls, allow },
    expect: expectations(document, index, test, cells, names, sink),
  };
}

function expand(
  noun: "call" | "principal",
  written: readonly string[],
  place: (index: number) => SourceSpan,
  names: SuiteNames,
): readonly string[] {
  return written.flatMap((name, index) =>
    name.startsWith("@") && !names.hasGroup(noun, name) ? [] : names.members(noun, name, place(index)),
  );
}

function expectations(
  document: SuiteDocument,
  index: number,
  test: TestShape,
  cells: { readonly principals: readonly string[]; readonly calls: readonly string[] },
  names: SuiteNames,
  sink: DiagnosticSink,
): readonly CallExpectation[] {
  return Object.entries(test.expect ?? {}).flatMap(([written, given]) => {
    const at = document.source.atKey("tests", index, "expect", written);
    const calls = names.members("call", written, at);
    for (const call of calls.filter((name) => !cells.calls.includes(name))) {
      const message = `${JSON.stringify(call)} is not a call of the matrix`;
      sink.report("TEST_NAME_UNKNOWN", at, message, didYouMean(call, cells.calls));
    }
    const list = isList(given) ? given : [given];
    return list.flatMap(({ as, reasons, errors, shadow, code, exactly = false }, entry) => {
      const path = ["tests", index, "expect", written, ...(isList(given) ? [entry] : []), "as"] as const;
      const principals = as?.flatMap((name, position) => {
        const place = document.source.at(...path, position);
        const members = names.members("principal", name, place);
        for (const member of members.filter((item) => !cells.principals.includes(item))) {
          const message = `${JSON.stringify(member)} is not a principal of the matrix`;
          sink.report("TEST_NAME_UNKNOWN", place, message, didYouMean(member, cells.principals));
        }
        return members;
      });
      return calls.map((call) => ({ call, principals, reasons, exactly, errors, shadow, code, at }));
    });
  });
}

function isList(given: TestExpectShape | readonly TestExpectShape[]): given is readonly TestExpectShape[] {
  return Array.isArray(given);
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
      ? work.calls.callOf(test.name, test.call, (...path) => place("call", ...path))
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

const KEYS = {
  matrix: ["matrix", "allow", "expect"],
  visible: ["visible"],
  transform: ["as", "call", "upstream", "expectResponse", "expectRequest"],
} as const;
const FORMS =
  "a test has matrix (with allow, expect), or visible, or as, call and expectResponse or expectRequest";

/** Undefined after reporting that the keys of a test do not go together. */
function formOf(
  document: SuiteDocument,
  index: number,
  test: TestShape,
  sink: DiagnosticSink,
): keyof typeof KEYS | undefined {
  const form = test.matrix !== undefined ? "matrix" : test.visible !== undefined ? "visible" : "transform";
  const own: readonly string[] = KEYS[form];
  const foreign = Object.values(KEYS)
    .flat()
    .find((key) => !own.includes(key) && test[key] !== undefined);
  const expectsNothing = test.expectResponse === undefined && test.expectRequest === undefined;
  const at = document.source.at("tests", index);
  if (
    foreign !== undefined ||
    (form === "transform" && (test.as === undefined || test.call === undefined || expectsNothing))
  ) {
    sink.report("DOCUMENT_INVALID", at, FORMS);
    return undefined;
  }
  if (test.expectResponse !== undefined && test.upstream === undefined) {
    sink.report("DOCUMENT_INVALID", at, "expectResponse needs upstream");
    return undefined;
  }
  return form;
}

function visibilityTest(
  work: SuiteWork,
  document: SuiteDocument,
  index: number,
  test: TestShape,
  names: SuiteNames,
): VisibilityTest | undefined {
  const { visible } = test;
  if (visible === undefined) return undefined;
  const place = (...path: (string | number)[]): SourceSpan =>
    document.source.at("tests", index, "visible", ...path);
  const { server } = visible;
  const listed = (["tools", "resources", "prompts"] as const).flatMap((group) =>
    (visible[group] ?? []).flatMap((name, at) => {
      const action = work.calls.listedAction(group, server, name, place(group, at));
      return action === undefined ? [] : [{ action, name, at: place(group, at) }];
    }),
  );
  if (!work.calls.knowsServer(server, place("server"))) return undefined;
  return {
    name: test.name,
    skip: test.skip,
    at: document.source.at("tests", index, "name"),
    principals: names.principals(visible.principals, (at) => place("principals", at)),
    ...{ server, listed },
  };
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
  const shared = emptyFixtures();
  for (const document of documents.testData) addFixtures(work, document, shared, true);
  const declared = documents.testData.flatMap((document) => Object.keys(document.shape.calls ?? {}));
  return documents.testSuites.map((document) => {
    const fixtures = copyOf(shared);
    addFixtures(work, document, fixtures, false);
    const ownTimes = timedPrincipals([...documents.testData, document]);
    applyClock(document, fixtures, ownTimes, sink);
    const names = new SuiteNames(
      fixtures,
      new Set([...declared, ...Object.keys(document.shape.calls ?? {})]),
      sink,
    );
    const tests: TestCase[] = [];
    const visibility: VisibilityTest[] = [];
    for (const [index, test] of document.shape.tests.entries()) {
      const form = formOf(document, index, test, sink);
      if (form === "matrix") tests.push(matrixTest(document, index, test, names, sink));
      if (form === "transform") tests.push(...definite(transformTest(work, document, index, test, names)));
      if (form === "visible")
        visibility.push(...definite(visibilityTest(work, document, index, test, names)));
    }
    const { name, metadata } = document.shape;
    const { file } = document.source;
    return { file, name: name ?? metadata?.name ?? file, tests, visibility };
  });
}

function definite<T>(item: T | undefined): readonly T[] {
  return item === undefined ? [] : [item];
}

function emptyFixtures(): Fixtures {
  return { principals: new Map(), calls: new Map(), principalGroups: new Map(), callGroups: new Map() };
}

function copyOf({ principals, calls, principalGroups, callGroups }: Fixtures): Fixtures {
  return {
    principals: new Map(principals),
    calls: new Map(calls),
    principalGroups: new Map(principalGroups),
    callGroups: new Map(callGroups),
  };
}
