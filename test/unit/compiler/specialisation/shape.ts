// What a random repository is about: its servers and what each offers.
import { leafActionOf, METHODS_OF_KIND } from "#bundle";
import type { LeafAction } from "#bundle";
import type { Dice } from "./dice.ts";
import { randomFields } from "./fields.ts";
import type { Field } from "./fields.ts";

export type Kind = "tool" | "resource" | "resource-template" | "prompt";
export type Group = "tools" | "resources" | "prompts";

export interface Leaf {
  readonly server: string;
  readonly kind: Kind;
  readonly name: string;
  readonly action: LeafAction;
  readonly fields: readonly Field[];
  /** Hints of a tool that differ from the defaults. */
  readonly annotations: Readonly<Record<string, boolean>>;
}

export interface ServerShape {
  readonly id: string;
  readonly tier: string;
  readonly labels: readonly string[];
}

export interface Shape {
  readonly servers: readonly ServerShape[];
  readonly leaves: readonly Leaf[];
}

const HINTS = ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"];
const URI: readonly Field[] = [{ name: "uri", kind: "text", required: true, fields: [] }];

export function groupOf({ kind }: Leaf): Group {
  if (kind === "tool") return "tools";
  return kind === "prompt" ? "prompts" : "resources";
}

function promptFields(dice: Dice): readonly Field[] {
  return dice
    .some(["topic", "style"])
    .map((name) => ({ name, kind: "text", required: dice.chance(0.5), fields: [] }));
}

function leavesOf(dice: Dice, server: string): readonly Leaf[] {
  const leaf = (kind: Kind, name: string, fields: readonly Field[]): Leaf => ({
    ...{ server, kind, name, fields },
    action: leafActionOf(METHODS_OF_KIND[kind][0], server, name),
    annotations:
      kind === "tool" ? Object.fromEntries(dice.some(HINTS).map((hint) => [hint, dice.chance(0.5)])) : {},
  });
  return [
    ...dice.times(1, 3, (index) => leaf("tool", `${server}.t${String(index)}`, randomFields(dice))),
    ...dice.times(0, 1, (index) => leaf("resource", `${server}://r${String(index)}`, URI)),
    ...dice.times(0, 1, () => leaf("resource-template", `${server}://x/{id}`, URI)),
    ...dice.times(0, 1, (index) => leaf("prompt", `${server}.p${String(index)}`, promptFields(dice))),
  ];
}

export function randomShape(dice: Dice): Shape {
  const servers = dice.times(1, 3, (index) => ({
    id: `s${String(index)}`,
    tier: dice.pick(["production", "internal", "prod2"]),
    labels: dice.some(["data", "web", "finance"]),
  }));
  return { servers, leaves: servers.flatMap(({ id }) => leavesOf(dice, id)) };
}
