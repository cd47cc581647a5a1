// Random repositories and requests, decided by the gateway's evaluator on the compiled slices and by cedar-wasm on the
// unspecialised policies. Shared by the test, the long proof and the planted bugs.
import type { BundleContent, LeafKind, PrincipalFacts, RequestFacts, TenantId } from "#bundle";
import { compile, memoryWorkspace } from "#compiler";
import { loadSqlParser } from "#facts";
import { methodArguments } from "./asks.ts";
import { createEvaluator } from "#pdp";
import type { Evaluator, ShadowDecision } from "#pdp";
import { createResourceIndex } from "#resources";
import type { JsonObject, JsonValue } from "#std";
import { ROLES } from "./conditions.ts";
import { Dice } from "./dice.ts";
import { hostileObject, sampleObject } from "./fields.ts";
import { reaches } from "./documents.ts";
import { resolveUri, urisOf } from "./patterns.ts";
import { featuresOf, isRefused, Reference } from "./reference.ts";
import type { Asked, Outline } from "./reference.ts";
import { randomRepository } from "./repository.ts";
import type { RandomRepository } from "./repository.ts";
import { isMethod } from "./shape.ts";
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
  /** Reads of a URI that nothing stands for. */
  unresolved: number;
  /** By part of the language: the compared requests that it has to do with. */
  readonly features: Record<string, FeatureCount>;
  readonly differences: string[];
}

export interface FeatureCount {
  allowed: number;
  denied: number;
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
    ...{ withShadow: 0, shadowDiffers: 0, refused: 0, unresolved: 0 },
    ...{ features: {}, differences: [] },
  };
  await loadSqlParser();
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
    await compareRepository({ report, repository, content, dice, seed }, options.requestsEach);
    options.onProgress?.(report.compared + report.refused + report.unresolved);
    if (options.untilDifferent === true && report.differences.length > 0) break;
  }
  return report;
}

interface Run {
  readonly report: SpecialisationReport;
  readonly repository: RandomRepository;
  readonly content: BundleContent;
  readonly dice: Dice;
  readonly seed: number;
}

async function compareRepository(run: Run, requests: number): Promise<void> {
  const { report, repository, content, dice, seed } = run;
  const evaluator = await createEvaluator(content);
  const reference = new Reference(repository);
  try {
    for (let round = 0; round < requests; round += 1) {
      const label = `seed ${String(seed)} request ${String(round)}`;
      const drawn = randomRequest(dice, repository);
      const asked = isRead(drawn.leaf) ? resolved(run, drawn, label) : drawn;
      if (asked === undefined) report.unresolved += 1;
      else await compareOne({ report, repository, reference, evaluator }, asked, label);
    }
  } finally {
    evaluator.dispose();
  }
}

function isRead({ kind }: Leaf): boolean {
  return kind === "resource" || kind === "resource-template";
}

/** The read of any URI of the server, on the leaf that stands for it: as the gateway finds it, which has to be ours. */
function resolved(
  { report, repository, content, dice }: Run,
  asked: Asked,
  label: string,
): Asked | undefined {
  const { server } = asked.leaf;
  const { tenant } = asked.principal;
  const uri = dice.pick(urisOf(server));
  const entry = content.registry.servers.find(({ id }) => id === server);
  const index = createResourceIndex(entry?.leaves ?? []);
  const leaf = resolveUri(repository.world.leaves, repository.rules, { server, uri });
  const got = index.leafOf(uri)?.action;
  if (got !== leaf?.action) {
    const what = `${label}: ${uri} of ${tenant} is ${String(got)}, not ${String(leaf?.action)}`;
    report.differences.push(what);
  }
  return leaf === undefined ? undefined : { ...asked, leaf, arguments: { uri } };
}

/** A request of a random caller: of a read, the definition stands without a URI that fits it. */
export function randomRequest(dice: Dice, repository: RandomRepository): Asked {
  const { world } = repository;
  const kinds = dice.pick([
    "tool",
    "tool",
    "tool",
    "tool",
    "resource",
    "resource",
    "prompt",
    "ask",
    "ask",
    "method",
  ]);
  const leaf = dice.pick(leavesOfKind(dice, world.leaves, kinds));
  const isHostile = (leaf.kind === "tool" || leaf.kind === "prompt") && dice.chance(0.15);
  return {
    ...{
      leaf,
      isHostile,
      principal: randomPrincipal(
        dice,
        world.tenants.map(({ id }) => id),
      ),
      request: randomFacts(dice),
    },
    arguments: isHostile ? hostileObject(dice, leaf.fields) : validArguments(dice, repository, leaf),
  };
}

const ASKS: readonly LeafKind[] = ["sampling", "elicitation", "roots"];
const IMPLIED: readonly LeafKind[] = ["completion", "logging", "subscription", "task"];

/** Of a server that offers none of them a tool is called. */
function leavesOfKind(dice: Dice, leaves: readonly Leaf[], drawn: string): readonly Leaf[] {
  const kind = drawn === "ask" ? dice.pick(ASKS) : drawn === "method" ? dice.pick(IMPLIED) : drawn;
  const found = leaves.filter((leaf) => (kind === "resource" ? isRead(leaf) : leaf.kind === kind));
  return found.length > 0 ? found : leaves.filter((leaf) => leaf.kind === "tool");
}

/** Most keep the constraints, which would deny nearly every call otherwise. */
function validArguments(dice: Dice, { policies }: RandomRepository, leaf: Leaf): JsonObject {
  if (isMethod(leaf)) return methodArguments(dice, leaf);
  const args = sampleObject(dice, leaf.fields);
  if (dice.chance(0.3)) return args;
  const keeps = policies.flatMap(({ reach, keep }) =>
    keep !== undefined && reaches(reach, leaf) ? [keep] : [],
  );
  return keeps.reduce((kept, keep) => keep(dice, kept), args);
}

function randomPrincipal(dice: Dice, tenants: readonly TenantId[]): PrincipalFacts {
  const tenant = dice.pick(["default", "default", ...tenants, ...tenants]);
  // Claims that read as the names of another tenant.
  const forged = (names: readonly string[]): readonly string[] =>
    dice.chance(0.15) ? names.map((name) => `${dice.pick(["acme", "globex", "default"])}/${name}`) : [];
  return {
    type: dice.pick(["User", "User", "Agent"]),
    id: dice.chance(0.03) ? dice.pick(["acme/u1", "globex/u1"]) : dice.pick(["u0", "u1"]),
    tenant,
    roles: [...dice.some(ROLES), ...forged(ROLES)],
    groups: [...dice.some(["ops", "all"]), ...forged(["ops"])],
    attributes: {
      is_external: dice.chance(0.4),
      email: dice.pick(["a@example.org", "b@example.com", "Bob@Mail.Example.com"]),
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
      ...(dice.chance(0.5) ? { authenticatedAtMs: nowMs - dice.below(4) * 1_800_000 } : {}),
    },
  };
}

interface Sides {
  readonly report: SpecialisationReport;
  readonly repository: RandomRepository;
  readonly reference: Reference;
  readonly evaluator: Evaluator;
}

async function compareOne(sides: Sides, asked: Asked, label: string): Promise<void> {
  const { report, repository, reference, evaluator } = sides;
  const { leaf, principal, request } = asked;
  const prepared = await evaluator.prepare({
    ...{ tenant: principal.tenant, action: leaf.action, arguments: asked.arguments, principal, request },
    signal: AbortSignal.timeout(10_000),
  });
  if (!prepared.ok) {
    report.refused += 1;
    if (!mayBeRefused(asked, prepared.code))
      report.differences.push(`${label}: refused with ${prepared.code}: ${prepared.detail}`);
    return;
  }
  const decision = evaluator.decide(prepared.query);
  report.compared += 1;
  if (isRefused(repository, asked)) {
    report.denied += 1;
    if (decision.effect !== "deny" || evaluator.visible(principal.tenant, leaf.action, principal, request))
      report.differences.push(
        `${label}: does not deny ${leaf.action} to ${principal.tenant} ${principal.id}`,
      );
    return;
  }
  const expected = reference.decide(asked, false);
  const outcome = expected.effect === "allow" ? "allowed" : "denied";
  report[outcome] += 1;
  for (const name of featuresOf(repository, asked)) {
    const count = (report.features[name] ??= { allowed: 0, denied: 0 });
    count[outcome] += 1;
  }
  if (expected.errors.length > 0) report.errored += 1;
  const note = (what: string, got: Outline, wanted: Outline): void => {
    if (JSON.stringify(got) === JSON.stringify(wanted)) return;
    const call = JSON.stringify([leaf.action, asked.arguments, principal]);
    report.differences.push(
      `${label}: ${what} ${JSON.stringify(got)}, not ${JSON.stringify(wanted)} for ${call}`,
    );
  };
  note("decides", outline(decision), expected);
  if (decision.effect === "allow" && !evaluator.visible(principal.tenant, leaf.action, principal, request)) {
    report.differences.push(`${label}: hides what it allows`);
  }
  if (decision.shadow === undefined) return;
  report.withShadow += 1;
  // Without a fact of its own there is no shadow decision to compare.
  if (decision.shadow.errors.some(({ policy }) => policy === "(engine)")) return;
  const shadow = reference.decide(asked, true);
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
