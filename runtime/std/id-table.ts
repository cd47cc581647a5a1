// What is under way, by number. A `Map` that is filled and emptied at this rate makes a new table every few dozen entries, and
// each of V8's old tables keeps what it held and the table after it alive until the next full collection.

const FIRST_CAPACITY = 16;

/**
 * Values by positive integer ids, each used once. Open addressing without tombstones: nothing is allocated but where it
 * grows, and what was taken out is not held. It grows with what it holds at once; its owner caps that.
 */
export class IdTable<V> {
  /** 0 where a slot is free. */
  #ids = new Float64Array(FIRST_CAPACITY);
  #values: (V | undefined)[] = emptySlots(FIRST_CAPACITY);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  has(id: number): boolean {
    return id > 0 && this.#ids[this.#slotOf(id)] === id;
  }

  get(id: number): V | undefined {
    return this.#values[this.#slotOf(id)];
  }

  /** Adds a value, or replaces the one the id has. @throws {RangeError} where the id is not a positive safe integer */
  set(id: number, value: V): void {
    if (!Number.isSafeInteger(id) || id <= 0) throw new RangeError("an id is a positive integer");
    let slot = this.#slotOf(id);
    if (this.#ids[slot] !== id) {
      if ((this.#size + 1) * 2 > this.#ids.length) {
        this.#grow();
        slot = this.#slotOf(id);
      }
      this.#ids[slot] = id;
      this.#size += 1;
    }
    this.#values[slot] = value;
  }

  /** Takes a value out; undefined where the id has none. */
  take(id: number): V | undefined {
    const ids = this.#ids;
    const values = this.#values;
    const mask = ids.length - 1;
    let hole = this.#slotOf(id);
    if (id === 0 || ids[hole] !== id) return undefined;
    const taken = values[hole];
    // Whatever was pushed on by a full slot moves back, so that a search may end at the first free one.
    for (let at = (hole + 1) & mask; ids[at] !== 0; at = (at + 1) & mask) {
      const moved = ids[at] ?? 0;
      if (((at - moved) & mask) < ((at - hole) & mask)) continue;
      ids[hole] = moved;
      values[hole] = values[at];
      hole = at;
    }
    ids[hole] = 0;
    values[hole] = undefined;
    this.#size -= 1;
    return taken;
  }

  clear(): void {
    this.#ids = new Float64Array(FIRST_CAPACITY);
    this.#values = emptySlots(FIRST_CAPACITY);
    this.#size = 0;
  }

  /** All ids, ascending: in the order of adding where they are given out so. A list of its own. */
  ids(): readonly number[] {
    return Array.from(this.#ids.filter((id) => id !== 0).sort());
  }

  /** The slot of an id, or the free one where it would be. */
  #slotOf(id: number): number {
    const ids = this.#ids;
    const mask = ids.length - 1;
    let slot = id & mask;
    while (ids[slot] !== 0 && ids[slot] !== id) slot = (slot + 1) & mask;
    return slot;
  }

  #grow(): void {
    const ids = this.#ids;
    const values = this.#values;
    this.#ids = new Float64Array(ids.length * 2);
    this.#values = emptySlots(ids.length * 2);
    for (const [slot, id] of ids.entries()) {
      if (id === 0) continue;
      const next = this.#slotOf(id);
      this.#ids[next] = id;
      this.#values[next] = values[slot];
    }
  }
}

function emptySlots<V>(length: number): (V | undefined)[] {
  return Array.from({ length }, () => undefined);
}
