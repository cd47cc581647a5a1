// The two engines asked the same: cedar-wasm directly, and the interpreter with an operator table.
import { createCedarInstance } from "#pdp";
import type { CedarInstance } from "#pdp";
import type { JsonObject } from "#std";
import { compileSet, answerSet } from "../../../../runtime/policy/interpreter/compile-slice.ts";
import type { OperatorTable } from "../../../../runtime/policy/interpreter/operators.ts";
import { compileRequestTypes } from "../../../../runtime/policy/interpreter/request-types.ts";
import { ReferenceOnly } from "../../../../runtime/policy/interpreter/unsupported.ts";
import { EntityValue } from "../../../../runtime/policy/interpreter/values.ts";
import type { PolicySet, Request, Round } from "./cases.ts";
import { ACTION } from "./types.ts";

/** `refused`: the request does not fit the schema. `reference only`: the interpreter leaves the request to cedar-wasm. */
export type Outcome =
  | { readonly kind: "refused" | "reference only" }
  | {
      readonly kind: "decided";
      readonly effect: "allow" | "deny";
      readonly reasons: readonly string[];
      readonly erring: readonly string[];
    };

const REFUSED: Outcome = { kind: "refused" };
const REFERENCE_ONLY: Outcome = { kind: "reference only" };
/** A throwing call leaks wasm stack; some 1,400 of them kill an instance. */
const maxThrows = 64;

export class Reference {
  #cedar: CedarInstance = createCedarInstance();
  #throws = 0;
  #schema: JsonObject = {};
  #policies: PolicySet["policies"] = [];

  prepareSchema(schema: JsonObject): void {
    this.#schema = schema;
    expectParsed(this.#cedar.preparseSchema("schema", schema as never));
  }

  preparePolicies(policies: PolicySet["policies"]): void {
    this.#policies = policies;
    expectParsed(
      this.#cedar.preparsePolicySet("set", { staticPolicies: Object.fromEntries(policies) } as never),
    );
  }

  decide({ principal, resource, context, entities }: Request): Outcome {
    try {
      const answer = this.#cedar.statefulIsAuthorized({
        principal,
        action: { type: "Action", id: ACTION },
        resource,
        context: context as never,
        preparsedSchemaName: "schema",
        preparsedPolicySetId: "set",
        validateRequest: true,
        entities: entities as never,
      });
      if (answer.type !== "success") return REFUSED;
      const { decision, diagnostics } = answer.response;
      const erring = diagnostics.errors.map(({ policyId }) => policyId).sort();
      const reasons = [...diagnostics.reason].sort();
      return { kind: "decided", effect: decision, reasons, erring };
    } catch {
      this.#throws += 1;
      if (this.#throws % maxThrows === 0) this.#renew();
      return REFUSED;
    }
  }

  #renew(): void {
    this.#cedar = createCedarInstance();
    this.prepareSchema(this.#schema);
    this.preparePolicies(this.#policies);
  }
}

function expectParsed(answer: ReturnType<CedarInstance["preparseSchema"]>): void {
  if (answer.type !== "success")
    throw new Error(`the generator made ${answer.errors[0]?.message ?? "nonsense"}`);
}

/** What cedar-wasm says to every request of a round, set by set. */
export function referenceOutcomes(reference: Reference, round: Round): readonly (readonly Outcome[])[] {
  reference.prepareSchema(round.schema);
  return round.sets.map(({ policies, requests }) => {
    reference.preparePolicies(policies);
    return requests.map((request) => reference.decide(request));
  });
}

/** What the interpreter says, lazily: a test of a planted bug stops at the first difference. */
export function* interpretedOutcomes(
  round: Round,
  table: OperatorTable,
  isChosen: (set: PolicySet) => boolean = () => true,
): Generator<readonly [set: number, request: number, Outcome]> {
  const types = compileRequestTypes(round.schema, ACTION, table);
  for (const [setIndex, chosen] of round.sets.entries()) {
    const { policies, requests } = chosen;
    if (!isChosen(chosen)) continue;
    const set = compileSet(policies, table);
    const decide = ({ principal, resource, context, entities }: Request): Outcome => {
      try {
        if (!types.principalTypes.has(principal.type) || !types.resourceTypes.has(resource.type))
          return REFUSED;
        const record = types.context(context);
        const known = types.admit(entities);
        if (record === undefined || known === undefined) return REFUSED;
        const { isAllowed, reasons, errors } = answerSet(
          set,
          {
            principal: new EntityValue(principal.type, principal.id),
            action: types.action,
            resource: new EntityValue(resource.type, resource.id),
            context: record,
            entities: known,
          },
          table,
        );
        return {
          kind: "decided",
          effect: isAllowed ? "allow" : "deny",
          reasons,
          erring: errors.map(({ policy }) => policy),
        };
      } catch (fault) {
        if (fault instanceof ReferenceOnly) return REFERENCE_ONLY;
        throw fault;
      }
    };
    for (const [index, request] of requests.entries()) yield [setIndex, index, decide(request)];
  }
}

export function isSame(left: Outcome, right: Outcome): boolean {
  return JSON.stringify(left) === JSON.stringify(right);
}
