// The SMT solver: z3-solver, an optional peer that is loaded when somebody asks for a proof and never bundled.
import { setTimeout as delay } from "node:timers/promises";
import type { Term } from "./terms.ts";
import { completed } from "./solver-answer.ts";
import type { Unknown } from "./symbol-table.ts";
import type { Answer } from "./solver-answer.ts";

/** The package and the version that proofs are tested with. */
export const SOLVER_PACKAGE = "z3-solver@5.2.0";

/** The solver is not installed, or cannot be started. */
export class SolverUnavailable extends Error {}

export interface Solver {
  /**
   * Asks whether a script of SMT-LIB declarations and assertions can be satisfied; a satisfiable answer has a value for
   * each of the unknowns. A solver that does not keep to its time is stopped, and the answer is unknown.
   */
  readonly ask: (script: string, unknowns: readonly Unknown[], timeoutMs: number) => Promise<Answer>;
  /** Stops the solver's threads: a process with running ones does not end. */
  readonly dispose: () => Promise<void>;
}

/** What is used of the package. */
interface Z3Module {
  readonly init: (overrides?: object) => Promise<Z3Instance>;
  readonly killThreads: (em: unknown) => Promise<void>;
}

interface Z3Instance {
  readonly em: unknown;
  readonly Z3: Z3Api;
}

/** A number that stands for something within the solver. */
type Handle = number;

/** https://z3prover.github.io/api/html/z3__api_8h.html, without the prefix of the names. */
interface Z3Api {
  readonly global_param_set: (name: string, value: string) => void;
  readonly mk_config: () => Handle;
  readonly del_config: (config: Handle) => void;
  readonly mk_context: (config: Handle) => Handle;
  readonly del_context: (context: Handle) => void;
  readonly mk_simple_solver: (context: Handle) => Handle;
  readonly solver_inc_ref: (context: Handle, solver: Handle) => void;
  readonly solver_from_string: (context: Handle, solver: Handle, text: string) => void;
  readonly get_error_code: (context: Handle) => number;
  readonly mk_params: (context: Handle) => Handle;
  readonly params_inc_ref: (context: Handle, params: Handle) => void;
  readonly params_set_uint: (context: Handle, params: Handle, name: Handle, value: number) => void;
  readonly solver_set_params: (context: Handle, solver: Handle, params: Handle) => void;
  readonly mk_string_symbol: (context: Handle, text: string) => Handle;
  readonly solver_check: (context: Handle, solver: Handle) => Promise<number>;
  readonly solver_get_model: (context: Handle, solver: Handle) => Handle;
  readonly model_inc_ref: (context: Handle, model: Handle) => void;
  readonly model_get_num_consts: (context: Handle, model: Handle) => number;
  readonly model_get_const_decl: (context: Handle, model: Handle, index: number) => Handle;
  readonly model_get_const_interp: (context: Handle, model: Handle, declaration: Handle) => Handle;
  readonly get_decl_name: (context: Handle, declaration: Handle) => Handle;
  readonly get_symbol_string: (context: Handle, symbol: Handle) => string;
  readonly ast_to_string: (context: Handle, term: Handle) => string;
}

/** Beyond the solver's own time limit, before it is stopped from outside. */
const GRACE_MS = 3_000;
/** The same question has the same answer. */
const SETTINGS: Readonly<Record<string, string>> = { "smt.random_seed": "0", "sat.random_seed": "0" };
const SATISFIABLE = 1;
const UNSATISFIABLE = -1;

/** Starts the solver. @throws {SolverUnavailable} where the package is missing or does not start */
export async function createSolver(): Promise<Solver> {
  const module = await loadModule();
  let running: Z3Instance | undefined = await start(module);
  const stop = async (): Promise<void> => {
    const instance = running;
    running = undefined;
    if (instance !== undefined) await module.killThreads(instance.em).catch(() => undefined);
  };
  return {
    ask: async (script, unknowns, timeoutMs) => {
      running ??= await start(module);
      const late = new AbortController();
      const answer = solve(running.Z3, script, unknowns, timeoutMs).catch((): Answer => REFUSED);
      const overrun = delay(timeoutMs + GRACE_MS, undefined, { signal: late.signal }).catch(() => undefined);
      const first = await Promise.race([answer, overrun]);
      late.abort();
      if (first !== undefined) return first;
      await stop();
      return { kind: "unknown", reason: "no answer in time" };
    },
    dispose: stop,
  };
}

async function loadModule(): Promise<Z3Module> {
  // A name that a bundler cannot follow: the solver is 35 MB and stays where it is installed.
  const name = SOLVER_PACKAGE.split("@")[0] ?? "";
  try {
    const loaded = (await import(name)) as { readonly default?: Z3Module } & Z3Module;
    return typeof loaded.init === "function" ? loaded : (loaded.default ?? loaded);
  } catch (cause) {
    throw new SolverUnavailable("the solver cannot be loaded", { cause });
  }
}

async function start(module: Z3Module): Promise<Z3Instance> {
  const quiet = (): void => undefined;
  try {
    const instance = await module.init({ print: quiet, printErr: quiet });
    for (const [name, value] of Object.entries(SETTINGS)) instance.Z3.global_param_set(name, value);
    return instance;
  } catch (cause) {
    throw new SolverUnavailable("the solver cannot be started", { cause });
  }
}

const REFUSED: Answer = { kind: "unknown", reason: "no answer to a question that it refused" };

/**
 * One question in a context of its own. The text is read by a call that waits for it: the package hands the text of its
 * asynchronous calls over on a stack that is used again while a thread still reads it.
 */
async function solve(
  z3: Z3Api,
  script: string,
  unknowns: readonly Unknown[],
  timeoutMs: number,
): Promise<Answer> {
  const config = z3.mk_config();
  const context = z3.mk_context(config);
  z3.del_config(config);
  try {
    const solver = z3.mk_simple_solver(context);
    z3.solver_inc_ref(context, solver);
    z3.solver_from_string(context, solver, script);
    if (z3.get_error_code(context) !== 0) return REFUSED;
    const params = z3.mk_params(context);
    z3.params_inc_ref(context, params);
    z3.params_set_uint(context, params, z3.mk_string_symbol(context, "timeout"), timeoutMs);
    z3.solver_set_params(context, solver, params);
    const result = await z3.solver_check(context, solver);
    if (z3.get_error_code(context) !== 0) return REFUSED;
    if (result === UNSATISFIABLE) return { kind: "unsat" };
    if (result !== SATISFIABLE) return { kind: "unknown", reason: "no answer" };
    return { kind: "sat", values: completed(unknowns, modelOf(z3, context, solver)) };
  } finally {
    z3.del_context(context);
  }
}

function modelOf(z3: Z3Api, context: Handle, solver: Handle): ReadonlyMap<Term, Term> {
  const model = z3.solver_get_model(context, solver);
  z3.model_inc_ref(context, model);
  const values = new Map<Term, Term>();
  for (let index = 0; index < z3.model_get_num_consts(context, model); index += 1) {
    const declaration = z3.model_get_const_decl(context, model, index);
    const name = z3.get_symbol_string(context, z3.get_decl_name(context, declaration));
    values.set(name, z3.ast_to_string(context, z3.model_get_const_interp(context, model, declaration)));
  }
  return values;
}
