// Two texts as one, words that went as `[-old-]` and words that came as `{+new+}`, hidden characters by number.
import { showCodePoints } from "../scan/scan-text.ts";

/** Beyond this the table of the comparison would grow past a few million cells. */
const MAX_WORDS = 2_000;
/** Unchanged words kept on each side of a change. */
const CONTEXT_WORDS = 4;
const MAX_SHOWN_CHARS = 1_200;

type Part = readonly [kind: "same" | "gone" | "new", word: string];

/** Lengths of the longest common subsequences of all tails. */
function commonLengths(a: readonly string[], b: readonly string[]): Uint16Array[] {
  const rows = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      const row = rows[i];
      const below = rows[i + 1];
      if (row === undefined || below === undefined) continue;
      row[j] = a[i] === b[j] ? (below[j + 1] ?? 0) + 1 : Math.max(below[j] ?? 0, row[j + 1] ?? 0);
    }
  }
  return rows;
}

function parts(a: readonly string[], b: readonly string[]): Part[] {
  const rows = commonLengths(a, b);
  const found: Part[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      found.push(["same", a[i] ?? ""]);
      i++;
      j++;
    } else if (j >= b.length || (i < a.length && (rows[i + 1]?.[j] ?? 0) >= (rows[i]?.[j + 1] ?? 0))) {
      found.push(["gone", a[i] ?? ""]);
      i++;
    } else {
      found.push(["new", b[j] ?? ""]);
      j++;
    }
  }
  return found;
}

function wordsOf(text: string): string[] {
  return showCodePoints(text)
    .toWellFormed()
    .replace(/\n/g, " ⏎ ")
    .split(/[ \t\r]+/u)
    .filter((word) => word !== "");
}

/** One line. Unchanged words far from a change are `…`; a very long comparison is cut. */
export function wordDiff(before: string, after: string): string {
  const [a, b] = [wordsOf(before), wordsOf(after)];
  if (a.length > MAX_WORDS || b.length > MAX_WORDS)
    return `[-${String(a.length)} words-] {+${String(b.length)} words+}`;
  const all = parts(a, b);
  const near = all.map((_, index) =>
    all
      .slice(Math.max(0, index - CONTEXT_WORDS), index + CONTEXT_WORDS + 1)
      .some(([kind]) => kind !== "same"),
  );
  const shown: string[] = [];
  for (let index = 0; index < all.length;) {
    const kind = all[index]?.[0] ?? "same";
    const run: string[] = [];
    const isNear = near[index];
    while (index < all.length && all[index]?.[0] === kind && near[index] === isNear) {
      run.push(all[index]?.[1] ?? "");
      index++;
    }
    const words = run.join(" ");
    if (kind === "gone") shown.push(`[-${words}-]`);
    else if (kind === "new") shown.push(`{+${words}+}`);
    else shown.push(isNear === true ? words : "…");
  }
  const line = shown.join(" ");
  return line.length > MAX_SHOWN_CHARS ? `${line.slice(0, MAX_SHOWN_CHARS).toWellFormed()} … (cut)` : line;
}
