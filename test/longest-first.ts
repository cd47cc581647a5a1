// The order of the test files. Left alone, vitest starts with the largest; the ones that take longest are small, and
// would run last, one after the other, while the other workers have nothing left to do.
import { BaseSequencer } from "vitest/node";
import type { TestSpecification } from "vitest/node";

/** Below test/, longest first. A file that is not here takes less than all of these. */
const LONGEST = [
  "e2e/start",
  "unit/compiler/specialisation",
  "conformance/conformance",
  "e2e/stopped-servers",
  "unit/compiler/mutation/operators",
  "e2e/crash",
  "e2e/local-server",
  "unit/compiler/hostile/hostile-repositories",
  "e2e/connect",
  "e2e/virtual-tasks",
  "unit/cli/conventions",
  "e2e/large-answers",
  "unit/cli/packages",
  "unit/compiler/json-schema/tool-catalogue",
  "e2e/inspector",
  "unit/github-action/run-action",
  "unit/cli/decision-commands",
  "unit/audit/writer-process",
  "matrix/six-primitives",
].map((name) => `/test/${name}.test.ts`);

function rankOf(file: TestSpecification): number {
  // Isolated files go first: a worker is kept only for a next file that may share it.
  if (file.project.config.isolate) return -1;
  const index = LONGEST.findIndex((name) => file.moduleId.endsWith(name));
  return index === -1 ? LONGEST.length : index;
}

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return (await super.sort(files)).toSorted((left, right) => rankOf(left) - rankOf(right));
  }
}
