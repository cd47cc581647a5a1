// Searches a text for any of many strings in one pass, so that the cost does not grow with their number.
import type { Work } from "./work.ts";

const BUCKETS = 0x1000;
/** Shared by every empty set, and never written: most messages have nothing to search for. */
const NO_STARTS = new Uint8Array(BUCKETS);

function bucketOf(first: number, second: number): number {
  return (first * 31 + second) & (BUCKETS - 1);
}

/** What a lookup costs besides reading its characters, in characters. */
const LOOKUP_COST = 16;

interface NeedlesOfLength {
  readonly length: number;
  readonly needles: Set<string>;
}

/** Needles have at least two UTF-16 units; of those that match at one place the longest wins. */
export class NeedleSet {
  readonly #starts: Uint8Array;
  /** By bucket, longest first: one lookup for each length decides, however many needles begin alike. */
  readonly #byStart = new Map<number, NeedlesOfLength[]>();

  constructor(needles: Iterable<string>) {
    const groups = new Map<string, NeedlesOfLength>();
    let starts = NO_STARTS;
    for (const needle of needles) {
      if (needle.length < 2) throw new RangeError("a needle needs two characters");
      const bucket = bucketOf(needle.charCodeAt(0), needle.charCodeAt(1));
      const key = `${bucket} ${needle.length}`;
      const group = groups.get(key) ?? { length: needle.length, needles: new Set<string>() };
      if (group.needles.size === 0) {
        groups.set(key, group);
        const lengths = this.#byStart.get(bucket) ?? [];
        lengths.push(group);
        this.#byStart.set(bucket, lengths);
      }
      group.needles.add(needle);
      if (starts === NO_STARTS) starts = new Uint8Array(BUCKETS);
      starts[bucket] = 1;
    }
    this.#starts = starts;
    for (const list of this.#byStart.values()) list.sort((a, b) => b.length - a.length);
  }

  get isEmpty(): boolean {
    return this.#byStart.size === 0;
  }

  #matchAt(text: string, index: number, work: Work): string | undefined {
    const bucket = bucketOf(text.charCodeAt(index), text.charCodeAt(index + 1));
    if (this.#starts[bucket] === 0) return undefined;
    for (const { length, needles } of this.#byStart.get(bucket) ?? []) {
      if (index + length > text.length) continue;
      work.read(length + LOOKUP_COST);
      const candidate = text.slice(index, index + length);
      if (needles.has(candidate)) return candidate;
    }
    return undefined;
  }

  occursIn(text: string, work: Work): boolean {
    work.read(text.length);
    for (let index = 0; index < text.length - 1; index += 1) {
      if (this.#matchAt(text, index, work) !== undefined) return true;
    }
    return false;
  }

  replaceIn(text: string, replacement: string, work: Work): string {
    work.read(text.length);
    let result = "";
    let copied = 0;
    for (let index = 0; index < text.length - 1; index += 1) {
      const needle = this.#matchAt(text, index, work);
      if (needle === undefined) continue;
      result += text.slice(copied, index) + replacement;
      copied = index + needle.length;
      index = copied - 1;
    }
    return copied === 0 ? text : result + text.slice(copied);
  }
}
