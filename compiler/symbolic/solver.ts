// The SMT solver: z3-solver, an optional peer that is loaded when somebody asks for a proof and never bundled.
import { setTimeout as delay } from "node:timers/promises";
import type { Term } from "./terms.ts";
import { readAnswer } from "./solver-answer.ts";
import type { Answer } from "./solver-answer.ts";

/** The package and the version that proofs are tested with. */
export const SOLVER_PACKAGE = "z3-solver@5.2.0";

/** The solver is not installed, or cannot be started. */
export class SolverUnavailable extends Error {}

export interface Solver {
  /**
   * Asks whether a script of SMT-LIB declarations and assertions can be satisfied. `names`: unknowns whose values a
   * satisfiable answer gives. A solver that does not keep to its time is stopped, and the answer is unknown.
   */
  readonly ask: (script: string, names: readonly Term[], timeoutMs: number) => Promise<Answer>;
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
  readonly Z3: {
    readonly mk_config: () => unknown;
    readonly mk_context: (config: unknown) => unknown;
    readonly del_config: (config: unknown) => void;
    readonly del_context: (context: unknown) => void;
    readonly eval_smtlib2_string: (context: unknown, text: string) => Promise<string>;
  };
}

/** Beyond the solver's own time limit, before it is stopped from outside. */
const GRACE_MS = 3_000;
const SETTINGS = [
  "(set-option :smt.random_seed 0)",
  "(set-option :sat.random_seed 0)",
  "(set-option :smt.string_solver seq)",
].join("\n");

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
    ask: async (script, names, timeoutMs) => {
      running ??= await start(module);
      const text = question(script, names, timeoutMs);
      const late = new AbortController();
      const answer = evaluate(running, text).catch((): string => "unknown");
      const overrun = delay(timeoutMs + GRACE_MS, undefined, { signal: late.signal }).catch(() => undefined);
      const output = await Promise.race([answer, overrun]);
      late.abort();
      if (output !== undefined) return readAnswer(output, names);
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
    throw new SolverUnavailable(`the solver cannot be loaded`, { cause });
  }
}

async function start(module: Z3Module): Promise<Z3Instance> {
  const quiet = (): void => undefined;
  try {
    return await module.init({ print: quiet, printErr: quiet });
  } catch (cause) {
    throw new SolverUnavailable("the solver cannot be started", { cause });
  }
}

function question(script: string, names: readonly Term[], timeoutMs: number): string {
  const values = names.length === 0 ? "" : `(get-value (${names.join(" ")}))`;
  return `${SETTINGS}\n(set-option :timeout ${String(timeoutMs)})\n${script}\n(check-sat)\n${values}`;
}

async function evaluate({ Z3 }: Z3Instance, text: string): Promise<string> {
  const config = Z3.mk_config();
  const context = Z3.mk_context(config);
  Z3.del_config(config);
  try {
    return await Z3.eval_smtlib2_string(context, text);
  } finally {
    Z3.del_context(context);
  }
}
