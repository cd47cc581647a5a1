// Runs one test of what lists show, by the function that filters the lists of the gateway.
import type { Era, LeafEntry, ServerEntry } from "#bundle";
import type { TestPrincipal, VisibilityTest } from "#compiler";
import { isListed } from "#pdp";
import type { TestBench } from "./run-test.ts";
import type { TestFailure, TestResult } from "./suite-report.ts";

/** A cell is one principal who asks for the lists of the server. */
export function runVisibility(bench: TestBench, test: VisibilityTest): TestResult {
  const { name, at, skip } = test;
  if (skip !== undefined) return { name, at, status: "skipped", skip, cells: 0, failures: [] };
  const failures = test.principals.flatMap((principal) => checkLists(bench, test, principal));
  const status = failures.length === 0 ? "passed" : "failed";
  return { name, at, status, skip, cells: test.principals.length, failures };
}

function checkLists(
  bench: TestBench,
  test: VisibilityTest,
  principal: TestPrincipal,
): readonly TestFailure[] {
  const { content, evaluator } = bench;
  const { request, facts } = principal;
  const server = content.registry.servers.find(({ id }) => id === test.server);
  const expected = new Map(test.listed.map(({ action, at }) => [action, at] as const));
  return listedOf(server, request.protocol.era).flatMap((leaf): readonly TestFailure[] => {
    const isShown = isListed(evaluator, facts.tenant, principal, request, leaf.action);
    const at = expected.get(leaf.action);
    if (isShown === (at !== undefined)) return [];
    const wanted = at === undefined ? "not listed, as visible does not name it" : "listed";
    return [
      {
        ...{ kind: "failure", at: at ?? test.at, policies: [] },
        subject: `${principal.name} lists ${test.server}: ${leaf.kind} ${leaf.name}`,
        expected: wanted,
        actual: isShown ? "listed" : notListed(principal),
      },
    ];
  });
}

/** What the lists of one era may hold, in the order of the registry. */
function listedOf(server: ServerEntry | undefined, era: Era): readonly LeafEntry[] {
  return (server?.leaves ?? []).filter((leaf) =>
    leaf.definitions.some((definition) => definition.eras.includes(era)),
  );
}

function notListed({ missingAttributes }: TestPrincipal): string {
  if (missingAttributes.length === 0) return "not listed, as no arguments could be allowed";
  return `not listed (PRINCIPAL_ATTRIBUTE_MISSING: ${missingAttributes.join(", ")})`;
}
