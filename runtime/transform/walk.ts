// Applies the operations to a payload. Where a value does not have the shape that a path assumes, more is hidden, not
// less: a scalar on the way is redacted, a name reaches into the elements of a list, JSON in a string is entered.
import { isJsonObject, isRawNumber, setMember } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { isLabelledKey, replaceSensitive } from "./detect-text.ts";
import { CarriedJson, Final } from "./envelope.ts";
import type { Marked } from "./envelope.ts";
import { parseJsonContainer } from "./json-text.ts";
import { DETECTOR_BITS, NO_ACTS, isIdle, joinActs, stronger } from "./path-trie.ts";
import type { PathNode, Strong, TextActs } from "./path-trie.ts";
import { REDACTED, REMOVED_TEXT } from "./secrets.ts";
import type { SecretCollector } from "./secrets.ts";
import { settle } from "./settle.ts";
import type { Work } from "./work.ts";

/** What truncated text ends with. */
const TRUNCATED = "…";
/** What a detected key becomes, where a label and not the text itself shows what it is. */
const REDACTED_KEY = "[redacted key]";

const GONE = Symbol("removed");

export interface WalkOptions {
  readonly collector: SecretCollector;
  readonly work: Work;
  /** Keyed hash in its final spelling; throws where there is no key. */
  readonly hash: (text: string) => string;
  /** What is found need not be looked for elsewhere: everything is searched in any case. */
  readonly searchesAll: boolean;
}

/** The first `length` code points of a text. */
export function truncateText(text: string, length: number): string {
  if (text.length <= length) return text;
  let end = 0;
  for (let count = 0; count < length && end < text.length; count += 1) {
    end += (text.codePointAt(end) ?? 0) > 0xffff ? 2 : 1;
  }
  return end >= text.length ? text : text.slice(0, end) + TRUNCATED;
}

/** The stand-in of the same JSON type. */
function standIn(value: JsonValue): JsonValue {
  if (value === null) return null;
  if (typeof value === "string") return REDACTED;
  if (typeof value === "boolean") return false;
  if (typeof value === "number" || isRawNumber(value)) return 0;
  return Array.isArray(value) ? [] : (Object.create(null) as JsonObject);
}

export class PayloadWalk {
  readonly #options: WalkOptions;

  constructor(options: WalkOptions) {
    this.#options = options;
  }

  /** A copy of the payload with everything at its paths transformed. */
  payload(value: JsonValue, root: PathNode): Marked {
    const walked = this.#apply(value, [root], NO_ACTS, 0);
    return walked === GONE ? standIn(value) : walked;
  }

  /** Text that is no JSON: the whole of it is the payload. */
  prose(text: string, root: PathNode): Marked {
    const { strong } = root;
    if (strong?.verb === "replace") return this.#replace(text, strong, 0) as Marked;
    if (strong !== undefined) {
      this.#hide(text, 0);
      return REMOVED_TEXT;
    }
    return this.#text(text, joinActs(root.acts, { ...NO_ACTS, detectors: root.actsBelow.detectors }));
  }

  #hide(value: JsonValue, depth: number): void {
    this.#options.collector.collect(value, depth);
    this.#options.collector.applied += 1;
  }

  #hideText(text: string): void {
    this.#options.collector.collectText(text);
    this.#options.collector.applied += 1;
  }

  #redact(value: JsonValue, depth: number): JsonValue {
    if (value !== null) this.#hide(value, depth);
    return standIn(value);
  }

  #replace(value: JsonValue, strong: Strong, depth: number): Marked | typeof GONE {
    if (strong.verb === "redact") return this.#redact(value, depth);
    this.#hide(value, depth);
    return strong.verb === "replace" ? new Final(strong.value) : GONE;
  }

  #apply(
    value: JsonValue,
    nodes: readonly PathNode[],
    inherited: TextActs,
    depth: number,
  ): Marked | typeof GONE {
    this.#options.work.visit(depth);
    const strong = nodes.reduce<Strong | undefined>((best, node) => stronger(best, node.strong), undefined);
    if (strong !== undefined) return this.#replace(value, strong, depth);
    const acts = nodes.reduce((all, node) => joinActs(all, node.acts), inherited);
    if (typeof value === "string") return this.#string(value, nodes, acts, depth);
    if (Array.isArray(value)) return this.#list(value as readonly JsonValue[], nodes, acts, depth);
    if (isJsonObject(value)) return this.#object(value, nodes, acts, depth);
    if (nodes.some((node) => node.hidesBelow)) return this.#redact(value, depth);
    return this.#scalar(value, acts, depth);
  }

  #string(value: string, nodes: readonly PathNode[], acts: TextActs, depth: number): Marked {
    if (acts.hash) return this.#text(value, acts);
    const carried = parseJsonContainer(value);
    if (carried !== undefined) {
      const inner = this.#apply(carried, nodes.map(withoutActs), { ...acts, truncate: undefined }, depth + 1);
      const whole = new CarriedJson(inner === GONE ? standIn(carried) : inner);
      if (acts.truncate === undefined || value.length <= acts.truncate) return whole;
      this.#hideText(value);
      return truncateText(settle(whole, depth) as string, acts.truncate);
    }
    if (nodes.some((node) => node.hidesBelow)) return this.#redact(value, depth);
    return this.#text(value, joinActs(acts, belowOf(nodes)));
  }

  #text(text: string, acts: TextActs): Marked {
    const { collector, work, hash, searchesAll } = this.#options;
    if (acts.hash) {
      this.#hide(text, 0);
      return new Final(hash(text));
    }
    const found = (secret: string): void => {
      collector.applied += 1;
      if (!searchesAll) collector.collect(secret, 0);
    };
    const searched = replaceSensitive(text, acts.detectors, work, found);
    if (acts.truncate === undefined) return searched;
    const cut = truncateText(searched, acts.truncate);
    if (cut !== searched) this.#hideText(text);
    return cut;
  }

  #scalar(value: JsonValue, acts: TextActs, depth: number): Marked {
    if (value === null || isIdle(acts)) return value;
    if (typeof value === "boolean") return acts.hash ? this.#redact(value, depth) : value;
    const source = isRawNumber(value) ? value.rawJSON : String(value);
    if (acts.hash) {
      this.#hide(value, depth);
      return new Final(this.#options.hash(source));
    }
    const isCard =
      replaceSensitive(source, acts.detectors & DETECTOR_BITS.card, this.#options.work) !== source;
    return isCard ? this.#redact(value, depth) : value;
  }

  #list(list: readonly JsonValue[], nodes: readonly PathNode[], acts: TextActs, depth: number): Marked {
    const result: Marked[] = [];
    for (const [index, item] of list.entries()) {
      const next = nodes.flatMap((node) =>
        [node.namesOnly, node.wildcard, node.indexes.get(index)].filter((child) => child !== undefined),
      );
      if (next.length === 0 && isIdle(acts)) result.push(item);
      else {
        const walked = this.#apply(item, next, acts, depth + 1);
        if (walked !== GONE) result.push(walked);
      }
    }
    return result;
  }

  #object(object: JsonObject, nodes: readonly PathNode[], acts: TextActs, depth: number): Marked {
    // An index was meant for a list; what stands here instead may hold the value.
    if (nodes.some((node) => node.hidesByIndex)) return this.#redact(object, depth);
    const all = nodes.reduce((joined, node) => joinActs(joined, node.actsByIndex), acts);
    // Made with the first difference: most objects are passed on as they are.
    let result: Record<string, Marked> | undefined;
    let renamed = 1;
    const keys = Object.keys(object);
    for (let index = 0; index < keys.length; index += 1) {
      const key = keys[index] as string;
      const member = object[key] as JsonValue;
      const next = childrenAt(nodes, key);
      if (next.length === 0 && isIdle(all)) {
        if (result !== undefined) setMember(result, key, member);
        continue;
      }
      const walked = this.#member(key, member, next, all, depth + 1);
      let name = this.#name(key, all);
      if (result === undefined && walked === member && name === key) continue;
      result ??= firstMembers(object, keys, index);
      if (walked === GONE) continue;
      if (name !== key && Object.hasOwn(result, name)) name = `${name} ${(renamed += 1)}`;
      setMember(result, name, walked);
    }
    return result ?? object;
  }

  #name(key: string, { detectors }: TextActs): string {
    return detectors === 0 ? key : replaceSensitive(key, detectors, this.#options.work);
  }

  #member(
    key: string,
    member: JsonValue,
    nodes: readonly PathNode[],
    acts: TextActs,
    depth: number,
  ): Marked | typeof GONE {
    const detectors = nodes.reduce((bits, node) => bits | node.acts.detectors, acts.detectors);
    const hidden = nodes.some((node) => node.strong !== undefined || node.acts.hash || node.hidesBelow);
    const isLabelled = (detectors & DETECTOR_BITS.key) !== 0 && !hidden && !acts.hash;
    if (isLabelled && typeof member === "string" && isLabelledKey(key, member)) {
      this.#hide(member, depth);
      return new Final(REDACTED_KEY);
    }
    return this.#apply(member, nodes, acts, depth);
  }
}

const NO_NODES: readonly PathNode[] = [];

function childrenAt(nodes: readonly PathNode[], key: string): readonly PathNode[] {
  let found: PathNode[] | undefined;
  for (const node of nodes) {
    for (const child of [node.names.get(key), node.wildcard]) {
      if (child !== undefined) (found ??= []).push(child);
    }
  }
  return found ?? NO_NODES;
}

/** A new object with the first `count` members. */
function firstMembers(object: JsonObject, keys: readonly string[], count: number): Record<string, Marked> {
  const result: Record<string, Marked> = {};
  for (const key of keys.slice(0, count)) setMember(result, key, object[key] as JsonValue);
  return result;
}

function belowOf(nodes: readonly PathNode[]): TextActs {
  return nodes.reduce((joined, node) => joinActs(joined, node.actsBelow), NO_ACTS);
}

/** The acts of the node are inherited already. */
function withoutActs(node: PathNode): PathNode {
  return isIdle(node.acts) ? node : { ...node, acts: NO_ACTS };
}
