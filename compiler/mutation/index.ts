// Door #mutation: whether the tests of a repository notice that its policies are changed.
export { runMutants } from "./run-mutants.ts";
export type { MutationOptions } from "./run-mutants.ts";
export type {
  MutantPlace,
  MutantResult,
  MutantStatus,
  MutantWitness,
  MutationReport,
  OperatorName,
} from "./mutant.ts";
export { renderMutationText } from "./render-mutation.ts";
