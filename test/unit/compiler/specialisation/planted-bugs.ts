// Bugs planted in the compiler: each is a mistake that specialisation could make, and that the differential has to see.

export interface PlantedBug {
  readonly name: string;
  /** Below compiler/. */
  readonly file: string;
  /** A repository that shows it; where the generator has changed, the ones after it are tried. */
  readonly seed: number;
  /** Must occur exactly once. */
  readonly from: string;
  readonly to: string;
}

export const PLANTED_BUGS: readonly PlantedBug[] = [
  {
    name: "`X && false` is false, though X may err",
    file: "cedar/fold.ts",
    seed: 20_348_231,
    from: "  const rightValue = booleanLiteral(right);\n",
    to: "  const rightValue = booleanLiteral(right);\n  if (rightValue === row.absorbing) return literal(row.absorbing);\n",
  },
  {
    name: "`!=` folds like `==`",
    file: "cedar/fold.ts",
    seed: 20_261_122,
    from: 'literal(equal === (operator === "=="))',
    to: "literal(equal)",
  },
  {
    name: "a method is no group of its leaves",
    file: "cedar/fold.ts",
    seed: 20_435_340,
    from: "return id === facts.leaf.action || id === methodOfAction(facts.leaf.action);",
    to: "return id === facts.leaf.action;",
  },
  {
    name: "`in` looks at the first of a set",
    file: "cedar/fold.ts",
    seed: 20_680_829,
    from: "answers.includes(undefined) ? undefined : answers.includes(true)",
    to: "answers[0]",
  },
  {
    name: "a pattern of `like` may go on after the text",
    file: "cedar/fold.ts",
    seed: 20_332_393,
    from: 'return elements.slice(element).every((rest) => rest === "");',
    to: "return true;",
  },
  {
    name: "`if` takes the other branch",
    file: "cedar/fold.ts",
    seed: 20_419_502,
    from: 'operand(body, value ? "then" : "else")',
    to: 'operand(body, value ? "else" : "then")',
  },
  {
    name: "a false condition drops the policy, though one before it may err",
    file: "cedar/specialise.ts",
    seed: 20_261_122,
    from: "if (holds === false && kept.length === 0) return undefined;",
    to: "if (holds === false) return undefined;",
  },
  {
    name: "`unless` folds like `when`",
    file: "cedar/specialise.ts",
    seed: 20_261_122,
    from: 'value === (clause.kind === "when")',
    to: "value",
  },
  {
    name: "a URI pattern looks at the template, not at the URI",
    file: "lower/resource-patterns.ts",
    seed: 20_371_988,
    from: 'const path = ["arguments", "uri"];',
    to: 'const path = ["target"];',
  },
  {
    name: "a pattern in shadow mode makes URIs reachable",
    file: "lower/resource-patterns.ts",
    seed: 20_562_044,
    from: "if (!work.shadow && work.tenant === DEFAULT_TENANT) work.rules.push(",
    to: "if (work.tenant === DEFAULT_TENANT) work.rules.push(",
  },
  {
    name: "a tenant's policies stand in the slices of all",
    file: "cedar/compile.ts",
    seed: 20_261_122,
    from: "this.#policies.filter((policy) => own.has(policy.tenant))",
    to: "this.#policies.filter((policy) => own.has(policy.tenant) || policy.tenant !== platform)",
  },
  {
    name: "a tenant's roles are the platform's",
    file: "cedar/parse.ts",
    seed: 20_261_122,
    from: "return { type: entity.type, id: qualifiedId(tenant, entity.id) };",
    to: 'return { type: entity.type, id: entity.type === "Role" ? entity.id : qualifiedId(tenant, entity.id) };',
  },
  {
    name: "the implied permit covers sampling",
    file: "lower/method-leaves.ts",
    seed: 20_284_879,
    from: '["completion", "logging", "subscription", "task"]',
    to: '["completion", "logging", "sampling", "subscription", "task"]',
  },
  {
    name: "the URI of a template folds to the template",
    file: "cedar/fold.ts",
    seed: 20_371_988,
    from: '...(leaf.kind === "resource"',
    to: '...(leaf.kind.startsWith("resource")',
  },
  {
    name: "a constraint breaks where its argument is absent",
    file: "lower/constraints.ts",
    seed: 20_276_960,
    from: "const when = `${target.guard} && !(${condition.text})`;",
    to: "const when = `!(${target.guard} && ${condition.text})`;",
  },
  {
    name: "one fitting label is enough for a scope",
    file: "lower/policies.ts",
    seed: 20_316_555,
    from: "(labels === undefined || labels.some((label) => entry.labels.includes(label))) &&",
    to: "(labels === undefined || labels.some((label) => entry.labels.includes(label))) ||",
  },
  {
    name: "`*` of a method is every server, whatever the scope",
    file: "lower/asks.ts",
    seed: 20_300_717,
    from: 'if (name === "*") return inScope;',
    to: 'if (name === "*") return known;',
  },
];
