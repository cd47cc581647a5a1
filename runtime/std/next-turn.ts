// A turn of the event loop for other work, between the slices of long work.
import { setImmediate as immediate } from "node:timers/promises";

let collectYoung: () => void = () => undefined;

/**
 * Sets what collects the young generation after each slice. Long work that keeps what it makes, as activating a bundle
 * does, fills the young generation with live objects: moved all at once they stop every call for longer than a slice
 * lasts, moved slice by slice they do not.
 */
export function collectAfterSlices(collect: () => void): void {
  collectYoung = collect;
}

/** Ends a slice: whatever waits runs before the next one. */
export async function nextTurn(): Promise<void> {
  collectYoung();
  await immediate();
}
