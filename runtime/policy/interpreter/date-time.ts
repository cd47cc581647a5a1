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

const DATE_TIME =
  /^([0-9]{4})-([0-9]{2})-([0-9]{2})(?:T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{3}))?(?:Z|([+-])([0-9]{2})([0-9]{2})))?$/u;

/** `YYYY-MM-DD`, or with `Thh:mm:ss`, optional `.SSS`, and `Z` or `±hhmm`. @throws {EvaluationError} for other text */
export function parseDateTime(text: string): DateTimeValue {
  const match = DATE_TIME.exec(text);
  if (match === null) throw new EvaluationError("not a datetime");
  const field = (index: number): number => Number(match[index] ?? 0);
  const [year, month, day] = [field(1), field(2), field(3)];
  const [hours, minutes, seconds] = [field(4), field(5), field(6)];
  const [offsetHours, offsetMinutes] = [field(9), field(10)];
  const isTime = hours < 24 && minutes < 60 && seconds < 60 && offsetHours < 24 && offsetMinutes < 60;
  if (!isTime || month < 1 || month > 12 || day < 1 || day > daysIn(year, month))
    throw new EvaluationError("not a datetime");
  const local = Date.UTC(year + CYCLE_YEARS, month - 1, day, hours, minutes, seconds, field(7)) - CYCLE_MS;
  const offsetMs = offsetHours * MS_PER_HOUR + offsetMinutes * MS_PER_MINUTE;
  return new DateTimeValue(match[8] === "-" ? local + offsetMs : local - offsetMs);
}

function daysIn(year: number, month: number): number {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

const DURATION = /^(-?)(?:([0-9]+)d)?(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)s)?(?:([0-9]+)ms)?$/u;
/** Milliseconds of the units in the order of `DURATION`. */
const DURATION_UNITS = [MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE, MS_PER_SECOND, 1] as const;

/** Quantities with the units d, h, m, s, ms in this order. @throws {EvaluationError} for other text, and on overflow */
export function parseDuration(text: string): DurationValue {
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
