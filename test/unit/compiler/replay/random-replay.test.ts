// Random repositories, requests and edits: a replay of a record with all facts says what both versions say of the call
// itself; with facts taken away it says the same or that it cannot tell, and never anything else.
import { expect, test } from "vitest";
import type { BundleContent, FactsMode } from "#bundle";
import { compile, memoryWorkspace } from "#compiler";
import { loadSqlParser } from "#facts";
import { ReplaySide } from "#replay";
import type { SideAnswer } from "#replay";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { randomRequest } from "../specialisation/compare.ts";
import { Dice } from "../specialisation/dice.ts";
import { randomRepository } from "../specialisation/repository.ts";
import type { RandomRepository } from "../specialisation/repository.ts";
import { isMethod } from "../specialisation/shape.ts";
import { decisionIn, recorderOf, recordOf } from "./recording.ts";
import type { RecordedCall, Recorder } from "./recording.ts";

const SEED = 20_261_130;
const REPOSITORIES = 10;
const REQUESTS = 24;

interface Counts {
  exact: number;
  told: number;
  open: number;
  changed: number;
  partlyTold: number;
  readonly wrong: string[];
}

test("replays are what both versions decide, or indeterminate", { timeout: 240_000 }, async () => {
  await loadSqlParser();
  const counts: Counts = { exact: 0, told: 0, open: 0, changed: 0, partlyTold: 0, wrong: [] };
  let done = 0;
  for (let index = 0; done < REPOSITORIES && index < REPOSITORIES * 4; index += 1) {
    const dice = new Dice(SEED + index * 6_151);
    const repository = randomRepository(dice);
    const edited = editedFiles(dice, repository.files);
    const [one, other] = [await contentOf(repository.files), await contentOf(edited)];
    if (one === undefined || other === undefined) continue;
    done += 1;
    // Half of the edits take away: the other way round they add, and read what the record does not hold.
    const [base, head] = dice.chance(0.5) ? [one, other] : [other, one];
    await replayRepository({ dice, repository, base, head, counts, seed: index });
  }
  expect(counts.wrong).toEqual([]);
  expect(done).toBe(REPOSITORIES);
  // It proves something only where all of these occur.
  expect(counts.exact).toBeGreaterThan(60);
  expect(counts.told).toBeGreaterThan(150);
  expect(counts.open).toBeGreaterThan(20);
  expect(counts.changed).toBeGreaterThan(5);
  expect(counts.partlyTold).toBeGreaterThan(20);
});

async function contentOf(files: ReadonlyMap<string, string>): Promise<BundleContent | undefined> {
  return (await compile({ dir: "memory", workspace: memoryWorkspace(files) })).content;
}

function editedFiles(dice: Dice, files: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const edited = new Map(files);
  const policies = [...files.keys()].filter((path) => path.includes("policies/"));
  for (const path of dice.some(policies, 0.5)) {
    const text = files.get(path) ?? "";
    if (dice.chance(0.5)) edited.delete(path);
    else if (path.endsWith(".cedar")) {
      const flip = dice.chance(0.5) ? ["permit (", "forbid ("] : ["forbid (", "permit ("];
      edited.set(path, text.replace(flip[0] ?? "", flip[1] ?? ""));
    }
  }
  return edited;
}

interface Run {
  readonly dice: Dice;
  readonly repository: RandomRepository;
  readonly base: BundleContent;
  readonly head: BundleContent;
  readonly counts: Counts;
  readonly seed: number;
}

async function replayRepository({ dice, repository, base, head, counts, seed }: Run): Promise<void> {
  const signal = AbortSignal.timeout(200_000);
  const writer = await recorderOf(base, "base");
  const reader = await recorderOf(head, "head");
  const sides = {
    base: await ReplaySide.open({ content: base, digest: "base" }, signal),
    head: await ReplaySide.open({ content: head, digest: "head" }, signal),
  };
  try {
    for (let round = 0; round < REQUESTS; round += 1) {
      const asked = randomRequest(dice, repository);
      if (isMethod(asked.leaf)) continue;
      const { principal, request, arguments: args } = asked;
      const call = { action: asked.leaf.action, arguments: args, principal, request };
      await replayCall({
        call,
        writer,
        reader,
        sides,
        dice,
        counts,
        label: `${String(seed)}/${String(round)}`,
        signal,
      });
    }
  } finally {
    for (const { evaluator } of [writer, reader]) evaluator.dispose();
    sides.base.dispose();
    sides.head.dispose();
  }
}

interface Replayed {
  readonly call: RecordedCall;
  readonly writer: Recorder;
  readonly reader: Recorder;
  readonly sides: { readonly base: ReplaySide; readonly head: ReplaySide };
  readonly dice: Dice;
  readonly counts: Counts;
  readonly label: string;
  readonly signal: AbortSignal;
}

async function replayCall(run: Replayed): Promise<void> {
  const { call, writer, reader, sides, dice, counts, label, signal } = run;
  const mode = dice.pick<FactsMode>(["all", "all", "without-text"]);
  const made = await writer.record(call, mode);
  // What only the other version would refuse to represent is no matter of policies.
  const direct = await reader.record(call, "none");
  if (made === undefined || direct === undefined) return;
  const whole = made.record;
  const thinned = recordOf({ ...whole.body, facts: thinner(dice, whole.body["facts"] ?? {}) }, whole.tenant);
  for (const record of [whole, thinned]) {
    const read = decisionIn(record);
    const before = await sides.base.decide(read, sides.head, signal);
    const after = await sides.head.decide(read, sides.base, signal);
    check(before, made.decision, `${label} base ${mode}${record === whole ? "" : " thinned"}`, counts);
    check(after, direct.decision, `${label} head ${mode}${record === whole ? "" : " thinned"}`, counts);
    if (record !== whole) continue;
    if (mode === "all" && before.kind === "open")
      counts.wrong.push(`${label}: open: ${before.missing.join(", ")}`);
    else if (mode === "all") counts.exact += 1;
    if (before.kind === "decided" && after.kind === "decided" && before.effect !== after.effect)
      counts.changed += 1;
  }
}

function check(
  answer: SideAnswer,
  { effect, reasons }: { readonly effect: string; readonly reasons: readonly string[] },
  label: string,
  counts: Counts,
): void {
  if (answer.kind === "open") {
    counts.open += 1;
    return;
  }
  counts.told += 1;
  if (answer.unneeded.length > 0) counts.partlyTold += 1;
  const isSame =
    answer.effect === effect && (!answer.isComplete || String(answer.reasons) === String(reasons));
  if (!isSame) counts.wrong.push(`${label}: ${JSON.stringify(answer)}, not ${effect} by ${String(reasons)}`);
}

/** Facts without some of their members, and without some of the names of what is absent. */
function thinner(dice: Dice, facts: JsonValue): JsonValue {
  if (!isJsonObject(facts)) return facts;
  const { principal, context, absent, ...rest } = facts;
  const { attributes, ...who } = (principal ?? {}) as JsonObject;
  return {
    ...rest,
    principal: { ...who, attributes: without(dice, attributes ?? {}) },
    context: without(dice, context ?? {}),
    absent: dice.some((absent ?? []) as readonly string[], 0.8),
  };
}

function without(dice: Dice, value: JsonValue): JsonValue {
  if (!isJsonObject(value) || Object.hasOwn(value, "__extn")) return value;
  const entries = Object.entries(value).filter(() => dice.chance(0.85));
  return Object.fromEntries(entries.map(([name, member]) => [name, without(dice, member)])) as JsonObject;
}
