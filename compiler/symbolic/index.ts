// Door #symbolic: proofs of "no new permits" by a solver, or a call that shows otherwise.
export { proveNoNewPermits } from "./prove.ts";
export type { SymbolicOptions, SymbolicResult } from "./prove.ts";
export { SOLVER_PACKAGE, SolverUnavailable } from "./solver.ts";
export { withSymbolic } from "./with-symbolic.ts";
