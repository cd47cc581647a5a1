// Decides the calls of audit logs on two versions, and counts what comes out alike, changed, or cannot be told.
import { createHash } from "node:crypto";
import type { AuditRecord } from "#audit";
import { isMethodKind } from "#bundle";
import type { LeafAction, LeafEntry, PrincipalFacts } from "#bundle";
import type { DecisionChange, DecisionChangeKind, PlanDecision, PlanReplay } from "#plan";
import { isJsonObject } from "#std";
import type { JsonObject } from "#std";
import { callerOf, readDecision } from "./recorded-decision.ts";
import type { RecordedDecision } from "./recorded-decision.ts";
import { ReplaySide } from "./replay-side.ts";
import type { ReplayInput, SideAnswer } from "./replay-side.ts";

/** Verdicts that are kept for records with the same facts. */
const MAX_KNOWN_VERDICTS = 50_000;
/** Pairs of caller and leaf that are counted apart; the callers beyond are counted as one. */
const MAX_PAIRS = 100_000;
/** Names of missing facts that are counted apart. */
const MAX_MISSING_FACTS = 1_000;
/** The caller that stands for those beyond the bound. */
const OTHERS = "(other callers)";

export interface ReplayOutcome {
  readonly replay: PlanReplay;
  readonly changes: readonly DecisionChange[];
}

type Verdict =
  | { readonly kind: "skipped" | "unchanged" }
  | { readonly kind: "indeterminate"; readonly missing: readonly string[] }
  | {
      readonly kind: "changed";
      readonly change: DecisionChangeKind;
      readonly before: PlanDecision;
      readonly after: PlanDecision;
      readonly withheld: readonly string[];
    };

interface Row {
  readonly first: Omit<DecisionChange, "changedCalls" | "searchedCalls">;
  readonly pair: string;
  changed: number;
}

/** Takes records a batch at a time; memory does not grow with their number. */
export class DecisionReplay {
  readonly #base: ReplaySide;
  readonly #head: ReplaySide;
  readonly #signal: AbortSignal;
  readonly #verdicts = new Map<string, Verdict>();
  readonly #identical = new Map<string, boolean>();
  readonly #pairs = new Map<string, number>();
  readonly #rows = new Map<string, Row>();
  readonly #missing = new Map<string, number>();
  readonly #counts = { records: 0, unchanged: 0, changed: 0, indeterminate: 0, skipped: 0 };
  #from: string | undefined;
  #to: string | undefined;

  private constructor(base: ReplaySide, head: ReplaySide, signal: AbortSignal) {
    this.#base = base;
    this.#head = head;
    this.#signal = signal;
  }

  /** @throws the reason of `signal`, and Error where a version cannot be evaluated */
  static async open(base: ReplayInput, head: ReplayInput, signal: AbortSignal): Promise<DecisionReplay> {
    const before = await ReplaySide.open(base, signal);
    try {
      return new DecisionReplay(before, await ReplaySide.open(head, signal), signal);
    } catch (fault) {
      before.dispose();
      throw fault;
    }
  }

  dispose(): void {
    this.#base.dispose();
    this.#head.dispose();
  }

  async add(records: readonly AuditRecord[]): Promise<void> {
    for (const record of records) {
      const decision = readDecision(record);
      if (decision === "other") continue;
      this.#signal.throwIfAborted();
      this.#counts.records += 1;
      this.#span(record.time);
      if (decision === "skipped") this.#counts.skipped += 1;
      else this.#count(decision, await this.#judge(decision));
    }
  }

  outcome(): ReplayOutcome {
    const missing = [...this.#missing].map(([fact, records]) => ({ fact, records }));
    missing.sort((a, b) => b.records - a.records || (a.fact < b.fact ? -1 : 1));
    const rows = [...this.#rows].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
    return {
      replay: {
        ...this.#counts,
        missingFacts: missing,
        ...(this.#from === undefined || this.#to === undefined ? {} : { from: this.#from, to: this.#to }),
      },
      changes: rows.map(({ first, pair, changed }) => ({
        ...first,
        changedCalls: changed,
        searchedCalls: this.#pairs.get(pair) ?? changed,
      })),
    };
  }

  #span(time: string): void {
    if (this.#from === undefined || time < this.#from) this.#from = time;
    if (this.#to === undefined || time > this.#to) this.#to = time;
  }

  async #judge(record: RecordedDecision): Promise<Verdict> {
    const key = sameFacts(record);
    const known = this.#verdicts.get(key);
    if (known !== undefined) return known;
    const verdict = await this.#decide(record);
    // Forgetting all at once keeps what is frequent: it is soon known again.
    if (this.#verdicts.size >= MAX_KNOWN_VERDICTS) this.#verdicts.clear();
    this.#verdicts.set(key, verdict);
    return verdict;
  }

  async #decide(record: RecordedDecision): Promise<Verdict> {
    const { action } = record;
    const leaf = this.#head.leaf(action)?.leaf ?? this.#base.leaf(action)?.leaf;
    // A method without a definition is also decided by what its caller can see of the server.
    if (leaf === undefined || isMethodKind(leaf.kind)) return { kind: "skipped" };
    if (this.#isIdentical(record)) return { kind: "unchanged" };
    // Which leaf stands for a URI depends on the others of its server.
    if (isResource(leaf) && this.#resourcesDiffer(action))
      return { kind: "indeterminate", missing: ["arguments.uri"] };
    const before = await this.#base.decide(record, this.#head, this.#signal);
    const after = await this.#head.decide(record, this.#base, this.#signal);
    return compared(before, after);
  }

  #isIdentical({ tenant, action }: RecordedDecision): boolean {
    const key = `${tenant}\0${action}`;
    const known = this.#identical.get(key);
    if (known !== undefined) return known;
    const leaf = this.#head.leaf(action)?.leaf;
    const resources = leaf !== undefined && isResource(leaf) && this.#resourcesDiffer(action);
    const same =
      !resources && this.#base.fingerprint(tenant, action) === this.#head.fingerprint(tenant, action);
    this.#identical.set(key, same);
    return same;
  }

  #resourcesDiffer(action: LeafAction): boolean {
    const names = (side: ReplaySide): string =>
      JSON.stringify(
        (side.leaf(action)?.server.leaves ?? [])
          .filter(isResource)
          .map(({ action: own }) => own)
          .sort(),
      );
    return names(this.#base) !== names(this.#head);
  }

  #count(record: RecordedDecision, verdict: Verdict): void {
    this.#counts[verdict.kind] += 1;
    if (verdict.kind === "skipped") return;
    const pair = this.#pairOf(record);
    this.#pairs.set(pair.key, (this.#pairs.get(pair.key) ?? 0) + 1);
    if (verdict.kind === "indeterminate") for (const fact of verdict.missing) this.#countMissing(fact);
    if (verdict.kind !== "changed") return;
    const key = JSON.stringify([record.action, pair.principal, verdict.change]);
    const row = this.#rows.get(key);
    if (row !== undefined) {
      row.changed += 1;
      return;
    }
    const { change, before, after, withheld } = verdict;
    this.#rows.set(key, {
      first: {
        ...{
          kind: change,
          evidence: "replay",
          principal: pair.principal,
          action: record.action,
          before,
          after,
        },
        witness: witnessOf(record, withheld),
      },
      pair: pair.key,
      changed: 1,
    });
  }

  #pairOf({ principal: { id }, tenant, action }: RecordedDecision): {
    readonly key: string;
    readonly principal: string;
  } {
    const principal = tenant === "default" ? id : `${tenant}/${id}`;
    const key = JSON.stringify([action, principal]);
    const isKept = this.#pairs.has(key) || this.#pairs.size < MAX_PAIRS;
    return isKept ? { key, principal } : { key: JSON.stringify([action, OTHERS]), principal: OTHERS };
  }

  #countMissing(fact: string): void {
    const isKept = this.#missing.has(fact) || this.#missing.size < MAX_MISSING_FACTS;
    const name = isKept ? fact : "others";
    this.#missing.set(name, (this.#missing.get(name) ?? 0) + 1);
  }
}

function isResource({ kind }: LeafEntry): boolean {
  return kind === "resource" || kind === "resource-template" || kind === "resource-rule";
}

/** Records that agree in this are decided alike. The bundle counts: it says what was checked. */
function sameFacts({
  tenant,
  action,
  digest,
  issuer,
  principal,
  code,
  detail,
  facts,
}: RecordedDecision): string {
  const refused = code === "PRINCIPAL_ATTRIBUTE_MISSING" ? detail : "";
  const text = JSON.stringify([tenant, action, digest, issuer, principal, refused, facts?.json ?? null]);
  return createHash("sha256").update(text).digest("base64");
}

function compared(before: SideAnswer, after: SideAnswer): Verdict {
  const missing = [before, after].flatMap((side) => (side.kind === "open" ? side.missing : []));
  if (before.kind === "open" || after.kind === "open")
    return { kind: "indeterminate", missing: [...new Set(missing)].sort() };
  const change = changeOf(before, after);
  if (change === undefined) return { kind: "unchanged" };
  const withheld = [...new Set([...before.unneeded, ...after.unneeded])].sort();
  return { kind: "changed", change, before: shown(before), after: shown(after), withheld };
}

type Decided = Extract<SideAnswer, { kind: "decided" }>;

function changeOf(before: Decided, after: Decided): DecisionChangeKind | undefined {
  if (before.effect !== after.effect) return after.effect === "allow" ? "newly-allowed" : "newly-denied";
  if (!before.isComplete || !after.isComplete) return undefined;
  const isSame =
    before.code === after.code && JSON.stringify(before.reasons) === JSON.stringify(after.reasons);
  return isSame ? undefined : "reasons-changed";
}

function shown({ effect, reasons, code }: Decided): PlanDecision {
  return { effect, reasons, ...(code === undefined ? {} : { code }) };
}

function witnessOf(record: RecordedDecision, withheld: readonly string[]): DecisionChange["witness"] {
  const state = record.facts?.state(["arguments"]);
  const args = state?.kind === "value" && isJsonObject(state.value) ? (state.value as JsonObject) : {};
  return {
    principal: callerOf(record) ?? unnamed(record),
    arguments: args,
    recorded: { id: record.id, at: record.at, withheld },
  };
}

/** A caller whose facts were not recorded: roles are. */
function unnamed({ principal, tenant }: RecordedDecision): PrincipalFacts {
  return { type: "User", id: principal.id, tenant, roles: principal.roles, groups: [], attributes: {} };
}
