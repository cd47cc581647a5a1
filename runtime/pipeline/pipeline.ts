// The builder that makes the order of stages a matter of types, and the runner that makes every fault a denial.
// This file holds the only catch on the message path.
import { isAegisError } from "#errors";
import { readVerdict } from "./verdict.ts";
import type { Denial, Outcome, Verdict } from "./verdict.ts";

/**
 * One step. `run` is a property with a function type, not a method: with method syntax TypeScript would compare its
 * parameter bivariantly, and a pipeline that leaves out a stage would compile.
 */
export interface Stage<In, Out> {
  readonly name: string;
  readonly run: (exchange: In, signal: AbortSignal) => Verdict<Out> | Promise<Verdict<Out>>;
}

export interface Pipeline<In, Out> {
  readonly names: readonly string[];
  /** Never throws and never hangs past `signal`. `reached` is the strongest form the exchange took. */
  readonly run: (
    exchange: In,
    signal: AbortSignal,
    onStage: (name: string, durationMs: number) => void,
  ) => Promise<PipelineOutcome<Out>>;
}

export type PipelineOutcome<Out> =
  | { readonly kind: "proceed"; readonly exchange: Out }
  | { readonly kind: "denial"; readonly denial: Denial; readonly stage: string; readonly reached: object };

interface AnyStage {
  readonly name: string;
  readonly run: (exchange: never, signal: AbortSignal) => unknown;
}

export class PipelineBuilder<In, Out> {
  readonly #stages: readonly AnyStage[];
  constructor(stages: readonly AnyStage[] = []) {
    this.#stages = stages;
  }
  /** Appends a stage; it must accept exactly what the stages before it have made. */
  stage<Next>(next: Stage<Out, Next>): PipelineBuilder<In, Next> {
    return new PipelineBuilder<In, Next>([...this.#stages, next]);
  }
  build(): Pipeline<In, Out> {
    const stages = this.#stages;
    return {
      names: stages.map((stage) => stage.name),
      run: (exchange, signal, onStage) => runStages<Out>(stages, exchange as object, signal, onStage),
    };
  }
}

export function pipeline<In>(): PipelineBuilder<In, In> {
  return new PipelineBuilder<In, In>();
}

async function runStages<Out>(
  stages: readonly AnyStage[],
  first: object,
  signal: AbortSignal,
  onStage: (name: string, durationMs: number) => void,
): Promise<PipelineOutcome<Out>> {
  let reached: object = first;
  const race = new StageRace(signal);
  try {
    let startedMs = performance.now();
    for (const stage of stages) {
      const running = startStage(stage, reached, race);
      const outcome = running instanceof Promise ? await running : running;
      // One reading of the clock ends a stage and starts the next.
      const endedMs = performance.now();
      onStage(stage.name, endedMs - startedMs);
      startedMs = endedMs;
      if (outcome.kind === "denial")
        return { kind: "denial", denial: outcome.denial, stage: stage.name, reached };
      reached = outcome.exchange;
    }
    return { kind: "proceed", exchange: reached as Out };
  } finally {
    race.end();
  }
}

function startStage(
  stage: AnyStage,
  exchange: object,
  race: StageRace,
): Outcome<object> | Promise<Outcome<object>> {
  const { signal } = race;
  try {
    if (signal.aborted) return faultOutcome(stage.name, signal.reason);
    const returned = stage.run(exchange as never, signal);
    return returned instanceof Promise
      ? race.outcome(stage.name, returned)
      : readVerdict<object>(stage.name, returned);
  } catch (fault) {
    return faultOutcome(stage.name, fault);
  }
}

/**
 * Runs the stages of one exchange against its signal: a stage that ignores its signal cannot hang the exchange. One
 * listener serves them all, because only one of them runs at a time.
 */
class StageRace {
  readonly signal: AbortSignal;
  #lose: (() => void) | undefined;
  #listens = false;

  constructor(signal: AbortSignal) {
    this.signal = signal;
  }

  /** Resolves with what `work` comes to, or as soon as the signal is aborted. Never rejects. */
  outcome(stage: string, work: Promise<unknown>): Promise<Outcome<object>> {
    return new Promise((resolve) => {
      this.#lose = () => resolve(faultOutcome(stage, this.signal.reason));
      if (this.signal.aborted) return this.#lose();
      if (!this.#listens) this.signal.addEventListener("abort", this.#onAbort, { once: true });
      this.#listens = true;
      work.then(
        (value) => resolve(readVerdict<object>(stage, value)),
        (fault: unknown) => resolve(faultOutcome(stage, fault)),
      );
    });
  }

  end(): void {
    if (this.#listens) this.signal.removeEventListener("abort", this.#onAbort);
  }

  readonly #onAbort = (): void => this.#lose?.();
}

function faultOutcome(stage: string, fault: unknown): Outcome<never> {
  try {
    return { kind: "denial", denial: faultToDenial(stage, fault) };
  } catch {
    // What was thrown cannot even be read.
    return { kind: "denial", denial: { code: "STAGE_FAULT", detail: `${stage}: unreadable fault` } };
  }
}

/** Settles with `work`, or rejects with the signal's reason: a stage that ignores its signal cannot hang the exchange. */
export function settleBefore<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
    work.then(
      (value) => {
        signal.removeEventListener("abort", onAbort);
        resolve(value);
      },
      (fault: unknown) => {
        signal.removeEventListener("abort", onAbort);
        reject(fault as Error);
      },
    );
  });
}

/** The denial a thrown value stands for. Anything that is not an AegisError is a fault of the stage itself. */
export function faultToDenial(stage: string, fault: unknown): Denial {
  if (isAegisError(fault)) {
    const { code, detail, data, reason } = fault;
    return {
      ...{ code, detail: `${stage}: ${detail}` },
      ...(reason === undefined ? {} : { reason }),
      ...(data === undefined ? {} : { data }),
    };
  }
  const text = fault instanceof Error ? `${fault.name}: ${fault.message}` : String(fault);
  return { code: "STAGE_FAULT", detail: `${stage}: ${text}` };
}
