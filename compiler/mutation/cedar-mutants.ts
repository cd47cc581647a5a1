// The mutants of a policy that is written in Cedar: edits of its text, each at its place.
import type { ParsedPolicy } from "../cedar/index.ts";
import { policyNodes } from "./cedar-nodes.ts";
import type { CedarNode, ConditionNode, PolicyNodes, ScopeSlot } from "./cedar-nodes.ts";
import { expressionEdits, withoutItem } from "./expression-edits.ts";
import type { TextEdit } from "./expression-edits.ts";
import { excerpt } from "./excerpt.ts";
import type { Mutant, OperatorName } from "./mutant.ts";

/** Every mutant of one policy in order of place; none where its text is not understood. */
export function cedarMutants(policy: ParsedPolicy): readonly Mutant[] {
  const { text } = policy.text;
  const nodes = policyNodes(policy.text.tokens, policy.text.effectToken);
  if (nodes === undefined) return [];
  const at = policy.spanOf(nodes.effect);
  const place = { file: at.file, line: at.line, column: at.column };
  const whole: readonly Mutant[] = [
    {
      operator: "remove-policy",
      at: place,
      description: `removed the ${nodes.effect.value} policy`,
      change: { kind: "policy", id: policy.id },
    },
    modeMutant(policy, place),
  ];
  const edits = [
    ...effectEdits(nodes),
    ...nodes.scope.flatMap((slot) => scopeEdits(text, slot)),
    ...nodes.conditions.flatMap((condition) => conditionEdits(text, condition)),
  ];
  const edited = edits.map(({ operator, at: shown, range, replacement, description }): Mutant => {
    const { file, line, column } = policy.spanOf(shown ?? range);
    const changed = text.slice(0, range.start) + replacement + text.slice(range.end);
    const change = { kind: "policy", id: policy.id, text: changed } as const;
    return { operator, at: { file, line, column }, description, change };
  });
  return [...whole, ...edited];
}

function modeMutant(policy: ParsedPolicy, at: Mutant["at"]): Mutant {
  const { id, shadow, text } = policy;
  const description = shadow
    ? "enforced the policy that is in shadow mode"
    : "put the policy into shadow mode: enforce became shadow";
  const change = { kind: "policy", id, text: text.text, shadow: !shadow } as const;
  return { operator: "flip-mode", at, description, change };
}

function effectEdits({ effect }: PolicyNodes): readonly TextEdit[] {
  const other = effect.value === "permit" ? "forbid" : "permit";
  const description = `${effect.value} became ${other}`;
  return [{ operator: "flip-effect", range: effect, replacement: other, description }];
}

const WIDENED: Readonly<Record<string, OperatorName>> = {
  principal: "widen-principal",
  action: "widen-action",
  resource: "widen-resource",
};

function scopeEdits(text: string, slot: ScopeSlot): readonly TextEdit[] {
  const operator = WIDENED[slot.name];
  if (slot.isOpen || operator === undefined) return [];
  const written = excerpt(text.slice(slot.start, slot.end));
  const description = `widened \`${written}\` to \`${slot.name}\``;
  const members = slot.members.length < 2 ? [] : slot.members;
  return [
    { operator, range: slot, replacement: slot.name, description },
    ...members.map((member, index): TextEdit => {
      const name = excerpt(text.slice(member.start, member.end));
      const range = withoutItem(members, index);
      const what = `dropped \`${name}\` from the set of ${slot.name}`;
      return { operator: "drop-member", at: member, range, replacement: "", description: what };
    }),
  ];
}

function conditionEdits(text: string, condition: ConditionNode): readonly TextEdit[] {
  const { keyword, body, start, end } = condition;
  const dropped = `dropped \`${excerpt(text.slice(start, end))}\``;
  return [
    { operator: "drop-condition", range: { start, end }, replacement: "", description: dropped },
    ...(isRow(body) ? [negated(text, body, `the condition of \`${keyword}\``)] : []),
    ...expressionEdits(text, body),
  ];
}

function isRow(node: CedarNode): boolean {
  return node.kind === "paren" ? isRow(node.inner) : node.kind === "chain" || node.kind === "if";
}

function negated(text: string, node: CedarNode, what: string): TextEdit {
  const replacement = `!(${text.slice(node.start, node.end)})`;
  return { operator: "negate-condition", range: node, replacement, description: `negated ${what}` };
}
