// Assertions for invariants. A failed assertion is a bug in Aegis, never a fault of a peer.

export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`invariant violated: ${message}`);
}
