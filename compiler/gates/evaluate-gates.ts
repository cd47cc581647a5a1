// Which rows of a plan pass the gates of both sides. The stricter side holds: a change cannot open its own gate.
import type { BundleContent, ServerEntry } from "#bundle";
import { GATE_NAMES } from "../model/gate.ts";
import type { Gate, GateClause, GateName } from "../model/gate.ts";
import { planSide } from "../calls/plan-side.ts";
import type { PlanInput, PlanSide } from "../calls/plan-side.ts";
import type { GateResult, Plan, PlanChange } from "#plan";
import { isSameServer } from "./same-server.ts";
import { strictness } from "./gate-table.ts";

type SideName = "base" | "head";
type Sides = Readonly<Record<SideName, PlanSide>>;

/** One rule that speaks of a row. */
interface Asked {
  readonly name: string;
  readonly side: SideName;
  readonly clause: GateClause;
}

/**
 * The plan with a result for each gate of either side, in their documented order; unchanged where there is none.
 * `labels` are those of the pull request. Asked last: rows and replay must be complete.
 */
export function withGates(
  plan: Plan,
  base: PlanInput,
  head: PlanInput,
  options: { readonly labels: readonly string[] },
): Plan {
  const sides: Sides = { base: planSide(base, "base"), head: planSide(head, "head") };
  const gates = GATE_NAMES.flatMap((name) => {
    const own = (["head", "base"] as const).flatMap((side) =>
      (sides[side].gates ?? []).filter((gate) => gate.name === name).map((gate) => ({ side, gate })),
    );
    return own.length === 0 ? [] : gateResults(plan, sides, name, own, new Set(options.labels));
  });
  return gates.length === 0 ? plan : { ...plan, gates };
}

/** Gates that stop the plan. */
export function violatedGates({ gates = [] }: Plan): readonly GateResult[] {
  return gates.filter(({ result }) => result === "violated");
}

type OwnGates = readonly { readonly side: SideName; readonly gate: Gate }[];

function gateResults(
  plan: Plan,
  sides: Sides,
  name: GateName,
  own: OwnGates,
  labels: ReadonlySet<string>,
): readonly GateResult[] {
  const rows = [...plan.changes.entries()].filter(([, change]) => CONCERNS[name](change));
  const asked = new Map<string, Asked & { readonly rows: number[] }>();
  for (const [index, change] of rows) {
    for (const one of decisive(own, serversOf(sides, change))) {
      const key = JSON.stringify([one.name, one.clause.rule]);
      const known = asked.get(key) ?? { ...one, rows: [] };
      asked.set(key, known);
      known.rows.push(index);
    }
  }
  const results = [...asked.values()].map((one) => resultOf(one, one.rows, labels));
  const limits = own.flatMap(({ side, gate }) => replayResult(plan, side, gate, rows));
  if (results.length > 0) return [...results, ...limits];
  const side = own[0]?.side ?? "head";
  return [{ name, result: "passed", message: "no such change", rows: [], side }, ...limits];
}

/** The strictest of what either side says of a row on these servers; the head first where both say the same. */
function decisive(own: OwnGates, servers: readonly ServerEntry[]): readonly Asked[] {
  const all = own.flatMap(({ side, gate }) => clausesOf(side, gate, servers));
  const most = Math.max(...all.map(({ clause }) => strictness(clause.rule)));
  return all
    .filter(({ clause }) => strictness(clause.rule) === most)
    .filter((one, index, list) => list.findIndex((other) => sameDemand(one, other)) === index);
}

function sameDemand(a: Asked, b: Asked): boolean {
  const label = ({ clause: { rule } }: Asked): string | undefined =>
    rule.effect === "require" ? rule.label : undefined;
  return label(a) === label(b);
}

function clausesOf(side: SideName, gate: Gate, servers: readonly ServerEntry[]): readonly Asked[] {
  const otherwise: Asked = {
    name: gate.name,
    side,
    clause: gate.default ?? { rule: { effect: "warn" }, at: gate.at },
  };
  if (servers.length === 0) return [otherwise];
  return servers.flatMap(({ tier, labels }): readonly Asked[] => {
    const of = (by: "labels" | "tiers", key: string): readonly Asked[] => {
      const clause = gate[by].get(key);
      return clause === undefined ? [] : [{ name: `${gate.name}.${by}.${key}`, side, clause }];
    };
    const own = [...of("tiers", tier), ...labels.flatMap((label) => of("labels", label))];
    return own.length === 0 ? [otherwise] : own;
  });
}

function resultOf(
  { name, side, clause }: Asked,
  rows: readonly number[],
  labels: ReadonlySet<string>,
): GateResult {
  const { rule } = clause;
  const { file, line, column } = clause.at;
  const common = { name, rows, at: { file, line, column }, side };
  const count = `${rows.length} ${rows.length === 1 ? "row" : "rows"}`;
  switch (rule.effect) {
    case "allow":
      return { ...common, result: "passed", message: `${count}, allowed` };
    case "warn":
      return { ...common, result: "warning", message: count };
    case "deny":
      return { ...common, result: "violated", message: `${count}, denied` };
    case "require": {
      const { label } = rule;
      return labels.has(label)
        ? { ...common, result: "passed", message: `${count}, the pull request has the label ${label}`, label }
        : { ...common, result: "violated", message: `${count} without the label ${label}`, label };
    }
  }
}

/**
 * The share of the replayed decisions that changed in the way of the gate. What cannot be told counts as changed, and
 * records that decide nothing do not count at all.
 */
function replayResult(
  plan: Plan,
  side: SideName,
  { name: gate, maxPercentOfReplay }: Gate,
  rows: readonly (readonly [number, PlanChange])[],
): readonly GateResult[] {
  if (maxPercentOfReplay === undefined) return [];
  const { percent, at } = maxPercentOfReplay;
  const name = `${gate}.maxPercentOfReplay`;
  const common = { name, at: { file: at.file, line: at.line, column: at.column }, side };
  const { replay } = plan;
  if (replay === undefined) {
    const message = "not checked: no audit log was replayed";
    return [{ ...common, result: "not-checked", message, rows: rows.map(([index]) => index) }];
  }
  if (replay.records === 0) {
    const message = "the log that was replayed holds no decision";
    return [{ ...common, result: "violated", message, rows: rows.map(([index]) => index) }];
  }
  const decisions = replay.records - replay.skipped;
  if (decisions <= 0) {
    const message = `none of ${replay.records} records could be replayed`;
    return [{ ...common, result: "violated", message, rows: rows.map(([index]) => index) }];
  }
  const replayed = rows.filter(([, change]) => change.evidence === "replay");
  const changed = replayed.reduce(
    (sum, [, change]) => sum + (change.evidence === "structural" ? 0 : change.changedCalls),
    0,
  );
  const share = (100 * (changed + replay.indeterminate)) / decisions;
  const unknown = replay.indeterminate === 0 ? "" : ` and ${replay.indeterminate} indeterminate`;
  const message = `${changed} changed${unknown} of ${decisions} replayed decisions (${share.toFixed(1)} %, at most ${percent} %)`;
  const result = share > percent ? "violated" : "passed";
  return [{ ...common, result, message, rows: replayed.map(([index]) => index) }];
}

const CONCERNS: Readonly<Record<GateName, (change: PlanChange) => boolean>> = {
  newlyAllowed: ({ kind }) => kind === "newly-allowed",
  newlyDenied: ({ kind }) => kind === "newly-denied",
  redactionRemoved: (change) => change.kind === "transforms-changed" && weakens(change),
  serverChanged: ({ kind }) => kind === "server-added" || kind === "server-changed",
  pinChanged: ({ kind }) => kind === "pin-changed",
  forbidShadowed: (change) => change.kind === "policy-mode-changed" && weakens(change),
  forbidRemoved: (change) =>
    (change.kind === "policy-removed" || change.kind === "policy-changed") && weakens(change),
  identityChanged: ({ kind }) => kind.startsWith("issuer-"),
  limitLoosened: (change) => change.kind.startsWith("limit-") && weakens(change),
  safeguardLoosened: (change) =>
    (change.kind.startsWith("gate-") || change.kind.startsWith("invariant-")) && weakens(change),
};

function weakens(change: PlanChange): boolean {
  return change.evidence === "structural" && change.weakens === true;
}

/**
 * The servers that a row is about, as each side describes them: a server cannot leave its tier and pass by that. Every
 * server of the base that is the same one under another id counts too.
 */
function serversOf(sides: Sides, change: PlanChange): readonly ServerEntry[] {
  const subjects = subjectsOf(sides, change);
  const found = (["head", "base"] as const).flatMap((side) =>
    sides[side].content.registry.servers.filter((server) => isAbout(change, subjects, server)),
  );
  const others = sides.base.content.registry.servers.filter((server) =>
    found.some((one) => one !== server && isSameServer(server, one)),
  );
  return [...new Set([...found, ...others])];
}

/** What a row is about on either side: actions, or ids of servers. */
function subjectsOf(sides: Sides, change: PlanChange): ReadonlySet<string> {
  if (change.evidence !== "structural") return new Set([change.action]);
  const { kind, subject } = change;
  switch (kind) {
    case "pin-changed":
    case "server-added":
    case "server-changed":
      return new Set([subject]);
    case "transforms-changed":
      // A tenant's entry has its name before the action.
      return new Set([subject, subject.slice(subject.indexOf(": ") + 2)]);
    case "policy-changed":
    case "policy-removed":
    case "policy-mode-changed":
      return new Set([sides.base, sides.head].flatMap(({ content }) => actionsOf(content, subject)));
    default:
      return new Set();
  }
}

function actionsOf({ policies }: BundleContent, policy: string): readonly string[] {
  return policies.slices
    .filter(({ call, shadow }) => [...call, ...shadow].some(({ id }) => id === policy))
    .map(({ action }) => action);
}

function isAbout(change: PlanChange, subjects: ReadonlySet<string>, server: ServerEntry): boolean {
  if (change.kind === "server-added" || change.kind === "server-changed") return subjects.has(server.id);
  if (change.kind === "pin-changed" && change.subject === `announcement of ${server.id}`) return true;
  return server.leaves.some(({ action }) => subjects.has(action));
}
