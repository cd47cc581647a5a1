// Short texts that a regular expression (RE2 syntax) matches. A sample is only offered after the engine that decides
// has confirmed it, so that a construct this reader does not know costs a sample and never gives a wrong one.
import { compilePattern } from "#schema";

const MAX_SAMPLES = 8;
const MAX_LENGTH = 400;

/** Up to eight texts that match, one for each way through the alternatives of the pattern. */
export function matchingSamples(pattern: string): readonly string[] {
  const matcher = compiled(pattern);
  if (matcher === undefined) return [];
  return [...new Set(new Sampler(pattern).samples())].filter((text) => matcher.test(text));
}

/** Texts close to a match that do not match. */
export function nearMisses(pattern: string): readonly string[] {
  const matcher = compiled(pattern);
  if (matcher === undefined) return [];
  const candidates = matchingSamples(pattern).flatMap((text) => [
    `x${text}`,
    text.slice(0, -1),
    text.slice(1),
    `${text}x`,
  ]);
  return [...new Set([...candidates, "x"])].filter((text) => !matcher.test(text)).slice(0, 2);
}

function compiled(pattern: string): { readonly test: (text: string) => boolean } | undefined {
  try {
    return compilePattern(pattern);
  } catch {
    return undefined;
  }
}

const CLASS_SAMPLES: Readonly<Record<string, string>> = {
  d: "0",
  w: "a",
  s: " ",
  D: "a",
  W: " ",
  S: "a",
  n: "\n",
  t: "\t",
  r: "\r",
  f: "\f",
  v: "\v",
};
/** Assertions: they take no text. */
const EMPTY_ESCAPES = "bBAzZ";

/** A recursive descent over alternatives, sequences, groups and quantifiers. */
class Sampler {
  readonly #text: string;
  #at = 0;

  constructor(pattern: string) {
    this.#text = pattern;
  }

  samples(): readonly string[] {
    return this.#alternatives();
  }

  #alternatives(): readonly string[] {
    const found = [...this.#sequence()];
    while (this.#text[this.#at] === "|") {
      this.#at += 1;
      found.push(...this.#sequence());
    }
    return found.slice(0, MAX_SAMPLES);
  }

  #sequence(): readonly string[] {
    let prefixes: readonly string[] = [""];
    while (this.#at < this.#text.length && this.#text[this.#at] !== "|" && this.#text[this.#at] !== ")") {
      const choices = this.#quantified(this.#atom());
      prefixes = choices
        .flatMap((choice) => prefixes.map((prefix) => (prefix + choice).slice(0, MAX_LENGTH)))
        .slice(0, MAX_SAMPLES);
    }
    return prefixes;
  }

  #quantified(atom: readonly string[]): readonly string[] {
    const quantifier = /^(?:[*+?]|\{(\d{1,3})(?:,\d*)?\})[?+]?/u.exec(this.#text.slice(this.#at));
    if (quantifier === null) return atom;
    this.#at += quantifier[0].length;
    if (quantifier[0].startsWith("*") || quantifier[0].startsWith("?")) return ["", ...atom];
    const times = quantifier[1] === undefined ? 1 : Number(quantifier[1]);
    return atom.map((choice) => choice.repeat(times).slice(0, MAX_LENGTH));
  }

  #atom(): readonly string[] {
    const character = this.#text[this.#at] ?? "";
    this.#at += 1;
    switch (character) {
      case "(":
        return this.#group();
      case "[":
        return [this.#characterClass()];
      case "\\":
        return [this.#escape()];
      case ".":
        return ["a"];
      case "^":
      case "$":
        return [""];
      default:
        return [character];
    }
  }

  #group(): readonly string[] {
    const head = /^\?(?:P?<[A-Za-z_]\w*>|[imsU-]*[:)])/u.exec(this.#text.slice(this.#at));
    if (head !== null) this.#at += head[0].length;
    if (head?.[0].endsWith(")") === true) return [""];
    const found = this.#alternatives();
    if (this.#text[this.#at] === ")") this.#at += 1;
    return found;
  }

  #escape(): string {
    const character = this.#text[this.#at] ?? "";
    this.#at += 1;
    if (EMPTY_ESCAPES.includes(character)) return "";
    return CLASS_SAMPLES[character] ?? character;
  }

  #characterClass(): string {
    const negated = this.#text[this.#at] === "^";
    if (negated) this.#at += 1;
    const first = this.#text[this.#at] === "\\" ? this.#afterBackslash() : (this.#text[this.#at] ?? "");
    this.#at += 1;
    while (this.#at < this.#text.length && this.#text[this.#at] !== "]") {
      this.#at += this.#text[this.#at] === "\\" ? 2 : 1;
    }
    this.#at += 1;
    return negated ? "~" : first;
  }

  #afterBackslash(): string {
    this.#at += 1;
    const character = this.#text[this.#at] ?? "";
    return CLASS_SAMPLES[character] ?? character;
  }
}
