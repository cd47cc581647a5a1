// The tests that calls of some definitions take part in.
import type { LeafAction } from "#bundle";
import type { TestCase, TestSuite } from "#compiler";

/**
 * The suites with nothing but calls of `actions`: what a test says of other definitions is as it was. Skipped tests and
 * suites without any such call are left out.
 */
export function testsOn(
  suites: readonly TestSuite[],
  actions: ReadonlySet<LeafAction>,
): readonly TestSuite[] {
  return suites.flatMap((suite) => {
    const tests = suite.tests.flatMap((test) => testOn(test, actions));
    return tests.length === 0 ? [] : [{ ...suite, tests }];
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
