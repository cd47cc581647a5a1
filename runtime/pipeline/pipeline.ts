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
  for (const stage of stages) {
    const startedMs = performance.now();
    const running = startStage(stage, reached, signal);
    const outcome = running instanceof Promise ? await running : running;
    onStage(stage.name, performance.now() - startedMs);
    if (outcome.kind === "denial")
      return { kind: "denial", denial: outcome.denial, stage: stage.name, reached };
    reached = outcome.exchange;
  }
  return { kind: "proceed", exchange: reached as Out };
}

function startStage(
  stage: AnyStage,
  exchange: object,
  signal: AbortSignal,
): Outcome<object> | Promise<Outcome<object>> {
  try {
    if (signal.aborted) return { kind: "denial", denial: faultToDenial(stage.name, signal.reason) };
    const returned = stage.run(exchange as never, signal);
    if (!(returned instanceof Promise)) return readVerdict<object>(stage.name, returned);
    return settleBefore(returned, signal).then(
      (value) => readVerdict<object>(stage.name, value),
      (fault: unknown) => ({ kind: "denial", denial: faultToDenial(stage.name, fault) }) as const,
    );
  } catch (fault) {
    return { kind: "denial", denial: faultToDenial(stage.name, fault) };
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
    const { code, detail, data } = fault;
    return { code, detail: `${stage}: ${detail}`, ...(data === undefined ? {} : { data }) };
  }
  const text = fault instanceof Error ? `${fault.name}: ${fault.message}` : String(fault);
  return { code: "STAGE_FAULT", detail: `${stage}: ${text}` };
}
