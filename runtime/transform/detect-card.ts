// Payment card numbers: 13 to 19 digits of a known issuer range and length whose Luhn sum is right, written without
// separators or in the groups that cards are printed in.
import type { Found } from "./detect-text.ts";

const MIN_DIGITS = 13;
const MAX_DIGITS = 19;
/** Groups after which a run is read afresh: what is longer is a table of numbers. */
const MAX_WINDOW_GROUPS = 19;

interface Range {
  readonly from: number;
  readonly to: number;
  /** How many leading digits `from` and `to` have. */
  readonly digits: number;
  readonly lengths: readonly number[];
}

const LONG = [16, 17, 18, 19];

function range(from: number, to: number, lengths: readonly number[]): Range {
  return { from, to, digits: String(from).length, lengths };
}

/** Issuer identification numbers (ISO/IEC 7812) by network. */
const RANGES: readonly Range[] = [
  range(4, 4, [13, 16, 19]),
  range(51, 55, [16]),
  range(2221, 2720, [16]),
  range(34, 34, [15]),
  range(37, 37, [15]),
  range(6011, 6011, LONG),
  range(644, 649, LONG),
  range(65, 65, LONG),
  range(300, 305, [14, 16]),
  range(3095, 3095, [14, 16]),
  range(36, 36, [14, 16]),
  range(38, 39, [14, 16]),
  range(3528, 3589, [16]),
  range(62, 62, LONG),
  range(81, 81, LONG),
  range(2200, 2204, [16]),
  range(5018, 5018, [13, ...LONG]),
  range(5020, 5020, [13, ...LONG]),
  range(5038, 5038, [13, ...LONG]),
  range(5060, 5061, [16, 18, 19]),
  range(508, 508, [16]),
  range(60, 60, [16]),
  range(5893, 5893, [13, ...LONG]),
  range(6304, 6304, [13, ...LONG]),
  range(6759, 6763, [13, ...LONG]),
  range(9792, 9792, [16]),
];

/** How grouped digits are printed; `1` alone stands for digits spaced out one by one. */
const GROUPINGS: ReadonlySet<string> = new Set([
  "4-4-4-4",
  "4-4-4-4-3",
  "4-4-4-4-2",
  "4-4-4-4-1",
  "4-6-5",
  "4-6-4",
  "4-4-4-1",
  "4-3-3-3",
  "4-4-4-3",
  "4-4-5",
  "8-8",
  "6-10",
  "6-13",
]);

function isKnown(digits: string): boolean {
  return RANGES.some(({ from, to, digits: count, lengths }) => {
    if (!lengths.includes(digits.length)) return false;
    const head = Number(digits.slice(0, count));
    return head >= from && head <= to;
  });
}

/** ISO/IEC 7812-1, annex B. */
function isLuhn(digits: string): boolean {
  let sum = 0;
  for (let index = 0; index < digits.length; index += 1) {
    const digit = digits.charCodeAt(digits.length - 1 - index) - 48;
    const doubled = digit * 2;
    sum += index % 2 === 0 ? digit : doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}

function isCard(digits: string): boolean {
  return !/^(\d)\1+$/.test(digits) && isKnown(digits) && isLuhn(digits);
}

interface Group extends Found {
  readonly digits: string;
}

/** Digits with single separators between them, at most two where they are spaces. */
const RUN = /\d+(?:(?: {1,2}|[-._/\u00b7])\d+)*/g;
/** Separators that cards are written with. */
const SEPARATORS = /^(?: {1,2}|[-._\u00b7])$/;

function groupsOf(run: string, offset: number): readonly Group[] {
  return [...run.matchAll(/\d+/g)].map((match) => ({
    start: offset + match.index,
    end: offset + match.index + match[0].length,
    digits: match[0],
  }));
}

function isGrouping(groups: readonly Group[], isWholeRun: boolean): boolean {
  const lengths = groups.map(({ digits }) => digits.length);
  if (GROUPINGS.has(lengths.join("-"))) return true;
  return isWholeRun && lengths.every((length) => length === 1);
}

/** The longest card that begins with group `first`; undefined where none does. */
function cardFrom(text: string, groups: readonly Group[], first: number): { last: number } | undefined {
  let digits = "";
  let separator: string | undefined;
  let best: number | undefined;
  for (let last = first; last < groups.length && last - first < MAX_WINDOW_GROUPS; last += 1) {
    const group = groups[last] as Group;
    if (last > first) {
      const between = text.slice(groups[last - 1]?.end, group.start);
      separator ??= between;
      if (between !== separator || !SEPARATORS.test(between)) break;
    }
    digits += group.digits;
    if (digits.length > MAX_DIGITS) break;
    if (digits.length < MIN_DIGITS || !isCard(digits)) continue;
    const window = groups.slice(first, last + 1);
    if (window.length === 1 || isGrouping(window, window.length === groups.length)) best = last;
  }
  return best === undefined ? undefined : { last: best };
}

/** True where the digits at `start` are part of a word, a decimal fraction or a telephone number. */
function isPartOf(text: string, start: number, end: number): boolean {
  const before = text.slice(Math.max(0, start - 2), start);
  return (
    /[A-Za-z\u00c0-\uffff+]$/.test(before) || /\d[.,]$/.test(before) || /^[A-Za-z]/.test(text.charAt(end))
  );
}

/** Card numbers in the order of their places. Linear: a window has at most 19 digits. */
export function findCards(text: string): readonly Found[] {
  const found: Found[] = [];
  if (text.length < MIN_DIGITS) return found;
  for (const match of text.matchAll(RUN)) {
    const run = match[0];
    if (run.length < MIN_DIGITS) continue;
    const groups = groupsOf(run, match.index);
    for (let first = 0; first < groups.length; first += 1) {
      const card = cardFrom(text, groups, first);
      if (card === undefined) continue;
      const start = (groups[first] as Group).start;
      const end = (groups[card.last] as Group).end;
      if (isPartOf(text, start, end)) continue;
      found.push({ start, end });
      first = card.last;
    }
  }
  return found;
}
