// What each operator and function of Cedar is as a term: one entry for each. What is not here, or is asked of operands
// that have no terms, is outside of the fragment.
import type { Evaluated, Ip, Scalar, ScalarKind, SymbolicValue } from "./symbolic-values.ts";
import { scalar } from "./symbolic-values.ts";
import { contains, containsAll, containsAny, equalSets, isEmpty, setOf } from "./encode-sets.ts";
import {
  FALSE,
  OutsideFragment,
  TRUE,
  and,
  between,
  compare,
  equal,
  integer,
  integerOf,
  ite,
  not,
  or,
  text,
  textOfTerm,
  isLiteral,
} from "./terms.ts";
import type { Comparison, Term } from "./terms.ts";
import type { World } from "./world.ts";

export type Encoding = (operands: readonly SymbolicValue[], world: World) => Evaluated;
export type LikeEncoding = (value: Term, pieces: readonly string[]) => Term;

export interface EncodingTable {
  readonly operators: Readonly<Record<string, Encoding>>;
  readonly like: LikeEncoding;
  /** The truth of a row of two, `&&` or `||`, from those of both. */
  readonly rows: Readonly<Record<"&&" | "||", (left: Term, right: Term) => Term>>;
  readonly choice: (test: Term, then: Term, otherwise: Term) => Term;
}

const MIN_LONG = -(2n ** 63n);
const MAX_LONG = 2n ** 63n - 1n;
const DAY_MS = 86_400_000n;

function at(operands: readonly SymbolicValue[], index: number): SymbolicValue {
  const operand = operands[index];
  if (operand === undefined) throw new OutsideFragment("a call with too few operands");
  return operand;
}

/** @throws {OutsideFragment} for a value of another kind */
export function termOf(value: SymbolicValue, ...kinds: readonly ScalarKind[]): Term {
  if ("term" in value && kinds.includes(value.kind)) return value.term;
  throw new OutsideFragment(
    value.kind === "Opaque" ? value.what : `an operand that is no ${kinds.join(" or ")}`,
  );
}

function ipOf(value: SymbolicValue): Ip {
  if (value.kind === "Ip") return value;
  throw new OutsideFragment(value.kind === "Opaque" ? value.what : "an operand that is no address");
}

function truth(term: Term): Evaluated {
  return { value: scalar("Bool", term), fails: FALSE };
}

/** A result of arithmetic: an error outside of 64 bits. */
function bounded(kind: ScalarKind, term: Term): Evaluated {
  return { value: scalar(kind, term), fails: not(between(term, MIN_LONG, MAX_LONG)) };
}

export function arithmetic(operator: "+" | "-" | "*", left: Term, right: Term): Term {
  const [a, b] = [integerOf(left), integerOf(right)];
  if (a === undefined || b === undefined) return `(${operator} ${left} ${right})`;
  return integer(operator === "+" ? a + b : operator === "-" ? a - b : a * b);
}

const onLongs =
  (operator: "+" | "-" | "*"): Encoding =>
  (operands) =>
    bounded("Long", arithmetic(operator, termOf(at(operands, 0), "Long"), termOf(at(operands, 1), "Long")));

const ordered =
  (operator: Comparison): Encoding =>
  (operands) => {
    const [left, right] = [at(operands, 0), at(operands, 1)];
    const kinds: readonly ScalarKind[] = ["Long", "DateTime", "Duration"];
    if (left.kind !== right.kind) throw new OutsideFragment("a comparison of different types");
    return truth(compare(operator, termOf(left, ...kinds), termOf(right, ...kinds)));
  };

const onDecimals =
  (operator: Comparison): Encoding =>
  (operands) =>
    truth(compare(operator, termOf(at(operands, 0), "Decimal"), termOf(at(operands, 1), "Decimal")));

/** Whether two values are equal; values of different types never are. @throws {OutsideFragment} */
function sameIn(world: World): (left: SymbolicValue, right: SymbolicValue) => Term {
  const same = (left: SymbolicValue, right: SymbolicValue): Term => {
    if (left.kind === "Opaque") throw new OutsideFragment(left.what);
    if (right.kind === "Opaque") throw new OutsideFragment(right.what);
    if (left.kind === "Record" || right.kind === "Record") throw new OutsideFragment("equality of records");
    const areSets = [left, right].every(({ kind }) => kind === "Set" || kind === "RequestSet");
    if (areSets) return equalSets(setOf(left), setOf(right), world, same);
    if (left.kind !== right.kind) return FALSE;
    if (left.kind === "Ip") return sameIp(left, ipOf(right));
    if (left.kind === "Entity" && right.kind === "Entity") {
      if (left.who === "principal")
        return right.who === "principal" ? TRUE : world.principal.isEntity(right.type, right.id);
      if (right.who === "principal") return same(right, left);
      return left.type === right.type && left.id === right.id ? TRUE : FALSE;
    }
    return equal((left as Scalar).term, (right as Scalar).term);
  };
  return same;
}

function sameIp(left: Ip, right: Ip): Term {
  return and(
    equal(left.isV6, right.isV6),
    equal(left.address, right.address),
    equal(left.prefix, right.prefix),
  );
}

/** Whether every address of `inner` is in `outer`, a range that is written out. */
function inRange(inner: Ip, outer: Ip): Term {
  const [address, prefix] = [integerOf(outer.address), integerOf(outer.prefix)];
  if (address === undefined || prefix === undefined)
    throw new OutsideFragment("isInRange of a range that is no literal");
  const size = 2n ** ((outer.isV6 === TRUE ? 128n : 32n) - prefix);
  const first = address - (address % size);
  return and(
    equal(inner.isV6, outer.isV6),
    compare(">=", inner.prefix, outer.prefix),
    between(inner.address, first, first + size - 1n),
  );
}

const inEither =
  (v4: Ip, v6: Ip): Encoding =>
  (operands) => {
    const ip = ipOf(at(operands, 0));
    return truth(or(inRange(ip, v4), inRange(ip, v6)));
  };

const range = (isV6: boolean, address: bigint, prefix: number): Ip => ({
  kind: "Ip",
  isV6: String(isV6),
  address: integer(address),
  prefix: integer(prefix),
});

function remainder(term: Term, by: bigint): Term {
  const known = integerOf(term);
  return known === undefined ? `(mod ${term} ${by})` : integer(((known % by) + by) % by);
}

/** Whole units, rounded toward zero. */
const units =
  (unitMs: bigint): Encoding =>
  (operands) => {
    const term = termOf(at(operands, 0), "Duration");
    const known = integerOf(term);
    const whole =
      known === undefined
        ? ite(`(>= ${term} 0)`, `(div ${term} ${unitMs})`, `(- (div (- ${term}) ${unitMs}))`)
        : integer(known / unitMs);
    return { value: scalar("Long", whole), fails: FALSE };
  };

/** Entities that the right side of `in` names. */
function namedEntities(right: SymbolicValue): readonly { readonly type: string; readonly id: string }[] {
  const items = right.kind === "Set" ? right.members : [right];
  return items.map((item) => {
    if (item.kind !== "Entity" || item.who !== "literal")
      throw new OutsideFragment("`in` with an entity that is no literal");
    return item;
  });
}

const isIn: Encoding = (operands, world) => {
  const left = at(operands, 0);
  if (left.kind !== "Entity") throw new OutsideFragment("`in` of something that is no entity");
  const named = namedEntities(at(operands, 1));
  if (left.who === "principal")
    return truth(or(...named.map(({ type, id }) => world.principal.isIn(type, id))));
  const fixed = [world.action, world.resource].find(({ type, id }) => type === left.type && id === left.id);
  const above = (type: string, id: string): boolean =>
    type === left.type && (id === left.id || fixed?.groups.includes(id) === true);
  return truth(named.some(({ type, id }) => above(type, id)) ? TRUE : FALSE);
};

/** What the texts of `like` are: the literals between the wildcards, in order. */
const like: LikeEncoding = (value, pieces) => {
  const [first = "", ...rest] = pieces;
  if (rest.length === 0) return equal(value, text(first));
  if (isLiteral(value)) return matches(textOfTerm(value), pieces) ? TRUE : FALSE;
  const parts = [first, ...rest.flatMap((piece) => [undefined, piece])].filter((piece) => piece !== "");
  if (parts.length === 1) return TRUE;
  const regexes = parts.map((piece) => (piece === undefined ? "re.all" : `(str.to_re ${text(piece)})`));
  return `(str.in_re ${value} (re.++ ${regexes.join(" ")}))`;
};

function matches(value: string, pieces: readonly string[]): boolean {
  const [first = "", ...rest] = pieces;
  if (!value.startsWith(first)) return false;
  let position = first.length;
  for (const piece of rest.slice(0, -1)) {
    const found = value.indexOf(piece, position);
    if (found === -1) return false;
    position = found + piece.length;
  }
  const last = rest.at(-1) ?? "";
  return value.length - last.length >= position && value.endsWith(last);
}

const V4_LOOPBACK = range(false, 127n << 24n, 8);
const V6_LOOPBACK = range(true, 1n, 128);
const V4_MULTICAST = range(false, 224n << 24n, 4);
const V6_MULTICAST = range(true, 0xffn << 120n, 8);

/** The encodings that proofs are made with. Nothing but a test of the tests ever uses another table. */
export const ENCODINGS: EncodingTable = {
  rows: { "&&": and, "||": or },
  choice: ite,
  like,
  operators: {
    "!": (operands) => truth(not(termOf(at(operands, 0), "Bool"))),
    neg: (operands) => bounded("Long", arithmetic("-", integer(0), termOf(at(operands, 0), "Long"))),
    "==": (operands, world) => truth(sameIn(world)(at(operands, 0), at(operands, 1))),
    "!=": (operands, world) => truth(not(sameIn(world)(at(operands, 0), at(operands, 1)))),
    "<": ordered("<"),
    "<=": ordered("<="),
    ">": ordered(">"),
    ">=": ordered(">="),
    "+": onLongs("+"),
    "-": onLongs("-"),
    "*": onLongs("*"),
    in: isIn,
    isEmpty: (operands) => truth(isEmpty(setOf(at(operands, 0)))),
    contains: (operands, world) =>
      truth(contains(setOf(at(operands, 0)), at(operands, 1), world, sameIn(world))),
    containsAll: (operands, world) =>
      truth(containsAll(setOf(at(operands, 0)), setOf(at(operands, 1)), world, sameIn(world))),
    containsAny: (operands, world) =>
      truth(containsAny(setOf(at(operands, 0)), setOf(at(operands, 1)), world, sameIn(world))),
    lessThan: onDecimals("<"),
    lessThanOrEqual: onDecimals("<="),
    greaterThan: onDecimals(">"),
    greaterThanOrEqual: onDecimals(">="),
    isIpv4: (operands) => truth(not(ipOf(at(operands, 0)).isV6)),
    isIpv6: (operands) => truth(ipOf(at(operands, 0)).isV6),
    isLoopback: inEither(V4_LOOPBACK, V6_LOOPBACK),
    isMulticast: inEither(V4_MULTICAST, V6_MULTICAST),
    isInRange: (operands) => truth(inRange(ipOf(at(operands, 0)), ipOf(at(operands, 1)))),
    offset: (operands) =>
      bounded(
        "DateTime",
        arithmetic("+", termOf(at(operands, 0), "DateTime"), termOf(at(operands, 1), "Duration")),
      ),
    durationSince: (operands) =>
      bounded(
        "Duration",
        arithmetic("-", termOf(at(operands, 0), "DateTime"), termOf(at(operands, 1), "DateTime")),
      ),
    toDate: (operands) => {
      const term = termOf(at(operands, 0), "DateTime");
      return bounded("DateTime", arithmetic("-", term, remainder(term, DAY_MS)));
    },
    toTime: (operands) => ({
      value: scalar("Duration", remainder(termOf(at(operands, 0), "DateTime"), DAY_MS)),
      fails: FALSE,
    }),
    toMilliseconds: (operands) => ({
      value: scalar("Long", termOf(at(operands, 0), "Duration")),
      fails: FALSE,
    }),
    toSeconds: units(1_000n),
    toMinutes: units(60_000n),
    toHours: units(3_600_000n),
    toDays: units(DAY_MS),
  },
};
