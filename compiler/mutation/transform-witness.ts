// A result, or arguments, of which original and mutant make something else.
import { createHmac } from "node:crypto";
import type { BundleContent, LeafAction, PathSegment, TransformEntry, TransformOperation } from "#bundle";
import { canonicalJson } from "#bundle";
import type { CompileResult } from "#compiler";
import { isAegisError } from "#errors";
import { planChanges } from "#plan";
import type { DecisionChange, PlanWitness } from "#plan";
import type { JsonObject, JsonValue } from "#std";
import { isJsonObject } from "#std";
import { applyRequest, applyResponse, compileTransform } from "#transform";
import type { TransformOptions } from "#transform";
import { differences } from "#policy-test";
import type { CompiledMutant } from "./compile-mutant.ts";
import type { MutantWitness } from "./mutant.ts";
import { transformTest } from "./suggest-test.ts";
import type { TestTarget } from "./suggest-test.ts";

type Model = Pick<CompileResult["model"], "roles" | "suites">;

/** As in tests: hashes are made with a key that everybody knows. */
const TEST_KEYS: TransformOptions = {
  fingerprint: (tenant, text) => createHmac("sha256", `aegis test ${tenant}`).update(text).digest("hex"),
};
/** What stands at a path: text long enough to be cut, and what detectors find. */
const SAMPLES: readonly JsonValue[] = [
  "sample",
  "Ada <ada@example.com>, card 4111 1111 1111 1111, key AKIAIOSFODNN7EXAMPLE",
];

/** Undefined where the two transform alike, or no call is allowed whose result could be looked at. */
export async function transformWitness(
  compiled: CompiledMutant,
  model: Model,
  signal: AbortSignal | undefined,
): Promise<MutantWitness | undefined> {
  const { base, content } = compiled;
  for (const action of compiled.actions) {
    for (const [before, after] of entryPairs(base, content, action)) {
      if (canonicalJson(before ?? null) === canonicalJson(after ?? null)) continue;
      const tenant = (before ?? after)?.tenant ?? "";
      const allowed = await allowedCall(base, action, tenant, model, signal);
      const target = toolOf(base, action);
      if (allowed === undefined || target === undefined) continue;
      const shown = onResponse(before, after) ?? onRequest(before, after, allowed.witness.arguments);
      if (shown === undefined) continue;
      const args = shown.arguments ?? allowed.witness.arguments;
      const caller = { ...allowed.witness, arguments: args };
      return {
        principal: allowed.principal,
        facts: caller.principal,
        ...(caller.request === undefined ? {} : { request: caller.request }),
        ...{ action, arguments: args, original: shown.original, mutant: shown.mutant },
        test: transformTest({ target, caller, expected: shown.expected }),
      };
    }
  }
  return undefined;
}

type EntryPair = readonly [before: TransformEntry | undefined, after: TransformEntry | undefined];

function entryPairs(base: BundleContent, content: BundleContent, action: LeafAction): readonly EntryPair[] {
  const of = ({ transforms }: BundleContent): ReadonlyMap<string, TransformEntry> =>
    new Map(
      transforms.transforms.filter((entry) => entry.action === action).map((entry) => [entry.tenant, entry]),
    );
  const [before, after] = [of(base), of(content)];
  return [...new Set([...before.keys(), ...after.keys()])]
    .sort()
    .map((tenant) => [before.get(tenant), after.get(tenant)]);
}

function toolOf(content: BundleContent, action: LeafAction): TestTarget | undefined {
  for (const server of content.registry.servers) {
    const leaf = server.leaves.find((item) => item.action === action && item.kind === "tool");
    if (leaf !== undefined) return { server: server.id, kind: leaf.kind, name: leaf.name, action };
  }
  return undefined;
}

/** Some call that the original allows: what is newly allowed against policies that allow nothing. */
async function allowedCall(
  base: BundleContent,
  action: LeafAction,
  tenant: string,
  model: Model,
  signal: AbortSignal | undefined,
): Promise<{ readonly principal: string; readonly witness: PlanWitness } | undefined> {
  const slices = base.policies.slices.map((slice) => ({ ...slice, call: [], visibility: [] }));
  const nothing = { ...base, policies: { ...base.policies, slices } };
  const plan = await planChanges(
    { bundle: { content: nothing, digest: "nothing" }, model },
    { bundle: { content: base, digest: "original" }, model },
    { identicalLeaves: "skip", ...(signal === undefined ? {} : { signal }) },
  );
  return plan.changes.find(
    (change): change is DecisionChange =>
      change.evidence !== "structural" &&
      change.kind === "newly-allowed" &&
      change.action === action &&
      change.witness.principal.tenant === tenant,
  );
}

interface Shown {
  readonly original: string;
  readonly mutant: string;
  readonly expected: JsonObject;
  /** Arguments other than those of the allowed call. */
  readonly arguments?: JsonObject;
}

function onResponse(
  before: TransformEntry | undefined,
  after: TransformEntry | undefined,
): Shown | undefined {
  for (const payload of payloads([...(before?.response ?? []), ...(after?.response ?? [])])) {
    const text = JSON.stringify(payload);
    const upstream: JsonObject = { structuredContent: payload, content: [{ type: "text", text }] };
    const [original, mutant] = [resultOf(before, upstream), resultOf(after, upstream)];
    if (original === undefined || mutant === undefined) continue;
    const [difference] = differences(original, mutant);
    if (difference === undefined) continue;
    return {
      original: `${difference.path} = ${difference.expected}`,
      mutant: `${difference.path} = ${difference.actual}`,
      expected: { upstream, expectResponse: original },
    };
  }
  return undefined;
}

function resultOf(entry: TransformEntry | undefined, upstream: JsonObject): JsonObject | undefined {
  if (entry === undefined) return upstream;
  const outcome = applyResponse(compileTransform(entry), upstream, TEST_KEYS);
  return outcome.ok ? outcome.value : undefined;
}

function onRequest(
  before: TransformEntry | undefined,
  after: TransformEntry | undefined,
  args: JsonObject,
): Shown | undefined {
  const proposals = payloads([...(before?.request ?? []), ...(after?.request ?? [])]);
  for (const proposal of [args, ...proposals.map((extra) => ({ ...args, ...extra }))]) {
    const [original, mutant] = [argumentsOf(before, proposal), argumentsOf(after, proposal)];
    if (original === undefined || mutant === undefined) continue;
    const [difference] = differences(original, mutant);
    if (difference === undefined) continue;
    return {
      original: `arguments ${difference.path} = ${difference.expected}`,
      mutant: `arguments ${difference.path} = ${difference.actual}`,
      expected: { expectRequest: original },
      arguments: proposal,
    };
  }
  return undefined;
}

function argumentsOf(entry: TransformEntry | undefined, args: JsonObject): JsonObject | undefined {
  if (entry === undefined) return args;
  try {
    return applyRequest(compileTransform(entry), args, TEST_KEYS);
  } catch (fault) {
    if (isAegisError(fault)) return undefined;
    throw fault;
  }
}

/** Objects with something to transform at the path of each operation, in each of its readings. */
function payloads(operations: readonly TransformOperation[]): readonly JsonObject[] {
  return operations.flatMap((operation) =>
    operation.paths.flatMap((path) =>
      samplesOf(operation).flatMap((sample) => {
        const payload = placed(path, sample);
        return isJsonObject(payload) ? [payload] : [];
      }),
    ),
  );
}

function samplesOf(operation: TransformOperation): readonly JsonValue[] {
  if (operation.verb !== "truncate") return SAMPLES;
  const { length } = operation;
  return [length + 1, length, length + 2].map((size) => "x".repeat(size));
}

function placed(path: readonly PathSegment[], value: JsonValue): JsonValue {
  const [segment, ...rest] = path;
  if (segment === undefined) return value;
  const inner = placed(rest, value);
  switch (segment.kind) {
    case "name":
      return { [segment.name]: inner };
    case "index":
      return [...Array.from({ length: segment.index }, () => null), inner];
    case "wildcard":
      return [inner];
  }
}
