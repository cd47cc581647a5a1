// The round without chance: every text of every extension type, well formed and not, through the constructor in a policy
// and through the context; equal to a text of its type, or not.
import type { JsonObject } from "#std";
import type { PolicySet, Request, Round } from "./cases.ts";
import { EXTENSIONS, TEXTS } from "./types.ts";
import type { ExtensionName } from "./types.ts";

/** Stands for the seed of this round, which needs none. */
export const TEXTS_SEED = -1;
const POLICIES_PER_SET = 50;

const SCOPE: JsonObject = { principal: { op: "All" }, action: { op: "All" }, resource: { op: "All" } };
const SCHEMA: JsonObject = {
  "": {
    entityTypes: { User: {}, Server: {} },
    actions: {
      act: {
        appliesTo: {
          principalTypes: ["User"],
          resourceTypes: ["Server"],
          context: {
            type: "Record",
            attributes: Object.fromEntries(
              EXTENSIONS.map((name) => [name, { type: "Extension", name, required: false }]),
            ),
          },
        },
      },
    },
  },
};

export function textsRound(): Round {
  return { seed: TEXTS_SEED, schema: SCHEMA, sets: EXTENSIONS.flatMap(setsOf) };
}

function setsOf(name: ExtensionName): readonly PolicySet[] {
  const { fn, good, bad } = TEXTS[name];
  const construct = (text: string): JsonObject => ({ [fn]: [{ Value: text }] });
  const fromContext: JsonObject = { ".": { left: { Var: "context" }, attr: name } };
  const literals = [...good, ...bad].map((text, index): JsonObject => ({
    "==": { left: construct(text), right: construct(good[index % good.length] ?? "") },
  }));
  const pairs = good.flatMap((left, index) =>
    good
      .slice(index + 1)
      .map((right): JsonObject => ({ "==": { left: construct(left), right: construct(right) } })),
  );
  const read = good.map((text): JsonObject => ({ "==": { left: fromContext, right: construct(text) } }));
  return [
    ...inSets([...literals, ...pairs], [request({})]),
    ...inSets(
      read,
      [...good, ...bad].map((text) => request({ [name]: text })),
    ),
  ];
}

function inSets(conditions: readonly JsonObject[], requests: readonly Request[]): readonly PolicySet[] {
  const sets: PolicySet[] = [];
  for (let from = 0; from < conditions.length; from += POLICIES_PER_SET) {
    const policies = conditions
      .slice(from, from + POLICIES_PER_SET)
      .map(
        (body, index) =>
          [
            `p${String(index)}`,
            { effect: "permit", ...SCOPE, conditions: [{ kind: "when", body }] },
          ] as const,
      );
    sets.push({ policies, requests });
  }
  return sets;
}

function request(context: JsonObject): Request {
  return {
    principal: { type: "User", id: "alice" },
    resource: { type: "Server", id: "s1" },
    context,
    entities: [],
  };
}
