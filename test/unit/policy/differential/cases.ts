// One round of the differential test, from a seed: a schema, policy sets, and requests with their entities.
import type { JsonObject, JsonValue } from "#std";
import type { GivenEntity } from "../../../../runtime/policy/interpreter/request-types.ts";
import { ExpressionMaker, randomUid } from "./expressions.ts";
import { Random } from "./random.ts";
import { ENTITY_IDS, randomJson, randomModel, randomRecord } from "./types.ts";
import type { Model } from "./types.ts";

export interface Request {
  readonly principal: { readonly type: string; readonly id: string };
  readonly resource: { readonly type: string; readonly id: string };
  readonly context: JsonObject;
  readonly entities: readonly GivenEntity[];
}

export interface PolicySet {
  readonly policies: readonly (readonly [id: string, body: JsonObject])[];
  readonly requests: readonly Request[];
}

export interface Round {
  readonly seed: number;
  readonly schema: JsonObject;
  readonly sets: readonly PolicySet[];
}

/** How large the policy sets of a round are, and how many entities its requests bring. */
interface Crowd {
  readonly sets: number;
  readonly mostPolicies: number;
  readonly absentEntities: number;
}

/** Decisions compared in one round. */
export const CASES_PER_ROUND = 200;
/** cedar-wasm takes its time for every entity: most rounds are sparse, so that more policies are asked in the same time. */
const CROWDED: Crowd = { sets: 20, mostPolicies: 12, absentEntities: 0.5 };
const SPARSE: Crowd = { sets: 20, mostPolicies: 4, absentEntities: 0.93 };
/** One round in this many is crowded. */
const CROWDED_EVERY = 6;
const DEPTH = 4;
/** Policies that ask one operator one question: what it says is not lost in what surrounds it. */
const PROBES = 0.7;
/** Sets in which a forbid can hide which permits were satisfied. */
const SETS_WITH_FORBIDS = 0.25;
/** Probability, for each request, that its values are spoiled; a spoiled request is refused by both engines. */
const SPOILED_REQUESTS = 0.08;

export function randomRound(seed: number): Round {
  const random = new Random(seed);
  const model = randomModel(random);
  const maker = new ExpressionMaker(random, model);
  const crowd = seed % CROWDED_EVERY === 0 ? CROWDED : SPARSE;
  const sets = random.list(crowd.sets, (): PolicySet => {
    const count = 1 + random.below(crowd.mostPolicies);
    const effects = random.chance(SETS_WITH_FORBIDS) ? ["permit", "permit", "forbid"] : ["permit"];
    const policies = Array.from(
      { length: count },
      (_, index) => [`p${String(index)}`, randomPolicy(random, maker, random.pick(effects))] as const,
    );
    const requests = random.list(CASES_PER_ROUND / crowd.sets, () => randomRequest(random, model, crowd));
    return { policies, requests };
  });
  return { seed, schema: model.json, sets };
}

function randomPolicy(random: Random, maker: ExpressionMaker, effect: string): JsonObject {
  const scope = { principal: { op: "All" }, action: { op: "All" }, resource: { op: "All" } };
  if (random.chance(PROBES))
    return {
      effect,
      ...scope,
      conditions: [{ kind: random.pick(["when", "when", "unless"]), body: maker.probe() }],
    };
  const conditions = random.list(random.below(3), () => ({
    kind: random.pick(["when", "when", "unless"]),
    body: maker.make({ kind: "Bool" }, DEPTH),
  }));
  return {
    effect,
    principal: randomScope(random, ["User", "Agent", "Role", "Group", "Tenant"]),
    action: randomActionScope(random),
    resource: randomScope(random, ["Server", "Group"]),
    conditions,
  };
}

function randomScope(random: Random, types: readonly string[]): JsonObject {
  if (random.chance(0.7)) return { op: "All" };
  const entity = randomUid(random, types);
  const type = random.pick(types);
  return random.pick<JsonObject>([
    { op: "==", entity },
    { op: "in", entity },
    { op: "is", entity_type: type },
    { op: "is", entity_type: type, in: { entity } },
  ]);
}

function randomActionScope(random: Random): JsonObject {
  if (random.chance(0.7)) return { op: "All" };
  const uid = (): JsonObject => randomUid(random, ["Action"]) as unknown as JsonObject;
  return random.pick<JsonObject>([
    { op: "==", entity: { type: "Action", id: "act" } },
    { op: "==", entity: uid() },
    { op: "in", entity: uid() },
    { op: "in", entities: [uid(), uid()] },
  ]);
}

function randomRequest(random: Random, model: Model, crowd: Crowd): Request {
  const spoil = random.chance(SPOILED_REQUESTS) ? 0.1 : 0;
  const principal = random.chance(spoil / 4)
    ? randomUid(random, ["Role"])
    : randomUid(random, ["User", "User", "Agent"]);
  return {
    principal,
    resource: { type: "Server", id: random.chance(0.05) ? "ghost" : "s1" },
    context: randomRecord(random, model.context, spoil),
    entities: randomEntities(random, model, { principal, spoil, absent: crowd.absentEntities }),
  };
}

/** Every named entity but the ghosts; parents only upward in the list of ids, so that no cycle arises. */
function randomEntities(
  random: Random,
  model: Model,
  { principal, spoil, absent }: { principal: Request["principal"]; spoil: number; absent: number },
): readonly GivenEntity[] {
  const entities: GivenEntity[] = [];
  for (const [type, { attributes, tags, parents }] of model.entities) {
    const ids = (ENTITY_IDS[type] ?? []).filter((id) => id !== "ghost");
    for (const [index, id] of ids.entries()) {
      if (random.chance(id === principal.id ? 0.1 : absent)) continue;
      const above = parents.flatMap((parent) => {
        const known = (ENTITY_IDS[parent] ?? []).filter((own) => own !== "ghost");
        return (parent === type ? known.slice(index + 1) : known)
          .filter(() => random.chance(0.35))
          .map((own) => ({ type: parent, id: own }));
      });
      if (random.chance(spoil / 4)) above.push({ type: "User", id: "bob" });
      const members = ["x", "y"].filter(() => tags !== undefined && random.chance(0.5));
      const values = members.map(
        (name) => [name, randomJson(random, tags ?? { kind: "Bool" }, spoil)] as const,
      );
      entities.push({
        uid: { type, id },
        attrs: randomRecord(random, attributes, spoil / 4) as Readonly<Record<string, JsonValue>>,
        parents: above,
        ...(values.length > 0 ? { tags: Object.fromEntries(values) } : {}),
      });
    }
  }
  return entities;
}
