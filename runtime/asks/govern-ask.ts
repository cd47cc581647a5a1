// Whether a server may ask its client for something: declared by the client, transformed as the results of the call are,
// and decided by the policies for the caller. Whatever cannot be decided is refused.
import type { LeafEntry } from "#bundle";
import { isAegisError } from "#errors";
import type { ErrorCode } from "#errors";
import type { Decision, DecisionQuery, ShadowDecision } from "#pdp";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import type { CompiledTransform, TransformOptions } from "#transform";
import { NO_PERMIT, explainDenial, isAllowed } from "../pipeline/explain-denial.ts";
import type { Denial } from "../pipeline/verdict.ts";
import type { AskContext } from "./ask-context.ts";
import { askArguments, isAskMethod, readAsk } from "./ask.ts";
import type { Ask, AskMethod } from "./ask.ts";
import { isDeclared } from "./client-capabilities.ts";
import { scrubAsk } from "./transform-ask.ts";

/** Why an ask, or its answer, does not pass. */
export interface AskRefusal {
  readonly code: ErrorCode;
  /** The client never said that it can be asked this. */
  readonly isUndeclared: boolean;
  /** For operators and audit. */
  readonly detail: string;
  readonly policies: readonly string[];
  readonly shadow?: ShadowDecision | undefined;
  /** What was decided, where it came to a decision. */
  readonly query?: DecisionQuery | undefined;
}

export interface AllowedAsk {
  readonly ok: true;
  /** As it may go to the client. */
  readonly ask: Ask;
  readonly policies: readonly string[];
  readonly shadow?: ShadowDecision | undefined;
  /** Absent for `roots/list`: its answer is decided root by root. */
  readonly query?: DecisionQuery | undefined;
}

export type AskVerdict = AllowedAsk | { readonly ok: false; readonly refusal: AskRefusal };

/** Decides one request of a server. Never throws. */
export async function governAsk(
  context: AskContext,
  method: JsonValue | undefined,
  params: JsonValue | undefined,
  options: TransformOptions,
): Promise<AskVerdict> {
  try {
    const asked = readAsk(method, params);
    if (!isDeclared(context.capabilities, asked)) {
      const detail = `the client did not declare what ${asked.method} asks for`;
      return refused({ code: "CAPABILITY_REQUIRED", isUndeclared: true, detail, policies: [] });
    }
    // What is decided is what is sent.
    const ask = transformAsk(context, asked, options);
    return await decideAsk(context, ask);
  } catch (fault) {
    return refused(refusalOf(fault));
  }
}

/**
 * Decides an ask as it stands: before it is sent, and again when its answer comes. `known`: its arguments, where the
 * parameters that they were made from are not at hand any more.
 */
export async function decideAsk(context: AskContext, ask: Ask, known?: JsonObject): Promise<AskVerdict> {
  const leaf = leafFor(context, ask.method);
  const missing = context.caller.missingAttributes;
  if (missing.length > 0)
    return refused(refusal("PRINCIPAL_ATTRIBUTE_MISSING", `no claim for ${missing.join(", ")}`));
  if (leaf === undefined)
    return refused(refusal("POLICY_DENIED", `the release does not offer ${ask.method}`));
  const args = known ?? askArguments(ask);
  if (args === undefined) return decideVisible(context, ask, leaf);
  const judged = await judgeArguments(context, leaf, args);
  if (!judged.ok) return judged;
  const { query, decision } = judged;
  return { ok: true, ask, policies: decision.reasons, shadow: decision.shadow, query };
}

function decideVisible({ snapshot, route, caller }: AskContext, ask: Ask, { action }: LeafEntry): AskVerdict {
  const visible = snapshot.evaluator.visible(route.entry.tenant, action, caller.facts, caller.request);
  return visible ? { ok: true, ask, policies: [] } : refused(refusal("POLICY_DENIED", NO_PERMIT));
}

type Judged =
  | { readonly ok: true; readonly query: DecisionQuery; readonly decision: Decision }
  | { readonly ok: false; readonly refusal: AskRefusal };

/** One decision on a method leaf. */
export async function judgeArguments(
  { snapshot, route, caller, signal }: AskContext,
  { action }: LeafEntry,
  args: JsonObject,
): Promise<Judged> {
  const prepared = await snapshot.evaluator.prepare({
    tenant: route.entry.tenant,
    action,
    arguments: args,
    principal: caller.facts,
    request: caller.request,
    signal,
  });
  if (!prepared.ok) return refused(refusal(prepared.code, prepared.detail));
  const decision = snapshot.evaluator.decide(prepared.query);
  if (isAllowed(decision)) return { ok: true, query: prepared.query, decision };
  const denial = explainDenial(decision, snapshot);
  return refused({
    ...refusal(denial.code, denial.detail, policiesOf(denial)),
    shadow: decision.shadow,
    query: prepared.query,
  });
}

export function leafFor({ server }: AskContext, method: AskMethod): LeafEntry | undefined {
  return server.methods.get(method);
}

/**
 * The transform that covers an ask: that of the call it is made in. Outside any call it could carry what some call's
 * transform removes, so a server that has transforms may not ask there.
 */
export function transformFor(context: AskContext): CompiledTransform | undefined {
  const { snapshot, route, server, action } = context;
  const { tenant } = route.entry;
  if (action !== undefined) return snapshot.transformFor(tenant, action);
  if (server.entry.leaves.some((leaf) => snapshot.transformFor(tenant, leaf.action) !== undefined))
    throw new TypeError("outside a call a server whose results are transformed may not ask");
  return undefined;
}

function transformAsk(context: AskContext, ask: Ask, options: TransformOptions): Ask {
  const compiled = transformFor(context);
  return compiled === undefined ? ask : scrubAsk(compiled, ask, options);
}

function policiesOf(denial: Denial): readonly string[] {
  const policies = denial.data?.["policies"];
  return Array.isArray(policies) ? policies.filter((id) => typeof id === "string") : [];
}

export function refusal(code: ErrorCode, detail: string, policies: readonly string[] = []): AskRefusal {
  return { code, isUndeclared: false, detail, policies };
}

function refused(why: AskRefusal): { readonly ok: false; readonly refusal: AskRefusal } {
  return { ok: false, refusal: why };
}

/** The refusal that a thrown value stands for. */
export function refusalOf(fault: unknown): AskRefusal {
  if (isAegisError(fault)) return refusal(fault.code, fault.detail);
  return refusal("SERVER_REQUEST_DENIED", fault instanceof Error ? fault.message : String(fault));
}

/** The method of a request as a record may name it. */
export function methodText(method: JsonValue | undefined): string {
  if (isAskMethod(method)) return method;
  return typeof method === "string" ? method.slice(0, 128) : "";
}

/** A message's `params`, where it has any. */
export function paramsOf(message: JsonObject): JsonObject | undefined {
  const params = message["params"];
  return isJsonObject(params) ? params : undefined;
}
