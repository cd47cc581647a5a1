// From a satisfiable answer to a call: made of the answer, decided by the gateway's code on both sides, and made plain.
// An answer that cannot be made a call is never reported.
import { canonicalJson } from "#bundle";
import type { AttributeMapping, Derivation, LeafEntry, PrincipalType } from "#bundle";
import { canonicalSpelling } from "#resources";
import type { JsonObject, JsonValue } from "#std";
import { coherentCall, methodStarts } from "../calls/method-calls.ts";
import { literalsOf } from "../calls/policy-literals.ts";
import { isReadable, isResourceKind, uriSamples } from "../calls/resource-calls.ts";
import { argumentSamples } from "../calls/sample-schema.ts";
import { buildArguments, combinations, memberAt } from "./build-arguments.ts";
import type { PlaceCandidates } from "./build-arguments.ts";
import { buildCaller, buildRequest } from "./build-caller.ts";
import { fittingValues } from "./fitting-values.ts";
import type { PlaceFacts } from "./fitting-values.ts";
import { Model } from "./model.ts";
import type { Question } from "./question.ts";
import { simplerCalls } from "./simpler-calls.ts";
import type { SidesReplay, SymbolicCall, Verdicts } from "./replay-sides.ts";

/** Calls that are tried for one answer. */
const MAX_CALLS = 300;
/** Calls that are tried to make a found one plain. */
const MAX_SIMPLER = 200;

export interface Realised {
  readonly call: SymbolicCall;
  readonly before: Verdicts["before"];
  readonly after: Verdicts["after"];
}

export interface Realiser {
  readonly question: Question;
  readonly type: PrincipalType;
  readonly mappings: readonly AttributeMapping[];
  readonly replay: SidesReplay;
  /** True for a read whose leaf is this one on both sides. */
  readonly isOwnUri: (uri: string) => boolean;
}

/** A newly allowed call, or the first call that was tried, which is none. */
export type Outcome =
  | { readonly kind: "found"; readonly realised: Realised }
  | {
      readonly kind: "none";
      readonly tried: { readonly call: SymbolicCall; readonly verdicts: Verdicts } | undefined;
    };

export async function realise(realiser: Realiser, values: ReadonlyMap<string, string>): Promise<Outcome> {
  const { question, replay } = realiser;
  const action = question.sides[0]?.leaf.action ?? "";
  let tried: { readonly call: SymbolicCall; readonly verdicts: Verdicts } | undefined;
  for (const call of candidateCalls(realiser, new Model(question.symbols, values))) {
    const verdicts = await replay.decide(call, action);
    if (isNewlyAllowed(verdicts)) return { kind: "found", realised: await plain(realiser, call, verdicts) };
    tried ??= { call, verdicts };
  }
  return { kind: "none", tried };
}

function isNewlyAllowed({ before, after }: Verdicts): boolean {
  return before.effect === "deny" && after.effect === "allow";
}

/** The same finding with as little in it as possible: a role less, an argument less. */
async function plain(
  { question, replay, isOwnUri }: Realiser,
  found: SymbolicCall,
  verdicts: Verdicts,
): Promise<Realised> {
  const leaf = question.sides[0]?.leaf;
  let call = found;
  let { before, after } = verdicts;
  let left = MAX_SIMPLER;
  let isSimpler = true;
  while (isSimpler && left > 0) {
    isSimpler = false;
    for (const simpler of simplerCalls(call)) {
      left -= 1;
      if (left < 0) break;
      const args = leaf === undefined ? undefined : possible(leaf, simpler.arguments, isOwnUri);
      if (args === undefined || canonicalJson(args) !== canonicalJson(simpler.arguments)) continue;
      const again = await replay.decide(simpler, leaf?.action ?? "");
      if (!isNewlyAllowed(again)) continue;
      call = simpler;
      ({ before, after } = again);
      isSimpler = true;
      break;
    }
  }
  return { call, before, after };
}

function* candidateCalls(realiser: Realiser, model: Model): Generator<SymbolicCall> {
  const { question, type, mappings, isOwnUri } = realiser;
  const [head] = question.sides;
  if (head === undefined) return;
  const facts: PlaceFacts = {
    derivations: question.sides.flatMap(({ slice }) => slice.derivations),
    comparisons: question.sides.flatMap(({ content, slice }) => literalsOf(content, slice).comparisons),
  };
  const principal = fitted(buildCaller(model, type, head.slice.tenant, mappings), model, facts);
  const request = fittedRequest(buildRequest(model), model, facts);
  const seen = new Set<string>();
  let left = MAX_CALLS;
  for (const start of starts(head.leaf, head.slice.argumentsProgram)) {
    const built = buildArguments(model, start, question.places);
    for (const proposal of combinations(
      built,
      placeCandidates(model, built, facts, head.leaf),
      MAX_CALLS / 2,
    )) {
      const args = possible(head.leaf, proposal, isOwnUri);
      if (args === undefined || seen.has(canonicalJson(args))) continue;
      seen.add(canonicalJson(args));
      left -= 1;
      if (left < 0) return;
      yield { principal, request, arguments: args };
    }
  }
}

/** The arguments as a client could send them to this leaf; undefined where none could. */
function possible(
  leaf: LeafEntry,
  args: JsonObject,
  isOwnUri: (uri: string) => boolean,
): JsonObject | undefined {
  const coherent = coherentCall(leaf.kind, args);
  if (coherent === undefined || !isReadable(leaf.kind, coherent)) return undefined;
  const { uri } = coherent;
  return isResourceKind(leaf.kind) && (typeof uri !== "string" || !isOwnUri(uri)) ? undefined : coherent;
}

function starts(leaf: LeafEntry, program = leaf.argumentsProgram): readonly JsonObject[] {
  switch (leaf.kind) {
    case "resource":
      return [{ uri: canonicalSpelling(leaf.name) }];
    case "resource-template":
    case "resource-rule":
      return uriSamples([leaf.name]).map((uri) => ({ uri }));
    case "tool":
    case "prompt": {
      const samples = argumentSamples(program);
      return samples.length === 0 ? [{}] : samples;
    }
    default:
      return methodStarts(leaf.kind);
  }
}

function placeCandidates(
  model: Model,
  built: JsonObject,
  facts: PlaceFacts,
  leaf: LeafEntry,
): readonly PlaceCandidates[] {
  const asked = model.symbols.keys("Bool", "matches").map(([, ...path]) => path);
  const derived = facts.derivations.map(({ path }) => path);
  const paths = new Map(
    [...asked, ...derived].filter(([root]) => root === "arguments").map((path) => [path.join("\0"), path]),
  );
  return [...paths.values()].flatMap((path) => {
    const place = path.slice(1);
    const own = memberAt(built, place);
    if (own === undefined || (typeof own !== "string" && !Array.isArray(own))) return [];
    const uris: readonly JsonValue[] = isResourceKind(leaf.kind) ? uriSamples([leaf.name]) : [];
    return [{ path: place, values: [...fittingValues(model, path, own, facts), ...uris] }];
  });
}

/** The caller with texts whose patterns answer as the solver says. */
function fitted(
  principal: SymbolicCall["principal"],
  model: Model,
  facts: PlaceFacts,
): SymbolicCall["principal"] {
  const attributes = Object.entries(principal.attributes).map(([name, value]) => {
    if (typeof value !== "string") return [name, value] as const;
    const best = fittingValues(model, ["principal", name], value, facts)[0];
    return [name, typeof best === "string" ? best : value] as const;
  });
  return { ...principal, attributes: Object.fromEntries(attributes) };
}

function fittedRequest(
  request: SymbolicCall["request"],
  model: Model,
  facts: PlaceFacts,
): SymbolicCall["request"] {
  const entries = Object.entries(request.client).map(([name, value]) => {
    const best = fittingValues(model, ["client", name], value, facts)[0];
    return [name, typeof best === "string" ? best : value] as const;
  });
  return { ...request, client: Object.fromEntries(entries) };
}

/** Derivations of every side, each once by name. */
export function derivationsOf({ sides }: Question): readonly Derivation[] {
  return [
    ...new Map(sides.flatMap(({ slice }) => slice.derivations).map((item) => [item.name, item])).values(),
  ];
}
