// Which terms of which policies a call made true: for each slice that was asked, one forbid for each term, because a
// decision names every satisfied forbid and every policy that errs.
import type { BundleContent, LeafAction, PolicyId, Slice, SlicePolicy, TenantId } from "#bundle";
import { ENGINE_FAULT, createInterpretedPdp } from "#pdp";
import type { Decision, DecisionQuery, Pdp } from "#pdp";
import type { JsonObject } from "#std";
import { derivationsOf, isOnFixedPath, withDerivedConstants } from "../../cedar/derived-facts.ts";
import { ALL, asJson, booleanLiteral } from "../../cedar/est.ts";
import type { PolicyEst } from "../../cedar/est.ts";
import { fold, leafFacts } from "../../cedar/fold.ts";
import type { LeafFacts } from "../../cedar/fold.ts";
import type { ParsedPolicy } from "../../cedar/index.ts";
import type { TermGroup } from "./policy-terms.ts";

/** What a term is on one leaf: the name of its probe, or what the leaf fixes. */
export type TermProbe = string | boolean;

/** One policy on one leaf. */
export interface ProbedPolicy {
  readonly id: PolicyId;
  readonly groups: readonly ProbedGroup[];
}

export interface ProbedGroup {
  readonly group: TermGroup;
  /** One for each term of the group. */
  readonly probes: readonly TermProbe[];
}

export interface ProbedSlice {
  readonly call: readonly ProbedPolicy[];
  readonly shadow: readonly ProbedPolicy[];
}

/** What one call made of the probes of its slice. */
export interface ProbeAnswers {
  readonly satisfied: ReadonlySet<string>;
  readonly errors: ReadonlySet<string>;
}

interface ProbeTable {
  /** Policies by the JSON of what they ask. */
  readonly residuals: Map<string, JsonObject>;
}

/** The slices of a bundle taken apart into probes, and the engine that answers them. */
export class SliceProbes {
  readonly #content: BundleContent;
  readonly #policies: ReadonlyMap<PolicyId, ParsedPolicy>;
  readonly #groups: ReadonlyMap<PolicyId, readonly TermGroup[]>;
  readonly #table: ProbeTable = { residuals: new Map() };
  readonly #leaves: ReadonlyMap<LeafAction, LeafFacts>;
  readonly #facts = new Map<string, LeafFacts>();
  readonly #platform: TenantId;

  constructor(
    content: BundleContent,
    policies: readonly ParsedPolicy[],
    groups: ReadonlyMap<PolicyId, readonly TermGroup[]>,
    platform: TenantId,
  ) {
    this.#content = content;
    this.#policies = new Map(policies.map((policy) => [policy.id, policy]));
    this.#groups = groups;
    this.#platform = platform;
    this.#leaves = new Map(
      content.registry.servers.flatMap((server) =>
        server.leaves.map((leaf) => [leaf.action, leafFacts(server, leaf)] as const),
      ),
    );
  }

  /** The policies of a slice with a probe for each term that the leaf leaves open. */
  probed(slice: Slice): ProbedSlice {
    const facts = this.#factsOf(slice);
    if (facts === undefined) return { call: [], shadow: [] };
    const all = (policies: readonly SlicePolicy[]): readonly ProbedPolicy[] =>
      policies.map(({ id }) => this.#probedPolicy(id, facts));
    return { call: all(slice.call), shadow: all(slice.shadow) };
  }

  /** One policy of a slice. */
  policy(slice: Slice, id: PolicyId): ProbedPolicy {
    const facts = this.#factsOf(slice);
    return facts === undefined ? { id, groups: [] } : this.#probedPolicy(id, facts);
  }

  /** The engine over the probes of these slices. It never checks itself: what it decides is only counted. */
  async engine(slices: ReadonlyMap<Slice, ProbedSlice>): Promise<ProbeEngine> {
    const section = {
      residuals: Object.fromEntries(this.#table.residuals),
      schemas: this.#content.policies.schemas,
      slices: [...slices].map(([slice, probed]) => ({
        ...slice,
        call: probeList(probed.call),
        visibility: [],
        shadow: probeList(probed.shadow),
      })),
    };
    return new ProbeEngine(
      await createInterpretedPdp(section, this.#content.registry, { crossCheckEvery: 0 }),
    );
  }

  #factsOf({ tenant, action }: Slice): LeafFacts | undefined {
    const key = `${tenant}\0${action}`;
    const known = this.#facts.get(key);
    const leaf = this.#leaves.get(action);
    if (known !== undefined || leaf === undefined) return known;
    const facts = withDerivedConstants(leaf, this.#fixedDerivations(tenant));
    this.#facts.set(key, facts);
    return facts;
  }

  readonly #fixed = new Map<TenantId, Parameters<typeof withDerivedConstants>[1]>();

  #fixedDerivations(tenant: TenantId): Parameters<typeof withDerivedConstants>[1] {
    const known = this.#fixed.get(tenant);
    if (known !== undefined) return known;
    const own = [...this.#policies.values()].filter(
      (policy) => policy.tenant === tenant || policy.tenant === this.#platform,
    );
    const fixed = [...derivationsOf(own).values()].filter(isOnFixedPath);
    this.#fixed.set(tenant, fixed);
    return fixed;
  }

  #probedPolicy(id: PolicyId, facts: LeafFacts): ProbedPolicy {
    const policy = this.#policies.get(id);
    if (policy === undefined) return { id, groups: [] };
    const groups = (this.#groups.get(id) ?? []).map((group): ProbedGroup => ({
      group,
      probes: group.terms.map(({ expr }): TermProbe => {
        if (expr === undefined) return this.#probe(policy.scoped.whole.principal, []);
        const folded = fold(expr, facts, true);
        return booleanLiteral(folded) ?? this.#probe(ALL, [{ kind: "when", body: folded }]);
      }),
    }));
    return { id, groups };
  }

  #probe(principal: JsonObject, conditions: PolicyEst["conditions"]): string {
    const est = asJson({ effect: "forbid", principal, action: ALL, resource: ALL, conditions });
    const name = JSON.stringify(est);
    this.#table.residuals.set(name, est);
    return name;
  }
}

function probeList(policies: readonly ProbedPolicy[]): readonly SlicePolicy[] {
  const names = new Set(
    policies.flatMap(({ groups }) =>
      groups.flatMap(({ probes }) => probes.filter((probe) => typeof probe === "string")),
    ),
  );
  return [...names].map((name) => ({ id: name, residual: name }));
}

class ProbeEngine {
  readonly #pdp: Pdp;

  constructor(pdp: Pdp) {
    this.#pdp = pdp;
  }

  /** Undefined where the engine could not take the request; then nothing was reached. */
  ask(query: DecisionQuery): ProbeAnswers | undefined {
    return answersOf(this.#pdp.decide(query));
  }

  dispose(): void {
    this.#pdp.dispose();
  }
}

function answersOf({ reasons, errors }: Decision): ProbeAnswers | undefined {
  if (errors.some(({ policy }) => policy === ENGINE_FAULT)) return undefined;
  return { satisfied: new Set(reasons), errors: new Set(errors.map(({ policy }) => policy)) };
}
