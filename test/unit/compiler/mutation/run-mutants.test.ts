// A run as a whole: the template's score, the cap, the base of a pull request, and what is shown.
import { join } from "node:path";
import { expect, test } from "vitest";
import { compile } from "#compiler";
import { renderMutationText, runMutants } from "#mutation";
import { CEDAR, compiled, shop, WEAK_SUITE, YAML } from "./shop.ts";

const TEMPLATE = join(import.meta.dirname, "../../../../policy-repo-template");

const FIRST = `permit (principal, action == Action::"tools/call:shop/lookup", resource);\n`;
const SECOND = `forbid (principal, action == Action::"tools/call:shop/lookup", resource) when { principal.is_external };\n`;

test("the tests of the template kill at least 90 % of the mutants", async () => {
  const report = await runMutants(await compile({ dir: TEMPLATE }), { source: { dir: TEMPLATE } });
  expect(report.score).toBeGreaterThanOrEqual(90);
  expect(report).toMatchObject({ invalid: 0, leftOut: 0 });
  const killed = report.mutants.find(({ operator }) => operator === "remove-transform");
  expect(killed).toMatchObject({
    status: "killed",
    killedBy: "tests/redaction_test.yaml › e-mail addresses of assignees do not leave",
  });
});

test("a cap says how many it left out, and what it keeps is the same", async () => {
  const workspace = shop({ [CEDAR]: FIRST + SECOND, "tests/weak_test.yaml": WEAK_SUITE });
  const result = await compiled(workspace);
  const seen: number[] = [];
  const source = { dir: "memory", workspace };
  const whole = await runMutants(result, { source, onProgress: (done, total) => seen.push(done, total) });
  const cut = await runMutants(result, { source, maxMutants: 3 });
  const total = whole.mutants.length;
  expect(cut).toMatchObject({ leftOut: total - 3, mutants: whole.mutants.slice(0, 3) });
  expect(seen.slice(-2)).toEqual([total - 1, total]);
  expect(renderMutationText(cut, { color: false })).toContain(`${total - 3} more mutants were not run`);
});

test("a base leaves out policies that only moved", async () => {
  const before = await compiled(shop({ [CEDAR]: FIRST, "tests/weak_test.yaml": WEAK_SUITE }));
  const workspace = shop({ [CEDAR]: SECOND + FIRST, "tests/weak_test.yaml": WEAK_SUITE });
  const content = before.bundle?.content;
  if (content === undefined) throw new Error("the base does not compile");
  const { mutants } = await runMutants(await compiled(workspace), {
    source: { dir: "memory", workspace },
    base: { ref: "main", content },
  });
  expect(new Set(mutants.map(({ at }) => at.line))).toEqual(new Set([1]));
});

test("an abort ends a run with its reason", async () => {
  const workspace = shop({
    [YAML]: "scope: { principals: any }\nallow: { tools: [lookup] }\n",
    "tests/weak_test.yaml": WEAK_SUITE,
  });
  const abort = new AbortController();
  const run = runMutants(await compiled(workspace), {
    source: { dir: "memory", workspace },
    onProgress: () => abort.abort(new Error("stopped")),
    signal: abort.signal,
  });
  await expect(run).rejects.toThrow("stopped");
});

test("nothing to change is no score, and no fault", async () => {
  const workspace = shop({ [CEDAR]: FIRST, "tests/weak_test.yaml": WEAK_SUITE });
  const result = await compiled(workspace);
  const content = result.bundle?.content;
  if (content === undefined) throw new Error("the project does not compile");
  const report = await runMutants(result, {
    source: { dir: "memory", workspace },
    base: { ref: "main", content },
  });
  expect(report.score).toBeUndefined();
  expect(renderMutationText(report, { color: false })).toContain(
    "no mutant of the policies that differ from main",
  );
});
