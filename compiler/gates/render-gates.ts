// Results of gates as lines of text.
import { describeRow } from "#plan";
import type { GateResult, Plan } from "#plan";
import { showHidden } from "../registry/index.ts";

type Paint = (style: "dim" | "green" | "red" | "yellow", text: string) => string;

const MAX_ROWS = 5;

/** One line for each rule, and under one that stops or warns the rows it speaks of. */
export function gateLines(plan: Plan, paint: Paint): readonly string[] {
  return (plan.gates ?? []).flatMap((gate) => {
    const text = showHidden(describeGate(gate));
    switch (gate.result) {
      case "passed":
        return [`  ${paint("green", "✓")} ${text}`];
      case "not-checked":
        return [`  ${paint("yellow", "?")} ${text}`, ...rowLines(plan, gate)];
      case "warning":
        return [`  ${paint("yellow", "!")} ${text}`, ...rowLines(plan, gate)];
      case "violated":
        return [`  ${paint("red", "✗")} ${text}`, ...rowLines(plan, gate)];
    }
  });
}

/** e.g. `aegis.yaml:14:7 newlyAllowed.tiers.restricted: 3 rows without the label security-approved`. */
export function describeGate({ name, message, at, side }: GateResult): string {
  const place = at === undefined ? "" : `${at.file}:${at.line}:${at.column} `;
  return `${place}${place !== "" && side === "base" ? "(base) " : ""}${name}: ${message}`;
}

/** The rows that a gate speaks of, at most five. */
export function rowLines({ changes }: Plan, { rows }: GateResult): readonly string[] {
  const more = rows.length - MAX_ROWS;
  return [
    ...rows.slice(0, MAX_ROWS).flatMap((index) => {
      const change = changes[index];
      return change === undefined ? [] : [`      ${showHidden(describeRow(change))}`];
    }),
    ...(more <= 0 ? [] : [`      and ${more} more`]),
  ];
}
