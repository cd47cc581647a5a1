// Bounds on the work of one transformation. Exceeding one refuses the message; nothing passes half transformed.

/** Values visited. A result of 16 MB, the default cap, stays below unless it was made to exceed it. */
const MAX_NODES = 2_000_000;
/** Characters compared. */
const MAX_CHARACTERS = 128_000_000;
const MAX_DEPTH = 256;

export class TransformLimitError extends Error {}

export class Work {
  #nodes = 0;
  #characters = 0;

  visit(depth: number): void {
    this.#nodes += 1;
    if (this.#nodes > MAX_NODES) throw new TransformLimitError("the message has too many values");
    if (depth > MAX_DEPTH) throw new TransformLimitError("the message is nested too deeply");
  }

  read(characters: number): void {
    this.#characters += characters;
    if (this.#characters > MAX_CHARACTERS)
      throw new TransformLimitError("the message needs too much work to search");
  }
}
