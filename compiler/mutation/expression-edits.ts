// The changes of an expression: every Boolean part, comparison, number, set and pattern in it.
import type { CedarNode, NodeRange } from "./cedar-nodes.ts";
import { excerpt } from "./excerpt.ts";
import type { OperatorName } from "./mutant.ts";
import { anchors, charactersOfLiteral, wildcards } from "./pattern-edits.ts";

/** A replacement in the text of a policy. */
export interface TextEdit {
  readonly operator: OperatorName;
  /** Where it is shown; absent = where the range starts. */
  readonly at?: NodeRange;
  readonly range: NodeRange;
  readonly replacement: string;
  readonly description: string;
}

/** The range of one item of a list together with what joins it to its neighbour. */
export function withoutItem(items: readonly NodeRange[], index: number): NodeRange {
  const item = items[index] ?? { start: 0, end: 0 };
  const before = items[index - 1];
  if (before !== undefined) return { start: before.end, end: item.end };
  return { start: item.start, end: items[index + 1]?.start ?? item.end };
}

/** What a relational operator becomes. */
const RELATIONAL: Readonly<Record<string, string>> = {
  "<": "<=",
  "<=": "<",
  ">": ">=",
  ">=": ">",
  "==": "!=",
  "!=": "==",
};
/** What a method that compares becomes. */
const METHODS: Readonly<Record<string, string>> = {
  lessThan: "lessThanOrEqual",
  lessThanOrEqual: "lessThan",
  greaterThan: "greaterThanOrEqual",
  greaterThanOrEqual: "greaterThan",
  containsAll: "containsAny",
  containsAny: "containsAll",
};

/** The edits of an expression that is a condition. */
export function expressionEdits(text: string, node: CedarNode): readonly TextEdit[] {
  switch (node.kind) {
    case "chain":
      return node.terms.flatMap((term, index) => [
        dropped(text, node, term, index),
        ...expressionEdits(text, term),
      ]);
    case "paren":
      return expressionEdits(text, node.inner);
    case "if":
      return node.parts.flatMap((part) => expressionEdits(text, part));
    case "not": {
      const { operand } = node;
      const inner = text.slice(operand.start, operand.end);
      return [
        {
          operator: "negate-condition",
          range: node,
          replacement: inner,
          description: `dropped the \`!\` of \`${excerpt(text.slice(node.start, node.end))}\``,
        },
        ...valueEdits(text, operand),
      ];
    }
    case "relation":
      return relationEdits(text, node);
    case "boolean":
      return valueEdits(text, node);
    default:
      return [negation(text, node), ...valueEdits(text, node)];
  }
}

function dropped(
  text: string,
  chain: Extract<CedarNode, { readonly kind: "chain" }>,
  term: CedarNode,
  index: number,
): TextEdit {
  const noun = chain.operator === "&&" ? "clause" : "alternative";
  const description = `dropped the ${noun} \`${excerpt(text.slice(term.start, term.end))}\``;
  const range = withoutItem(chain.terms, index);
  return { operator: "drop-clause", at: term, range, replacement: "", description };
}

function negation(text: string, node: CedarNode): TextEdit {
  const written = text.slice(node.start, node.end);
  const description = `negated \`${excerpt(written)}\``;
  return { operator: "negate-condition", range: node, replacement: `!(${written})`, description };
}

function relationEdits(
  text: string,
  node: Extract<CedarNode, { readonly kind: "relation" }>,
): readonly TextEdit[] {
  const { operator, left, right } = node;
  const other = RELATIONAL[operator.value];
  const sides = [left, right];
  const within = excerpt(text.slice(node.start, node.end));
  // `x == true` has its literal changed: that is the same change.
  const isFlag = sides.some(({ kind }) => kind === "boolean");
  const changed: readonly TextEdit[] =
    other === undefined
      ? [negation(text, node)]
      : isFlag
        ? []
        : [
            {
              operator: "relational",
              range: operator,
              replacement: other,
              description: `\`${operator.value}\` became \`${other}\` in \`${within}\``,
            },
          ];
  return [...changed, ...sides.flatMap((side) => [...boundaries(side, within), ...valueEdits(text, side)])];
}

function boundaries(node: CedarNode, within: string): readonly TextEdit[] {
  if (node.kind !== "number") return [];
  return [node.value + 1, node.value - 1].map((value): TextEdit => {
    const description = `${node.value} became ${value} in \`${within}\``;
    return { operator: "boundary", range: node, replacement: String(value), description };
  });
}

/** The edits of an expression that is a value. */
function valueEdits(text: string, node: CedarNode): readonly TextEdit[] {
  const within = (nodes: readonly CedarNode[]): readonly TextEdit[] =>
    nodes.flatMap((part) => valueEdits(text, part));
  switch (node.kind) {
    case "boolean": {
      const { value } = node;
      const description = `${value} became ${!value}`;
      return [{ operator: "flip-literal", range: node, replacement: String(!value), description }];
    }
    case "set":
      return [...memberEdits(text, node.items), ...within(node.items)];
    case "test":
      return [
        ...within([node.left]),
        ...(node.pattern === undefined ? [] : wildcardEdits(text, node.pattern)),
      ];
    case "call":
      return [...callEdits(text, node), ...within(node.parts)];
    case "chain":
    case "if":
    case "not":
    case "relation":
      return expressionEdits(text, node);
    case "paren":
      return valueEdits(text, node.inner);
    case "other":
      return within(node.parts);
    case "number":
    case "string":
      return [];
  }
}

function memberEdits(text: string, items: readonly CedarNode[]): readonly TextEdit[] {
  if (items.length < 2) return [];
  return items.map((item, index): TextEdit => {
    const name = excerpt(text.slice(item.start, item.end));
    const range = withoutItem(items, index);
    return {
      operator: "drop-member",
      at: item,
      range,
      replacement: "",
      description: `dropped ${name} from a set`,
    };
  });
}

function wildcardEdits(text: string, pattern: NodeRange): readonly TextEdit[] {
  const literal = text.slice(pattern.start, pattern.end);
  return wildcards(literal).map(({ start, end }): TextEdit => {
    const range = { start: pattern.start + start, end: pattern.start + end };
    const description = `dropped a wildcard of ${excerpt(literal)}`;
    return { operator: "drop-wildcard", range, replacement: "", description };
  });
}

function callEdits(text: string, node: Extract<CedarNode, { readonly kind: "call" }>): readonly TextEdit[] {
  const { name, parts } = node;
  const other = METHODS[name.value];
  if (other !== undefined) {
    const description = `\`${name.value}\` became \`${other}\``;
    return [{ operator: "relational", range: name, replacement: other, description }];
  }
  const pattern = parts[1];
  if (name.value !== "matches" || pattern?.kind !== "string") return [];
  const literal = text.slice(pattern.start, pattern.end);
  return anchors(charactersOfLiteral(literal)).map(({ written, start, end }): TextEdit => {
    const range = { start: pattern.start + start, end: pattern.start + end };
    const description = `removed the anchor ${written} of ${excerpt(literal)}`;
    return { operator: "drop-anchor", range, replacement: "", description };
  });
}
