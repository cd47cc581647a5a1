// The difference between two texts, by words or by lines: a longest common subsequence between equal ends.

/** A piece of text that both have, only the first has, or only the second has. */
export interface DiffPiece {
  readonly kind: "equal" | "removed" | "added";
  readonly text: string;
}

/** Cells of the table of the longest common subsequence; beyond it, everything between the equal ends differs. */
const MAX_CELLS = 1_000_000;

/** Words, spaces and single marks. */
export function diffWords(before: string, after: string): readonly DiffPiece[] {
  const words = (text: string): readonly string[] =>
    text.match(/[\p{L}\p{N}_]+|\s+|[^\p{L}\p{N}_\s]/gu) ?? [];
  return diff(words(before), words(after), "");
}

/** Whole lines; the text of a piece has no final line break. */
export function diffLines(before: string, after: string): readonly DiffPiece[] {
  return diff(before.split("\n"), after.split("\n"), "\n");
}

function diff(a: readonly string[], b: readonly string[], glue: string): readonly DiffPiece[] {
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  let end = 0;
  while (
    end < a.length - start &&
    end < b.length - start &&
    a[a.length - 1 - end] === b[b.length - 1 - end]
  ) {
    end += 1;
  }
  const steps: DiffPiece[] = [
    ...equal(a.slice(0, start)),
    ...middle(a.slice(start, a.length - end), b.slice(start, b.length - end)),
    ...equal(a.slice(a.length - end)),
  ];
  return merged(steps, glue);
}

function equal(items: readonly string[]): readonly DiffPiece[] {
  return items.map((text) => ({ kind: "equal", text }));
}

function middle(a: readonly string[], b: readonly string[]): readonly DiffPiece[] {
  const width = b.length + 1;
  if ((a.length + 1) * width > MAX_CELLS) return replaced(a, b);
  const lengths = new Uint32Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      const below = lengths[(i + 1) * width + j] ?? 0;
      const right = lengths[i * width + j + 1] ?? 0;
      const diagonal = lengths[(i + 1) * width + j + 1] ?? 0;
      lengths[i * width + j] = a[i] === b[j] ? diagonal + 1 : Math.max(below, right);
    }
  }
  return walk(a, b, lengths);
}

function walk(a: readonly string[], b: readonly string[], lengths: Uint32Array): readonly DiffPiece[] {
  const width = b.length + 1;
  const pieces: DiffPiece[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    const below = lengths[(i + 1) * width + j] ?? -1;
    const right = lengths[i * width + j + 1] ?? -1;
    if (i < a.length && j < b.length && a[i] === b[j]) {
      pieces.push({ kind: "equal", text: a[i] ?? "" });
      i += 1;
      j += 1;
    } else if (i < a.length && (j === b.length || below >= right)) {
      pieces.push({ kind: "removed", text: a[i] ?? "" });
      i += 1;
    } else {
      pieces.push({ kind: "added", text: b[j] ?? "" });
      j += 1;
    }
  }
  return pieces;
}

function replaced(a: readonly string[], b: readonly string[]): readonly DiffPiece[] {
  return [
    ...a.map((text): DiffPiece => ({ kind: "removed", text })),
    ...b.map((text): DiffPiece => ({ kind: "added", text })),
  ];
}

/** Neighbours of one kind as one piece; between two equal pieces, what is removed stands before what is added. */
function merged(steps: readonly DiffPiece[], glue: string): readonly DiffPiece[] {
  const pieces: DiffPiece[] = [];
  let removed: string[] = [];
  let added: string[] = [];
  let same: string[] = [];
  const flush = (): void => {
    if (removed.length > 0) pieces.push({ kind: "removed", text: removed.join(glue) });
    if (added.length > 0) pieces.push({ kind: "added", text: added.join(glue) });
    removed = [];
    added = [];
  };
  for (const { kind, text } of steps) {
    if (kind === "equal") {
      flush();
      same.push(text);
      continue;
    }
    if (same.length > 0) pieces.push({ kind: "equal", text: same.join(glue) });
    same = [];
    (kind === "removed" ? removed : added).push(text);
  }
  flush();
  if (same.length > 0) pieces.push({ kind: "equal", text: same.join(glue) });
  return pieces;
}
