// The tests that calls of some definitions take part in.
import type { BundleContent, LeafAction } from "#bundle";
import type { TestCase, TestSuite } from "#compiler";

/**
 * The suites with nothing but what they say of `actions`: what a test says of other definitions is as it was. Lists are
 * looked at as far as `content` holds their definitions. Skipped tests and suites that say nothing are left out.
 */
export function testsOn(
  suites: readonly TestSuite[],
  actions: ReadonlySet<LeafAction>,
  content: BundleContent,
): readonly TestSuite[] {
  const held = new Map(
    content.registry.servers.map(({ id, leaves }) => [id, new Set(leaves.map(({ action }) => action))]),
  );
  return suites.flatMap((suite) => {
    const tests = suite.tests.flatMap((test) => testOn(test, actions));
    const visibility = suite.visibility.flatMap((test) => {
      const own = held.get(test.server);
      if (test.skip !== undefined || own === undefined || own.isDisjointFrom(actions)) return [];
      return [{ ...test, listed: test.listed.filter(({ action }) => own.has(action)) }];
    });
    return tests.length + visibility.length === 0 ? [] : [{ ...suite, tests, visibility }];
  });
}

function testOn(test: TestCase, actions: ReadonlySet<LeafAction>): readonly TestCase[] {
  if (test.skip !== undefined) return [];
  switch (test.kind) {
    case "matrix": {
      const calls = test.calls.filter(({ action }) => actions.has(action));
      return calls.length === 0 ? [] : [{ ...test, calls }];
    }
    case "transform":
      return actions.has(test.call.action) ? [test] : [];
  }
}
