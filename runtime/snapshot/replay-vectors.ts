// Golden decision vectors: a candidate snapshot must decide as the compiler's evaluator did, or it is not activated.
import type { BundleContent, DecisionVector } from "#bundle";
import { TrustError } from "#errors";
import { Turn } from "#std";
import type { Evaluator } from "#pdp";

/** Longest the event loop is held before other work gets a turn. */
const TURN_MS = 5;

/** @throws {TrustError} BUNDLE_VECTOR_FAILED naming the first vector that is not reproduced */
export async function replayVectors(
  evaluator: Evaluator,
  content: Pick<BundleContent, "vectors">,
  signal: AbortSignal,
): Promise<void> {
  const turn = new Turn(TURN_MS, signal);
  for (const vector of content.vectors.vectors) {
    const actual = await decideVector(evaluator, vector, signal);
    const expected = describe(vector.expect.effect, vector.expect.reasons);
    if (actual !== expected) {
      throw new TrustError("BUNDLE_VECTOR_FAILED", `${vector.name}: expected ${expected}, decided ${actual}`);
    }
    await turn.pause();
  }
}

async function decideVector(
  evaluator: Evaluator,
  vector: DecisionVector,
  signal: AbortSignal,
): Promise<string> {
  const { tenant } = vector.principal;
  const prepared = await evaluator.prepare({ ...vector, tenant, signal });
  if (!prepared.ok) return describe("deny", []);
  const decision = evaluator.decide(prepared.query);
  return describe(decision.effect, decision.reasons);
}

function describe(effect: string, reasons: readonly string[]): string {
  return `${effect} by [${[...reasons].sort().join(", ")}]`;
}
