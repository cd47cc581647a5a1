// A test that expects a policy which does not exist would never pass, or would pass for another reason.
import { didYouMean } from "../documents/yaml-source.ts";
import type { CheckRule } from "./context.ts";

export const expectedReasons: CheckRule = {
  name: "expected-reasons",
  run: ({ sink, sources, suites }) => {
    const known = Object.keys(sources.policies);
    const expectations = suites
      .flatMap((suite) => suite.tests)
      .flatMap((test) => (test.kind === "matrix" ? [...test.expect.values()] : []));
    for (const { at, reasons } of expectations) {
      for (const reason of (reasons ?? []).filter((item) => !known.includes(item))) {
        sink.report(
          "TEST_NAME_UNKNOWN",
          at,
          `no policy has the id ${JSON.stringify(reason)}`,
          didYouMean(reason, known),
        );
      }
    }
  },
};
