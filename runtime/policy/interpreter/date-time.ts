// Cedar's datetime and duration: 64-bit milliseconds. https://docs.cedarpolicy.com/policies/syntax-datatypes.html#datatype-datetime
import {
  EvaluationError,
  add,
  divideTruncating,
  integerOf,
  remainderEuclidean,
  subtract,
  toLong,
} from "./long.ts";
import type { Long } from "./long.ts";

/** Milliseconds since 1970-01-01T00:00:00Z, without leap seconds. */
export class DateTimeValue {
  readonly ms: Long;
  constructor(ms: Long) {
    this.ms = ms;
  }
  get key(): string {
    return `@${String(this.ms)}`;
  }
}

export class DurationValue {
  readonly ms: Long;
  constructor(ms: Long) {
    this.ms = ms;
  }
  get key(): string {
    return `~${String(this.ms)}`;
  }
}

const MS_PER_SECOND = 1_000;
const MS_PER_MINUTE = 60 * MS_PER_SECOND;
const MS_PER_HOUR = 60 * MS_PER_MINUTE;
const MS_PER_DAY = 24 * MS_PER_HOUR;

/** The Gregorian calendar repeats after this many years; `Date.UTC` reads a year below 100 as one of the 20th century. */
const CYCLE_YEARS = 400;
const CYCLE_MS = 146_097 * MS_PER_DAY;

const DATE_LENGTH = 10;
const TIME_END = 19;
const ZERO = 48;

/** `YYYY-MM-DD`, or with `Thh:mm:ss`, optional `.SSS`, and `Z` or `±hhmm`. @throws {EvaluationError} for other text */
export function parseDateTime(text: string): DateTimeValue {
  const ms = text.length === DATE_LENGTH ? dateMs(text) : dateMs(text) + timeMs(text);
  if (Number.isNaN(ms)) throw new EvaluationError("not a datetime");
  return new DateTimeValue(ms);
}

/** Midnight of the date that the text begins with; NaN where it is none. */
function dateMs(text: string): number {
  const [year, month, day] = [digits(text, 0, 4), digits(text, 5, 2), digits(text, 8, 2)];
  const isDate = text[4] === "-" && text[7] === "-" && month >= 1 && month <= 12;
  if (!isDate || !(day >= 1 && day <= daysIn(year, month))) return Number.NaN;
  return Date.UTC(year + CYCLE_YEARS, month - 1, day) - CYCLE_MS;
}

/** The time of day in UTC behind the date, possibly of the day before or after; NaN where there is none. */
function timeMs(text: string): number {
  const [hours, minutes, seconds] = [digits(text, 11, 2), digits(text, 14, 2), digits(text, 17, 2)];
  const isTime = text[10] === "T" && text[13] === ":" && text[16] === ":";
  if (!isTime || !(hours < 24 && minutes < 60 && seconds < 60)) return Number.NaN;
  const hasFraction = text[TIME_END] === ".";
  const fraction = hasFraction ? digits(text, TIME_END + 1, 3) : 0;
  const local = hours * MS_PER_HOUR + minutes * MS_PER_MINUTE + seconds * MS_PER_SECOND + fraction;
  return local - offsetMs(text, hasFraction ? TIME_END + 4 : TIME_END);
}

function offsetMs(text: string, from: number): number {
  const sign = text[from];
  if (sign === "Z") return text.length === from + 1 ? 0 : Number.NaN;
  const [hours, minutes] = [digits(text, from + 1, 2), digits(text, from + 3, 2)];
  const isOffset = (sign === "+" || sign === "-") && text.length === from + 5;
  if (!isOffset || !(hours < 24 && minutes < 60)) return Number.NaN;
  const ms = hours * MS_PER_HOUR + minutes * MS_PER_MINUTE;
  return sign === "-" ? -ms : ms;
}

/** The number that the ASCII digits at a place write; NaN where one of them is none. */
function digits(text: string, from: number, count: number): number {
  let value = 0;
  for (let index = from; index < from + count; index += 1) {
    const digit = text.charCodeAt(index) - ZERO;
    if (!(digit >= 0 && digit <= 9)) return Number.NaN;
    value = value * 10 + digit;
  }
  return value;
}

function daysIn(year: number, month: number): number {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

const SAFE_DIGITS = 15;
const DURATION = /^(-?)(?:([0-9]+)d)?(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)s)?(?:([0-9]+)ms)?$/u;
/** Milliseconds of the units in the order of `DURATION`. */
const DURATION_UNITS = [MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE, MS_PER_SECOND, 1] as const;

/** Quantities with the units d, h, m, s, ms in this order. @throws {EvaluationError} for other text, and on overflow */
export function parseDuration(text: string): DurationValue {
  // What the gateway writes: digits that a number holds exactly, in milliseconds.
  if (text.length <= SAFE_DIGITS + 2 && text.endsWith("ms")) {
    const ms = text.length === 2 ? Number.NaN : digits(text, 0, text.length - 2);
    if (!Number.isNaN(ms)) return new DurationValue(ms);
  }
  const match = text === "" || text === "-" ? null : DURATION.exec(text);
  if (match === null) throw new EvaluationError("not a duration");
  const isNegative = match[1] === "-";
  const quantities = DURATION_UNITS.map((unitMs, index) => [match[index + 2] ?? "0", unitMs] as const);
  const total = quantities.reduce((sum, [digits, unitMs]) => sum + Number(digits) * unitMs, 0);
  // As with Long: a safe total is exact.
  if (Number.isSafeInteger(total)) return new DurationValue(isNegative ? 0 - total : total);
  const exact = quantities.reduce((sum, [digits, unitMs]) => sum + integerOf(digits) * BigInt(unitMs), 0n);
  return new DurationValue(toLong(isNegative ? -exact : exact));
}

/** @throws {EvaluationError} on overflow */
export function offset(at: DateTimeValue, by: DurationValue): DateTimeValue {
  return new DateTimeValue(add(at.ms, by.ms));
}

/** @throws {EvaluationError} on overflow */
export function durationSince(at: DateTimeValue, since: DateTimeValue): DurationValue {
  return new DurationValue(subtract(at.ms, since.ms));
}

/** The start of the day, before 1970 too. @throws {EvaluationError} on overflow */
export function toDate(at: DateTimeValue): DateTimeValue {
  return new DateTimeValue(subtract(at.ms, remainderEuclidean(at.ms, MS_PER_DAY)));
}

/** The time since the start of the day. */
export function toTime(at: DateTimeValue): DurationValue {
  return new DurationValue(remainderEuclidean(at.ms, MS_PER_DAY));
}

/** Whole units in a duration, rounded toward zero. */
export const WHOLE_UNITS = Object.freeze({
  toMilliseconds: ({ ms }: DurationValue): Long => ms,
  toSeconds: ({ ms }: DurationValue): Long => divideTruncating(ms, MS_PER_SECOND),
  toMinutes: ({ ms }: DurationValue): Long => divideTruncating(ms, MS_PER_MINUTE),
  toHours: ({ ms }: DurationValue): Long => divideTruncating(ms, MS_PER_HOUR),
  toDays: ({ ms }: DurationValue): Long => divideTruncating(ms, MS_PER_DAY),
});
