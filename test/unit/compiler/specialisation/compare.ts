// Random repositories and requests, decided by the gateway's evaluator on the compiled slices and by cedar-wasm on the
// unspecialised policies. Shared by the test, the long proof and the planted bugs.
import type { PrincipalFacts, RequestFacts } from "#bundle";
import { compile, memoryWorkspace } from "#compiler";
import { createEvaluator } from "#pdp";
import type { Evaluator, ShadowDecision } from "#pdp";
import type { JsonObject, JsonValue } from "#std";
import { ROLES } from "./conditions.ts";
import { Dice } from "./dice.ts";
import { hostileObject, sampleObject } from "./fields.ts";
import { referenceDecision } from "./reference.ts";
import type { Asked, Outline } from "./reference.ts";
import { randomRepository } from "./repository.ts";
import type { RandomRepository } from "./repository.ts";
import type { Leaf } from "./shape.ts";

export interface SpecialisationReport {
  repositories: number;
  /** Repositories that the compiler refused, of those drawn. */
  refusedRepositories: number;
  /** Requests that both sides decided. */
  compared: number;
  allowed: number;
  denied: number;
  /** Denied because a policy erred. */
  errored: number;
  /** Of the compared, with policies in shadow mode. */
  withShadow: number;
  /** Shadow decisions that differ from the enforced one. */
  shadowDiffers: number;
  /** Requests whose arguments were refused before any policy. */
  refused: number;
  readonly differences: string[];
}

export interface SpecialisationOptions {
  readonly seed: number;
  readonly repositories: number;
  readonly requestsEach: number;
  /** Stops at the first difference. */
  readonly untilDifferent?: boolean;
  readonly onProgress?: (requests: number) => void;
}

export async function compareSpecialisation(options: SpecialisationOptions): Promise<SpecialisationReport> {
  const report: SpecialisationReport = {
    ...{ repositories: 0, refusedRepositories: 0, compared: 0, allowed: 0, denied: 0, errored: 0 },
    ...{ withShadow: 0, shadowDiffers: 0, refused: 0, differences: [] },
  };
  for (let index = 0; report.repositories < options.repositories; index += 1) {
    const seed = options.seed + index * 7_919;
    const dice = new Dice(seed);
    const repository = randomRepository(dice);
    const { content, diagnostics } = await compile({
      dir: "memory",
      workspace: memoryWorkspace(repository.files),
    });
    if (content === undefined) {
      report.refusedRepositories += 1;
      if (report.refusedRepositories > 20 + report.repositories) {
        throw new Error(`most repositories do not compile: ${JSON.stringify(diagnostics.slice(0, 3))}`);
      }
      continue;
    }
    report.repositories += 1;
    const evaluator = await createEvaluator(content);
    try {
      for (let round = 0; round < options.requestsEach; round += 1) {
        const asked = randomRequest(dice, repository);
        await compareOne(
          report,
          repository,
          evaluator,
          asked,
          `seed ${String(seed)} request ${String(round)}`,
        );
      }
    } finally {
      evaluator.dispose();
    }
    options.onProgress?.(report.compared + report.refused);
    if (options.untilDifferent === true && report.differences.length > 0) break;
  }
  return report;
}

function randomRequest(dice: Dice, repository: RandomRepository): Asked {
  const leaf = dice.pick(repository.shape.leaves);
  const isHostile = (leaf.kind === "tool" || leaf.kind === "prompt") && dice.chance(0.2);
  return {
    ...{ leaf, isHostile, principal: randomPrincipal(dice), request: randomFacts(dice) },
    arguments: isHostile ? hostileObject(dice, leaf.fields) : validArguments(dice, leaf),
  };
}

function validArguments(dice: Dice, leaf: Leaf): JsonObject {
  if (leaf.kind === "resource") return { uri: leaf.name };
  if (leaf.kind === "resource-template") return { uri: leaf.name.replace("{id}", dice.pick(["7", "a", ""])) };
  return sampleObject(dice, leaf.fields);
}

function randomPrincipal(dice: Dice): PrincipalFacts {
  return {
    type: dice.pick(["User", "User", "Agent"]),
    id: dice.pick(["u0", "u1"]),
    tenant: "default",
    roles: dice.some(ROLES),
    groups: dice.some(["ops", "all"]),
    attributes: {
      is_external: dice.chance(0.4),
      email: dice.pick(["a@example.org", "b@example.com"]),
      teams: dice.some(["core", "data", "web"]),
      ...(dice.chance(0.5) ? { department: dice.pick(["it", "hr"]) } : {}),
      ...(dice.chance(0.6) ? { level: dice.below(4) } : {}),
    },
  };
}

function randomFacts(dice: Dice): RequestFacts {
  const nowMs = Date.UTC(2025, 11, 31) + dice.below(4) * 8 * 3_600_000;
  return {
    nowMs,
    ...(dice.chance(0.7) ? { sourceIp: dice.pick(["10.1.2.3", "192.0.2.1", "2001:db8::1"]) } : {}),
    client: dice.pick([{}, { name: "claude" }, { id: "c", name: "other", version: "1" }]),
    protocol: dice.pick([
      { era: "modern", version: "2026-07-28" },
      { era: "legacy", version: "2025-11-25" },
    ]),
    auth: {
      issuer: "https://login.example.com/",
      amr: dice.some(["mfa", "pwd"]),
      ...(dice.chance(0.5) ? { acr: dice.pick(["high", "low"]) } : {}),
      scopes: dice.some(["read", "write"]),
      issuedAtMs: nowMs - dice.below(20) * 60_000,
    },
  };
}

async function compareOne(
  report: SpecialisationReport,
  repository: RandomRepository,
  evaluator: Evaluator,
  asked: Asked,
  label: string,
): Promise<void> {
  const { leaf, principal, request } = asked;
  const prepared = await evaluator.prepare({
    ...{ tenant: "default", action: leaf.action, arguments: asked.arguments, principal, request },
    signal: AbortSignal.timeout(10_000),
  });
  if (!prepared.ok) {
    report.refused += 1;
    if (!mayBeRefused(asked, prepared.code))
      report.differences.push(`${label}: refused with ${prepared.code}: ${prepared.detail}`);
    return;
  }
  const decision = evaluator.decide(prepared.query);
  const expected = referenceDecision(repository, asked, false);
  report.compared += 1;
  report[expected.effect === "allow" ? "allowed" : "denied"] += 1;
  if (expected.errors.length > 0) report.errored += 1;
  const note = (what: string, got: Outline, wanted: Outline): void => {
    if (JSON.stringify(got) === JSON.stringify(wanted)) return;
    const call = JSON.stringify([leaf.action, asked.arguments, principal]);
    report.differences.push(
      `${label}: ${what} ${JSON.stringify(got)}, not ${JSON.stringify(wanted)} for ${call}`,
    );
  };
  note("decides", outline(decision), expected);
  if (decision.effect === "allow" && !evaluator.visible("default", leaf.action, principal)) {
    report.differences.push(`${label}: hides what it allows`);
  }
  if (decision.shadow === undefined) return;
  report.withShadow += 1;
  // Without a fact of its own there is no shadow decision to compare.
  if (decision.shadow.errors.some(({ policy }) => policy === "(engine)")) return;
  const shadow = referenceDecision(repository, asked, true);
  if (shadow.effect !== expected.effect) report.shadowDiffers += 1;
  note("would decide", outline(decision.shadow), shadow);
}

function outline({ effect, reasons, errors }: ShadowDecision): Outline {
  return {
    effect,
    reasons: [...reasons].sort(),
    errors: [...new Set(errors.map(({ policy }) => policy))].sort(),
  };
}

/** Only hostile arguments break their schema, and only a number that Cedar cannot hold is not representable. */
function mayBeRefused({ isHostile, arguments: args }: Asked, code: string): boolean {
  return (
    isHostile &&
    (code === "ARGUMENTS_INVALID" || (code === "ARGUMENTS_NOT_REPRESENTABLE" && hasOddNumber(args)))
  );
}

function hasOddNumber(value: JsonValue): boolean {
  if (typeof value === "number") return !Number.isSafeInteger(value * 10_000);
  return (
    typeof value === "object" &&
    value !== null &&
    Object.values(value as JsonObject).some((item) => hasOddNumber(item as JsonValue))
  );
}
