// Finds e-mail addresses, payment cards and key material in text, in plain sight or in the spellings that decode.ts
// undoes, and replaces them.
import { findCards } from "./detect-card.ts";
import { findEmails } from "./detect-email.ts";
import { findKeys } from "./detect-key.ts";
import { decodeSpellings } from "./decode-spellings.ts";
import { DETECTOR_BITS } from "./path-trie.ts";
import type { Work } from "./work.ts";

export { isLabelledKey } from "./detect-key.ts";

/** A found value: UTF-16 units, `end` exclusive. */
export interface Found {
  readonly start: number;
  readonly end: number;
}

interface Marked extends Found {
  readonly marker: string;
}

/** What searching one unit costs, in characters compared. */
const CHARACTERS_PER_UNIT = 4;
const MARKERS = { email: "[redacted email]", card: "[redacted card]", key: "[redacted key]" } as const;

function findAll(text: string, detectors: number): readonly Marked[] {
  const found: Marked[] = [];
  const add = (marker: string, all: readonly Found[]): void => {
    for (const { start, end } of all) found.push({ start, end, marker });
  };
  if ((detectors & DETECTOR_BITS.key) !== 0) add(MARKERS.key, findKeys(text));
  if ((detectors & DETECTOR_BITS.email) !== 0) add(MARKERS.email, findEmails(text));
  if ((detectors & DETECTOR_BITS.card) !== 0) add(MARKERS.card, findCards(text));
  return found.length < 2 ? found : merged(found);
}

/** Overlapping finds become one, named after the first. */
function merged(found: readonly Marked[]): readonly Marked[] {
  const result: Marked[] = [];
  for (const item of [...found].sort((a, b) => a.start - b.start || b.end - a.end)) {
    const last = result.at(-1);
    if (last === undefined || item.start >= last.end) result.push(item);
    else if (item.end > last.end) result[result.length - 1] = { ...last, end: item.end };
  }
  return result;
}

/** The text with everything that the detectors (bits) find replaced; `onFound` learns what it was, decoded. */
export function replaceSensitive(
  text: string,
  detectors: number,
  work: Work,
  onFound?: (secret: string) => void,
): string {
  if (detectors === 0 || text.length < 6) return text;
  work.read(text.length * CHARACTERS_PER_UNIT);
  const { text: decoded, origins } = decodeSpellings(text);
  const found = findAll(decoded, detectors);
  if (found.length === 0) return text;
  let result = "";
  let copied = 0;
  for (const { start, end, marker } of found) {
    const from = origins === undefined ? start : (origins[start] ?? 0);
    const to = origins === undefined ? end : (origins[end] ?? text.length);
    result += text.slice(copied, from) + marker;
    copied = to;
    onFound?.(decoded.slice(start, end));
  }
  return result + text.slice(copied);
}
