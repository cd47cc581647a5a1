// Payment card numbers: 13 to 19 digits of a known issuer range and length whose Luhn sum is right, written without
// separators or in the groups that cards are printed in.
import type { Found } from "./detect-text.ts";

const MIN_DIGITS = 13;
const MAX_DIGITS = 19;

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

/** For each four leading digits the lengths of cards that begin so, as bits. */
const LENGTHS_OF_HEAD: Uint32Array = (() => {
  const table = new Uint32Array(10_000);
  for (const { from, to, digits, lengths } of RANGES) {
    const scale = 10 ** (4 - digits);
    const bits = lengths.reduce((all, length) => all | (1 << length), 0);
    for (let head = from * scale; head < (to + 1) * scale; head += 1) table[head] = (table[head] ?? 0) | bits;
  }
  return table;
})();

function isKnown(digits: string): boolean {
  return (((LENGTHS_OF_HEAD[Number(digits.slice(0, 4))] ?? 0) >> digits.length) & 1) === 1;
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
  return isKnown(digits) && isLuhn(digits) && !/^(\d)\1+$/.test(digits);
}

function isDigit(unit: number): boolean {
  return unit >= 0x30 && unit <= 0x39;
}

/** The end of the separator at `index`: one sign, or up to two spaces; `index` where none stands there. */
function separatorEnd(text: string, index: number): number {
  const unit = text.charCodeAt(index);
  if (unit === 0x20) return text.charCodeAt(index + 1) === 0x20 ? index + 2 : index + 1;
  // - . _ and the middle dot
  return unit === 0x2d || unit === 0x2e || unit === 0x5f || unit === 0xb7 ? index + 1 : index;
}

/** Lengths that the first of several groups has. */
const FIRST_LENGTHS: ReadonlySet<number> = new Set([1, 4, 6, 8]);

function digitsEnd(text: string, start: number): number {
  let end = start;
  while (isDigit(text.charCodeAt(end)) && end - start <= MAX_DIGITS) end += 1;
  return end;
}

/** Digits spaced out one by one are read from their beginning only, else their number would be paid for twice. */
function isSpacedOut(text: string, start: number): boolean {
  const isInside = isDigit(text.charCodeAt(start - 2)) && separatorEnd(text, start - 1) === start;
  return !isInside;
}

function digitsOf(text: string, start: number, end: number): string {
  let digits = "";
  for (let index = start; index < end; index += 1) {
    if (isDigit(text.charCodeAt(index))) digits += text.charAt(index);
  }
  return digits;
}

/** Where the longest card that begins at `start` ends; undefined where none does. */
function cardEnd(text: string, start: number): number | undefined {
  let end = digitsEnd(text, start);
  let shape = String(end - start);
  let count = end - start;
  let separator: string | undefined;
  let found: number | undefined;
  const isSingles = count === 1;
  if (count < MIN_DIGITS && !FIRST_LENGTHS.has(count)) return undefined;
  if (isSingles && !isSpacedOut(text, start)) return undefined;
  for (;;) {
    if (count > MAX_DIGITS) return found;
    const next = separatorEnd(text, end);
    const goesOn = next !== end && isDigit(text.charCodeAt(next));
    const isPrinted = shape === String(count) || GROUPINGS.has(shape) || (isSingles && !goesOn);
    if (count >= MIN_DIGITS && isPrinted && isCard(digitsOf(text, start, end))) found = end;
    if (!goesOn) return found;
    const between = text.slice(end, next);
    separator ??= between;
    if (between !== separator) return found;
    end = digitsEnd(text, next);
    const length = end - next;
    if (isSingles && length !== 1) return found;
    count += length;
    shape += `-${length}`;
  }
}

function isLetter(unit: number): boolean {
  return (unit >= 0x61 && unit <= 0x7a) || (unit >= 0x41 && unit <= 0x5a);
}

/** True where the digits at `start` are part of a word, a decimal fraction or a telephone number. */
function isPartOf(text: string, start: number): boolean {
  const before = text.charCodeAt(start - 1);
  if (isLetter(before) || before >= 0xc0 || before === 0x2b) return true;
  return (before === 0x2e || before === 0x2c) && isDigit(text.charCodeAt(start - 2));
}

/** The leading digit of an issuer number: 0, 1 and 7 begin none. */
function isFirst(unit: number): boolean {
  return unit >= 0x32 && unit <= 0x39 && unit !== 0x37;
}

/** Card numbers in the order of their places. Linear: a window has at most 19 digits. */
export function findCards(text: string): readonly Found[] {
  const found: Found[] = [];
  let index = 0;
  while (index < text.length) {
    if (!isDigit(text.charCodeAt(index))) {
      index += 1;
      continue;
    }
    let end: number | undefined;
    if (isFirst(text.charCodeAt(index)) && !isPartOf(text, index)) end = cardEnd(text, index);
    if (end !== undefined && !isLetter(text.charCodeAt(end))) {
      found.push({ start: index, end });
      index = end;
    } else while (isDigit(text.charCodeAt(index))) index += 1;
  }
  return found;
}
