// Cedar's sets: those written out in a policy, and those of the request, known by which literals are in them.
import { scalar } from "./symbolic-values.ts";
import type { ListedSet, RequestSet, Scalar, SymbolicValue } from "./symbolic-values.ts";
import { FALSE, OutsideFragment, TRUE, and, equal, isLiteral, not, or } from "./terms.ts";
import type { Term } from "./terms.ts";
import type { World } from "./world.ts";

type Sets = ListedSet | RequestSet;
type Equality = (left: SymbolicValue, right: SymbolicValue) => Term;

/** @throws {OutsideFragment} for what is no set */
export function setOf(value: SymbolicValue): Sets {
  if (value.kind === "Set" || value.kind === "RequestSet") return value;
  throw new OutsideFragment(value.kind === "Opaque" ? value.what : "a set operator on something else");
}

export function isEmpty(set: Sets): Term {
  if (set.kind === "Set") return set.members.length === 0 ? TRUE : FALSE;
  return not(or(...set.universe.map(set.has), set.hasOthers));
}

/** @throws {OutsideFragment} */
export function contains(set: Sets, value: SymbolicValue, world: World, same: Equality): Term {
  if (set.kind === "Set") return or(...set.members.map((member) => same(member, value)));
  const { element, universe, has, hasOthers, key } = set;
  if (value.kind !== element) return FALSE;
  const { term } = value as Scalar;
  if (isLiteral(term)) {
    if (!universe.includes(term)) throw new OutsideFragment("a literal that was not collected");
    return has(term);
  }
  // Not one of the literals: whether it is in is a question of its own, the same for equal terms.
  const named = universe.map((literal) => and(equal(term, literal), has(literal)));
  const isOther = and(...universe.map((literal) => not(equal(term, literal))));
  return or(...named, and(isOther, hasOthers, world.symbols.unknown("Bool", "other member", key, term)));
}

/** @throws {OutsideFragment} */
export function containsAll(left: Sets, right: Sets, world: World, same: Equality): Term {
  if (right.kind === "Set") return and(...right.members.map((item) => contains(left, item, world, same)));
  const members = right.universe.map((literal) =>
    or(not(right.has(literal)), contains(left, scalar(right.element, literal), world, same)),
  );
  const others = left.kind === "Set" ? not(right.hasOthers) : subsetOfOthers(left, right, world);
  if (left.kind === "Set" && !left.members.every(isKnown))
    throw new OutsideFragment("a set of computed values");
  return and(...members, others);
}

function subsetOfOthers(left: RequestSet, right: RequestSet, world: World): Term {
  const isSubset = world.symbols.unknown("Bool", "others within", left.key, right.key);
  return or(not(right.hasOthers), and(left.hasOthers, isSubset));
}

/** @throws {OutsideFragment} */
export function containsAny(left: Sets, right: Sets, world: World, same: Equality): Term {
  if (right.kind === "Set") return or(...right.members.map((item) => contains(left, item, world, same)));
  if (left.kind === "Set") return containsAny(right, left, world, same);
  const keys = [left.key, right.key].sort();
  const meet = world.symbols.unknown("Bool", "others meet", ...keys);
  const members = right.universe.map((literal) => and(right.has(literal), left.has(literal)));
  return or(...members, and(left.hasOthers, right.hasOthers, meet));
}

/** @throws {OutsideFragment} */
export function equalSets(left: Sets, right: Sets, world: World, same: Equality): Term {
  return and(containsAll(left, right, world, same), containsAll(right, left, world, same));
}

function isKnown(value: SymbolicValue): boolean {
  return "term" in value && isLiteral(value.term);
}
