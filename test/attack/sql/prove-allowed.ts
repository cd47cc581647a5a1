// Runs a statement that passes in every way a server may send it.
import type { Judged, Postgres } from "./postgres.ts";
import type { Mode } from "./postgres-worker.ts";

const MODES: readonly Mode[] = ["simple", "extended", "transaction"];

export interface Proof {
  /** Empty where the statement changed nothing. */
  readonly effects: readonly string[];
  readonly outcomes: readonly Judged["outcome"][];
}

export async function effectsOfAllowed(
  postgres: Postgres,
  sql: string,
  modes: readonly Mode[] = MODES,
): Promise<Proof> {
  const effects = new Set<string>();
  const outcomes: Judged["outcome"][] = [];
  for (const mode of modes) {
    const result = await postgres.run(sql, mode);
    outcomes.push(result.outcome);
    for (const effect of result.effects) effects.add(`${mode} ${effect}`);
  }
  return { effects: [...effects], outcomes };
}
