// Runs the tests of a repository against every mutant of its policies.
import type { BundleContent, PolicyId } from "#bundle";
import type { CompileOptions, CompileResult, CompiledBundle } from "#compiler";
import { runSuites } from "#policy-test";
import { cedarMutants } from "./cedar-mutants.ts";
import { changedPolicies } from "./changed-policies.ts";
import { MutantCompiler } from "./compile-mutant.ts";
import type { CompiledMutant } from "./compile-mutant.ts";
import { documentMutants } from "./document-mutants.ts";
import { findWitness } from "./find-witness.ts";
import { OPERATORS } from "./mutant.ts";
import type { Mutant, MutantResult, MutationReport } from "./mutant.ts";
import { policyUnits } from "./policy-units.ts";
import type { PolicyUnits } from "./policy-units.ts";
import { testsOn } from "./tests-on.ts";

/** Mutants of one run. */
const MAX_MUTANTS = 2_000;

export interface MutationOptions {
  /** Where the compiled repository was read from. */
  readonly source: CompileOptions;
  /** Only policies that this content compiles differently are changed. */
  readonly base?: { readonly ref: string; readonly content: BundleContent };
  /** Of tests, as `runSuites` takes it. */
  readonly filter?: readonly string[];
  /** `MAX_MUTANTS` where absent. */
  readonly maxMutants?: number;
  /** Called before each mutant. */
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * Changes the policies one small step at a time and runs the tests that each change bears on. The tests of the
 * repository must pass. Deterministic. Throws Error where the repository does not compile, and the reason of `signal`.
 */
export async function runMutants(
  result: Pick<CompileResult, "bundle" | "model">,
  options: MutationOptions,
): Promise<MutationReport> {
  const { bundle, model } = result;
  if (bundle === undefined) throw new Error("the repository does not compile");
  const { content } = bundle;
  const repository = policyUnits(options.source);
  const compiler = new MutantCompiler(repository, content, model.suites);
  const { base, maxMutants = MAX_MUTANTS, signal, filter = [] } = options;
  const changed = base === undefined ? undefined : changedPolicies(base.content, content);
  const all = mutantsOf(repository).filter((mutant) => changed === undefined || isOf(mutant, changed));
  const chosen = all.slice(0, maxMutants);
  const seen = new Set<string>();
  const mutants: MutantResult[] = [];
  for (const [index, mutant] of chosen.entries()) {
    signal?.throwIfAborted();
    options.onProgress?.(index, chosen.length);
    mutants.push(await runMutant({ mutant, compiler, seen, result: { bundle, model }, filter, signal }));
    // A deadline or Ctrl-C is heard between two mutants.
    await new Promise((resolve) => setImmediate(resolve));
  }
  return summary(mutants, all.length - chosen.length, base?.ref);
}

/** Every mutant of a repository, by file and place. */
export function mutantsOf(repository: PolicyUnits): readonly Mutant[] {
  const { authored, yaml } = repository;
  const mutants = [
    ...authored.flatMap(cedarMutants),
    ...[...yaml.values()].flatMap(({ document }) => documentMutants(document)),
  ];
  return mutants.sort(
    (a, b) =>
      compare(a.at.file, b.at.file) ||
      a.at.line - b.at.line ||
      a.at.column - b.at.column ||
      OPERATORS.indexOf(a.operator) - OPERATORS.indexOf(b.operator) ||
      compare(a.description, b.description),
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** True for a mutant of a policy, or of a document that means a policy, among `changed`. */
function isOf({ change }: Mutant, changed: ReadonlySet<PolicyId>): boolean {
  if (change.kind === "policy") return changed.has(change.id);
  return [...changed].some((id) => id.startsWith(`${change.file}#`));
}

interface Compiled {
  readonly bundle: CompiledBundle;
  readonly model: CompileResult["model"];
}

interface Run {
  readonly mutant: Mutant;
  readonly compiler: MutantCompiler;
  /** Fingerprints of the mutants before. */
  readonly seen: Set<string>;
  readonly result: Compiled;
  readonly filter: readonly string[];
  readonly signal: AbortSignal | undefined;
}

async function runMutant({ mutant, compiler, seen, result, ...how }: Run): Promise<MutantResult> {
  const { operator, at, description } = mutant;
  const named = { operator, at, description };
  const outcome = compiler.compile(mutant);
  if (outcome.kind === "invalid") return { ...named, status: "invalid" };
  if (outcome.kind === "same") return { ...named, status: "equivalent" };
  const { compiled } = outcome;
  const isKnown = seen.has(compiled.fingerprint);
  seen.add(compiled.fingerprint);
  if (isKnown) return { ...named, status: "duplicate" };
  const killedBy = await firstFailure(result, compiled, how);
  if (killedBy !== undefined) return { ...named, status: "killed", killedBy };
  const witness = await findWitness(
    compiled,
    { roles: result.model.roles, suites: compiled.suites },
    how.signal,
  );
  return { ...named, status: "survived", ...(witness === undefined ? {} : { witness }) };
}

/** `file › test` of the first test that fails on the mutant. */
async function firstFailure(
  { bundle, model }: Compiled,
  { suites, actions, content }: CompiledMutant,
  { filter, signal }: Pick<Run, "filter" | "signal">,
): Promise<string | undefined> {
  const selected = testsOn(suites, actions, content);
  if (selected.length === 0) return undefined;
  // No bundle is written: a mutant is decided, never released.
  const mutated = { bundle: { ...bundle, content }, model: { ...model, suites: selected } };
  const report = await runSuites(mutated, { filter, ...(signal === undefined ? {} : { signal }) });
  for (const { file, tests } of report.suites) {
    const failed = tests.find(({ status }) => status === "failed");
    if (failed !== undefined) return `${file} › ${failed.name}`;
  }
  return undefined;
}

function summary(
  mutants: readonly MutantResult[],
  leftOut: number,
  base: string | undefined,
): MutationReport {
  const having = (status: MutantResult["status"]): number =>
    mutants.filter((mutant) => mutant.status === status).length;
  const killed = having("killed");
  const survived = having("survived");
  const total = killed + survived;
  return {
    mutants,
    ...{
      killed,
      survived,
      equivalent: having("equivalent"),
      duplicate: having("duplicate"),
      invalid: having("invalid"),
      leftOut,
    },
    undistinguished: mutants.filter(({ status, witness }) => status === "survived" && witness === undefined)
      .length,
    score: total === 0 ? undefined : Math.floor((killed * 1000) / total) / 10,
    ...(base === undefined ? {} : { base }),
  };
}
