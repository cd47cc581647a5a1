// What `aegis test` does with mutation testing: the run, its progress, and the gate.
import type { CompileResult } from "#compiler";
import { renderMutationText, runMutants } from "#mutation";
import type { MutationReport } from "#mutation";
import { openBase } from "../plan/open-base.ts";
import { CliError } from "./cli-error.ts";
import type { CliIo } from "./io.ts";
import { projectDir } from "./project.ts";

export interface MutationOptions {
  readonly mutation?: true;
  /** Lowest score that passes, in percent. */
  readonly mutationThreshold?: number;
  /** Only policies that differ from this Git reference, bundle or channel are changed. */
  readonly mutationBase?: string;
  readonly filter?: readonly string[];
}

/** A threshold or a base asks for mutation testing as much as the option does. */
function wantsMutation({ mutation, mutationThreshold, mutationBase }: MutationOptions): boolean {
  return mutation === true || mutationThreshold !== undefined || mutationBase !== undefined;
}

/** Undefined where it is not asked for, or where tests fail, after saying so. */
export async function runMutation(
  result: CompileResult,
  dir: string,
  failed: number,
  options: MutationOptions,
  io: CliIo,
): Promise<MutationReport | undefined> {
  if (!wantsMutation(options)) return undefined;
  if (failed > 0) {
    io.err("no mutants were run: a test that fails on the policies as they are tells no mutant from them\n");
    return undefined;
  }
  const path = await projectDir(dir, io);
  const base = await baseOf(options, path, io);
  const report = await runMutants(result, {
    source: { dir: path },
    filter: options.filter ?? [],
    ...(base === undefined ? {} : { base }),
    onProgress: (done, total) => {
      if (io.showProgress) io.err(`\r\u001b[Kmutant ${done + 1} of ${total}`);
    },
  });
  if (io.showProgress) io.err("\r\u001b[K");
  return report;
}

async function baseOf(
  { mutationBase }: MutationOptions,
  dir: string,
  io: CliIo,
): Promise<Parameters<typeof runMutants>[1]["base"]> {
  if (mutationBase === undefined) return undefined;
  const { input } = await openBase(mutationBase, dir, io);
  if (input.bundle === undefined) throw new CliError(`${mutationBase} holds no bundle`);
  return { ref: mutationBase, content: input.bundle.content };
}

/** The report after the one of the tests; JUnit has no form for mutants. */
export function withMutation(
  tests: string,
  report: MutationReport | undefined,
  format: "json" | "junit" | "text",
  color: boolean,
): string {
  if (report === undefined || format === "junit") return tests;
  if (format === "text") return `${tests}\n${renderMutationText(report, { color })}`;
  const document = JSON.parse(tests) as object;
  return `${JSON.stringify({ ...document, mutation: report }, null, 2)}\n`;
}

/** False where the score is below the threshold, after saying so. */
export function reachesThreshold(
  report: MutationReport | undefined,
  { mutationThreshold }: MutationOptions,
  io: Pick<CliIo, "err">,
): boolean {
  if (mutationThreshold === undefined || report === undefined) return true;
  const { score, leftOut } = report;
  if (leftOut > 0) {
    io.err(
      `${leftOut} mutants were not run, so --mutation-threshold cannot be judged: limit them with --mutation-base\n`,
    );
    return false;
  }
  // No mutants at all: nothing that the tests could have missed.
  if (score === undefined || score >= mutationThreshold) return true;
  io.err(`mutation score ${score} % is below --mutation-threshold ${mutationThreshold}\n`);
  return false;
}
