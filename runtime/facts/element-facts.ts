// Facts about all elements of an array at once, for rules that every element must satisfy: Cedar has no quantifier.
import type { EveryDerivation, RangeDerivation, SqlNamesDerivation } from "#bundle";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { readEmail } from "./email-facts.ts";
import { MAX_MATCH_INPUT } from "./matcher.ts";
import type { Matcher } from "./matcher.ts";
import { readPath } from "./path-facts.ts";
import type { SqlFacts } from "./sql-walk.ts";
import { codePoints } from "./text-facts.ts";
import { readUrl } from "./url-facts.ts";

type Part = EveryDerivation["part"];

// What the pattern is searched in; undefined = the element fails whatever the pattern is.
const PARTS: Readonly<Record<Part, (text: string) => string | undefined>> = {
  text: (text) => text,
  "url.scheme": (text) => urlPart(text, "scheme"),
  "url.host": (text) => urlPart(text, "host"),
  "path.normalized": (text) => {
    const { ok, normalized } = readPath(text);
    return ok ? normalized : undefined;
  },
  "email.domain": (text) => {
    const { ok, domain } = readEmail(text);
    return ok ? domain : undefined;
  },
};

function urlPart(text: string, part: "host" | "scheme"): string | undefined {
  const facts = readUrl(text);
  return facts.ok ? facts[part] : undefined;
}

/** The elements of `array`, or what stands at `element` within each; an absent member has no value to judge. */
function elementsOf(array: JsonValue | undefined, element: readonly string[]): readonly JsonValue[] {
  if (!Array.isArray(array)) return [];
  return (array as readonly JsonValue[]).flatMap((item) => {
    let current: JsonValue | undefined = item;
    for (const name of element) {
      current = isJsonObject(current) && Object.hasOwn(current, name) ? current[name] : undefined;
    }
    return current === undefined ? [] : [current];
  });
}

/** True where every element passes; undefined where they are too long, all together, to be judged. */
export function everyFact(
  { part, element }: EveryDerivation,
  array: JsonValue | undefined,
  matcher: Matcher,
): boolean | undefined {
  const elements = elementsOf(array, element);
  const units = elements.reduce<number>((sum, item) => sum + (typeof item === "string" ? item.length : 0), 0);
  if (units > MAX_MATCH_INPUT) return undefined;
  return elements.every((item) => {
    const text = typeof item === "string" ? PARTS[part](item) : undefined;
    return text !== undefined && matcher(text);
  });
}

/**
 * The least and the greatest value (or length in code points). Of nothing they are the ends of the range, the wrong way
 * round, so that every bound holds. `ok`: all could be measured.
 */
export function rangeFact({ of, element }: RangeDerivation, array: JsonValue | undefined): JsonObject {
  let min = Number.MAX_SAFE_INTEGER;
  let max = Number.MIN_SAFE_INTEGER;
  let ok = true;
  for (const item of elementsOf(array, element)) {
    const value = of === "length" && typeof item === "string" ? codePoints(item) : item;
    if (typeof value !== "number" || !Number.isSafeInteger(value)) {
      ok = false;
      continue;
    }
    min = Math.min(min, value);
    max = Math.max(max, value);
  }
  return { ok, min, max };
}

/** True where the SQL could be judged and every name it uses matches one of the patterns. */
export function sqlNamesFact({ member, patterns }: SqlNamesDerivation, facts: SqlFacts): boolean {
  return facts.ok && facts[member].every((name) => patterns.some((pattern) => matchesSqlName(pattern, name)));
}

const NAME_PART = /"(?:[^"]|"")*"|[^."]+/g;

/** Part by part: a pattern without a schema matches only a name without one, which the search path resolves. */
function matchesSqlName(pattern: string, name: string): boolean {
  const wanted = pattern.match(NAME_PART) ?? [];
  const parts = name.match(NAME_PART) ?? [];
  return (
    wanted.length === parts.length && wanted.every((part, index) => matchesGlob(part, parts[index] ?? ""))
  );
}

/** `*` stands for any characters, also none. Greedy with one backtrack point, hence quadratic at worst. */
function matchesGlob(pattern: string, text: string): boolean {
  let at = 0;
  let place = 0;
  let star = -1;
  let retry = 0;
  while (at < text.length) {
    if (pattern[place] === "*") {
      star = place++;
      retry = at;
    } else if (pattern[place] === text[at]) {
      at++;
      place++;
    } else if (star >= 0) {
      place = star + 1;
      at = ++retry;
    } else return false;
  }
  return /^\**$/.test(pattern.slice(place));
}
