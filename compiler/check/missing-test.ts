// A policy document of which no test calls anything it decides.
import { DEFAULT_TENANT } from "#bundle";
import type { LeafAction, TenantId } from "#bundle";
import { startOf } from "../diagnostics/index.ts";
import { layerOf } from "../documents/layer.ts";
import type { TestSuite } from "../model/test-suite.ts";
import type { CheckContext, CheckRule } from "./context.ts";

/** Leaves that tests call, by the tenant that they call them as. */
function testedActions(suites: readonly TestSuite[]): ReadonlyMap<TenantId, ReadonlySet<LeafAction>> {
  const tests = suites.flatMap((suite) => suite.tests).filter((test) => test.skip === undefined);
  const tested = new Map<TenantId, Set<LeafAction>>();
  for (const test of tests) {
    const [principals, calls] =
      test.kind === "matrix" ? [test.principals, test.calls] : [[test.principal], [test.call]];
    for (const { facts } of principals) {
      const actions = tested.get(facts.tenant) ?? new Set<LeafAction>();
      for (const { action } of calls) actions.add(action);
      tested.set(facts.tenant, actions);
    }
  }
  return tested;
}

/** A tenant's document is tested as that tenant, one of the platform as any. */
function isTested(
  tested: ReadonlyMap<TenantId, ReadonlySet<LeafAction>>,
  file: string,
  actions: readonly LeafAction[],
): boolean {
  const { tenant } = layerOf(file);
  const known = tenant === DEFAULT_TENANT ? [...tested.values()] : [tested.get(tenant)];
  return actions.some((action) => known.some((calls) => calls?.has(action) === true));
}

/** `policies/a.yaml` of `policies/a.yaml#/deny/tools/0`. */
function documentOf(policy: string): string {
  const hash = policy.lastIndexOf("#");
  return hash === -1 ? policy : policy.slice(0, hash);
}

/** Leaves that each document decides or transforms. */
function decidedActions(context: CheckContext): ReadonlyMap<string, ReadonlySet<LeafAction>> {
  const decided = new Map<string, Set<LeafAction>>();
  const add = (document: string, action: LeafAction): void => {
    decided.set(document, (decided.get(document) ?? new Set()).add(action));
  };
  for (const slice of context.policies.slices) {
    for (const policy of slice.call) add(documentOf(policy.id), slice.action);
  }
  for (const entry of context.transforms.transforms) {
    for (const operation of [...entry.request, ...entry.response])
      add(documentOf(operation.policy), entry.action);
  }
  return decided;
}

export const missingTest: CheckRule = {
  name: "missing-test",
  run: (context) => {
    const tested = testedActions(context.suites);
    const { documents } = context;
    const files = [
      ...documents.policies.map((item) => item.source.file),
      ...documents.cedar.map((item) => item.file),
    ];
    const decided = decidedActions(context);
    for (const file of files) {
      const actions = [...(decided.get(file) ?? [])];
      if (actions.length === 0 || isTested(tested, file, actions)) continue;
      const message = `no test calls anything this document decides, e.g. ${actions.sort()[0]}`;
      context.sink.report("DOCUMENT_UNTESTED", startOf(file), message, "add a call to a suite in tests/");
    }
  },
};
