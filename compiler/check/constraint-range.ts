// Argument constraints beside what the pinned schema already says of the value: some exclude nothing, some everything.
import type { SchemaNode, SchemaProgram } from "#bundle";
import { resolveProjection } from "#schema";
import type { Parsed } from "../documents/load.ts";
import type { ArgumentConstraintShape, PolicyShape } from "../documents/shapes.ts";
import type { PinnedLeaf } from "../lower/registry.ts";
import type { CheckContext, CheckRule } from "./context.ts";

/** What a schema lets a number, a length or a count be; bounds inclusive. */
interface Range {
  readonly least: number;
  readonly most: number;
}

interface Misfit {
  readonly key: keyof ArgumentConstraintShape;
  readonly index?: number;
  readonly code: "ARGUMENT_CONSTRAINT_IMPOSSIBLE" | "ARGUMENT_CONSTRAINT_VACUOUS";
  readonly message: string;
}

export const constraintRange: CheckRule = {
  name: "constraint-range",
  run: (context) => {
    for (const document of context.documents.policies) {
      for (const [tool, { arguments: rules = {} }] of Object.entries(document.shape.constraints ?? {})) {
        const leaf = constrainedLeaf(context, document, tool);
        for (const [name, rule] of Object.entries(leaf === undefined ? {} : rules)) {
          const node = leaf === undefined ? undefined : nodeAt(leaf.leaf.argumentsProgram, name);
          for (const { key, index, code, message } of node === undefined ? [] : misfits(node, rule)) {
            const path = [
              "constraints",
              tool,
              "arguments",
              name,
              key,
              ...(index === undefined ? [] : [index]),
            ];
            context.sink.report(code, document.source.at(...path), `${name} of ${tool}: ${message}`);
          }
        }
      }
    }
  },
};

/** The definition that a key under `constraints` was resolved to. */
function constrainedLeaf(
  { lowered, registry }: CheckContext,
  { source }: Parsed<PolicyShape>,
  tool: string,
): PinnedLeaf | undefined {
  for (const { action, file, use } of lowered.uses) {
    if (use !== "constrain" || file !== source.file) continue;
    const leaf = registry.leaves.get(action);
    if (leaf === undefined) continue;
    if (leaf.leaf.name === tool || `${leaf.server.entry.id}/${leaf.leaf.name}` === tool) return leaf;
  }
  return undefined;
}

/** The schema of the values that `written` means: an argument, a member, or the elements of an array. */
function nodeAt(program: SchemaProgram, written: string): SchemaNode | undefined {
  const root = resolveProjection(program, program.root)?.node;
  const isWhole = root !== undefined && Object.hasOwn(root.properties ?? {}, written);
  let index = program.root;
  for (const step of isWhole ? [written] : written.split(".")) {
    const isElements = !isWhole && step.endsWith("[]");
    const name = isElements ? step.slice(0, -2) : step;
    const properties = resolveProjection(program, index)?.node.properties ?? {};
    const member = Object.hasOwn(properties, name) ? properties[name] : undefined;
    const next = isElements && member !== undefined ? resolveProjection(program, member)?.node.items : member;
    if (next === undefined) return undefined;
    index = next;
  }
  return resolveProjection(program, index)?.node;
}

function misfits(node: SchemaNode, rule: ArgumentConstraintShape): readonly Misfit[] {
  const isInteger = node.types?.every((type) => type === "integer" || type === "null") === true;
  const step = isInteger ? 1 : 0;
  const values: Range = {
    least: Math.max(node.minimum ?? -Infinity, (node.exclusiveMinimum ?? -Infinity) + step),
    most: Math.min(node.maximum ?? Infinity, (node.exclusiveMaximum ?? Infinity) - step),
  };
  const lengths: Range = { least: node.minLength ?? 0, most: node.maxLength ?? Infinity };
  const counts: Range = { least: node.minItems ?? 0, most: node.maxItems ?? Infinity };
  return [
    ...boundMisfits(rule, "min", "max", values),
    ...boundMisfits(rule, "minLength", "maxLength", lengths),
    ...boundMisfits(rule, "minItems", "maxItems", counts),
    ...choiceMisfits(node, rule),
  ];
}

type BoundKey = "max" | "maxItems" | "maxLength" | "min" | "minItems" | "minLength";

function boundMisfits(
  rule: ArgumentConstraintShape,
  low: BoundKey,
  high: BoundKey,
  { least, most }: Range,
): readonly Misfit[] {
  const found: Misfit[] = [];
  const from = rule[low];
  const to = rule[high];
  if (from !== undefined && from > most)
    found.push(impossible(low, `the pinned schema allows at most ${most}`));
  else if (from !== undefined && from <= least) found.push(vacuous(low, `at least ${least}`));
  if (to !== undefined && to < least)
    found.push(impossible(high, `the pinned schema asks for at least ${least}`));
  else if (to !== undefined && to >= most) found.push(vacuous(high, `at most ${most}`));
  // One end of a written range that the other end narrows is there to be read.
  const isHalf = from !== undefined && to !== undefined && found.length === 1;
  return isHalf ? found.filter(({ code }) => code !== "ARGUMENT_CONSTRAINT_VACUOUS") : found;
}

function impossible(key: Misfit["key"], why: string): Misfit {
  return { key, code: "ARGUMENT_CONSTRAINT_IMPOSSIBLE", message: `no value can pass, ${why}` };
}

function vacuous(key: Misfit["key"], what: string): Misfit {
  const message = `every value passes, the pinned schema asks for ${what} anyway`;
  return { key, code: "ARGUMENT_CONSTRAINT_VACUOUS", message };
}

function choiceMisfits(node: SchemaNode, rule: ArgumentConstraintShape): readonly Misfit[] {
  const known = node.enum?.filter((value) => value !== null);
  if (known === undefined || rule.enum === undefined) return [];
  const written = new Set<unknown>(rule.enum);
  if (known.every((value) => written.has(value))) {
    return [vacuous("enum", `one of ${known.map((value) => JSON.stringify(value)).join(", ")}`)];
  }
  const code = "ARGUMENT_CONSTRAINT_IMPOSSIBLE";
  return rule.enum.flatMap((value, index): readonly Misfit[] => {
    if (known.includes(value)) return [];
    const message = `${JSON.stringify(value)} can never be sent, the pinned schema does not list it`;
    return [{ key: "enum", index, code, message }];
  });
}
