// What a mutant is decided by is what the compiler makes of the changed source: every slice, fact and transform.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { describe, expect, test } from "vitest";
import { DEFAULT_TENANT } from "#bundle";
import type { BundleContent } from "#bundle";
import { compile, directoryWorkspace, memoryWorkspace } from "#compiler";
import type { CompileResult, Workspace } from "#compiler";
import { MutantCompiler } from "../../../../compiler/mutation/compile-mutant.ts";
import type { Mutant } from "../../../../compiler/mutation/mutant.ts";
import { policyUnits } from "../../../../compiler/mutation/policy-units.ts";
import { mutantsOf } from "../../../../compiler/mutation/run-mutants.ts";
import { CEDAR, compiled, shop, WEAK_SUITE, YAML } from "./shop.ts";

const ROOT = join(import.meta.dirname, "../../../..");
const DATA = join(ROOT, "test/data/mutation");

/** The repository with the source of a mutant; undefined for a change that no source stands for. */
function edited(workspace: Workspace, result: CompileResult, { at, change }: Mutant): Workspace | undefined {
  const files = new Map(workspace.list().map((path) => [path, workspace.read(path)]));
  if (change.kind === "document") files.set(change.file, Buffer.from(JSON.stringify(change.shape)));
  else {
    if (change.flip === true) return undefined;
    const policy = result.model.policies.find(({ id }) => id === change.id);
    if (policy === undefined) return undefined;
    const text = Buffer.from(workspace.read(at.file)).toString("utf8");
    files.set(at.file, Buffer.from(text.replace(policy.text.text, () => sourceOf(change))));
  }
  return memoryWorkspace(files);
}

function sourceOf({ text = "", shadow }: Extract<Mutant["change"], { readonly kind: "policy" }>): string {
  const plain = text.replace(/@mode\("shadow"\)\s*/u, "");
  if (shadow === undefined) return text;
  return shadow ? `@mode("shadow") ${plain}` : plain;
}

/** What decides each definition, without the ids of policies: taking one away renames others. */
function decidedBy({ policies, registry, transforms }: BundleContent): ReadonlyMap<string, unknown> {
  const residuals = (list: readonly { readonly residual: string }[]): readonly string[] =>
    list.map(({ residual }) => residual).sort();
  const leaves = new Map(
    registry.servers.flatMap(({ leaves: own }) => own.map((leaf) => [leaf.action, leaf])),
  );
  return new Map(
    policies.slices.map(({ tenant, action, call, visibility, shadow, ...slice }) => [
      `${tenant} ${action}`,
      {
        ...slice,
        ...{ call: residuals(call), visibility: residuals(visibility), shadow: residuals(shadow) },
        program: leaves.get(action)?.argumentsProgram,
        transforms: transforms.transforms
          .filter((entry) => entry.tenant === tenant && entry.action === action)
          .map(({ request, response }) =>
            [...request, ...response].map(({ policy: _policy, ...operation }) => operation),
          ),
      },
    ]),
  );
}

/** Compares every mutant with a compilation of its source. Returns how many were compared. */
async function compareAll(workspace: Workspace, result: CompileResult): Promise<number> {
  const content = result.bundle?.content;
  if (content === undefined) throw new Error("the repository does not compile");
  const repository = policyUnits({ dir: "memory", workspace });
  const compiler = new MutantCompiler(repository, content, result.model.suites);
  const base = decidedBy(content);
  let compared = 0;
  for (const mutant of mutantsOf(repository)) {
    const source = edited(workspace, result, mutant);
    if (source === undefined) continue;
    const whole = await compile({ dir: "memory", workspace: source });
    const outcome = compiler.compile(mutant);
    // Findings of style refuse what compiles, and tests that name a policy refuse another id.
    if (whole.content === undefined) continue;
    compared += 1;
    const what = `${mutant.at.file}:${mutant.at.line}: ${mutant.description}`;
    expect(outcome.kind, what).not.toBe("invalid");
    const expected = decidedBy(whole.content);
    const changed = outcome.kind === "changed" ? decidedBy(outcome.compiled.content) : base;
    for (const [key, value] of expected)
      expect(changed.get(key) ?? base.get(key), `${what}: ${key}`).toEqual(value);
    if (outcome.kind !== "changed") continue;
    const { actions } = outcome.compiled;
    const differing = [...expected].filter(
      ([key, value]) =>
        JSON.stringify(withoutProgram(value)) !== JSON.stringify(withoutProgram(base.get(key))),
    );
    for (const [key] of differing) expect(actions, what).toContain(key.slice(`${DEFAULT_TENANT} `.length));
  }
  return compared;
}

// What a projection shows follows from what the slice reads.
function withoutProgram(value: unknown): unknown {
  return { ...(value as object), program: undefined };
}

interface Case {
  readonly name: string;
  readonly cedar?: string;
  readonly yaml?: string;
}

test("of the template", async () => {
  const workspace = directoryWorkspace(join(ROOT, "policy-repo-template"));
  const files = new Map(
    workspace
      .list()
      .filter((path) => !/^tests\/.*_test\.yaml$/u.test(path))
      .map((path) => [path, workspace.read(path)]),
  );
  const untested = memoryWorkspace(files);
  const result = await compiled(untested);
  expect(await compareAll(untested, result)).toBeGreaterThan(20);
});

for (const file of readdirSync(DATA).sort()) {
  describe(file, () => {
    const cases = parse(readFileSync(join(DATA, file), "utf8")) as readonly Case[];
    test.each(cases)("$name", async ({ cedar, yaml }) => {
      const workspace = shop({
        ...(cedar === undefined ? {} : { [CEDAR]: cedar }),
        ...(yaml === undefined ? {} : { [YAML]: yaml }),
        "tests/weak_test.yaml": WEAK_SUITE,
      });
      expect(await compareAll(workspace, await compiled(workspace))).toBeGreaterThan(0);
    });
  });
}
