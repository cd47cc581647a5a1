// Options that several commands take, so that all of them look and fail the same.
import { InvalidArgumentError, Option } from "commander";

/** `--format <format>`: the first is the default; another word is refused with the list. */
export function formatOption(...formats: readonly [string, ...string[]]): Option {
  return new Option("--format <format>", "output format").choices(formats).default(formats[0]);
}

/** An option that may be given several times. `text` says what it is; the value is undefined where it is not given. */
export function repeatableOption(flags: string, text: string): Option {
  return new Option(flags, `${text} (repeatable)`).argParser(
    (value: string, previous: readonly string[] | undefined) => [...(previous ?? []), value],
  );
}

/** The same, and required. */
export function requiredRepeatableOption(flags: string, text: string): Option {
  return repeatableOption(flags, text).makeOptionMandatory();
}

/** A number from 0 to 100; undefined where it is not given. */
export function percentOption(flags: string, text: string): Option {
  return new Option(flags, text).argParser((value: string) => {
    const percent = /^\d{1,3}(?:\.\d+)?$/u.test(value) ? Number(value) : NaN;
    if (percent >= 0 && percent <= 100) return percent;
    throw new InvalidArgumentError("It must be a number from 0 to 100.");
  });
}
