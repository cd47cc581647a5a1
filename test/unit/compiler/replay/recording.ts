// Records as the gateway writes them, of calls that no gateway saw.
import type { AuditRecord } from "#audit";
import { definitionDigest, methodOfAction } from "#bundle";
import type { BundleContent, FactsMode, PrincipalFacts, RequestFacts } from "#bundle";
import { createEvaluator } from "#pdp";
import type { Decision, Evaluator } from "#pdp";
import { readDecision } from "#replay";
import type { RecordedDecision } from "#replay";
import type { JsonObject } from "#std";
import { createFactsRecorder } from "../../../../runtime/pipeline/recorded-facts.ts";

export interface RecordedCall {
  readonly action: string;
  readonly arguments: JsonObject;
  readonly principal: PrincipalFacts;
  readonly request: RequestFacts;
}

export interface Recorder {
  readonly evaluator: Evaluator;
  /** The record of a call, and how it was decided; undefined where its arguments are refused. */
  readonly record: (
    call: RecordedCall,
    mode: FactsMode,
  ) => Promise<{ readonly record: AuditRecord; readonly decision: Decision } | undefined>;
}

const AT = "2026-11-20T12:00:00.000Z";

/** A gateway that has the bundle of this content and digest. */
export async function recorderOf(content: BundleContent, digest: string): Promise<Recorder> {
  const evaluator = await createEvaluator(content);
  const modes = (mode: FactsMode): BundleContent => ({
    ...content,
    retention: { tenants: {}, facts: { default: mode, tenants: {} } },
  });
  const recorders = new Map(
    (["none", "without-text", "all"] as const).map((mode) => [mode, createFactsRecorder(modes(mode))]),
  );
  let count = 0;
  return {
    evaluator,
    record: async ({ action, arguments: args, principal, request }, mode) => {
      const signal = AbortSignal.timeout(10_000);
      const { tenant } = principal;
      const prepared = await evaluator.prepare({
        tenant,
        action,
        arguments: args,
        principal,
        request,
        signal,
      });
      if (!prepared.ok) return undefined;
      const decision = evaluator.decide(prepared.query);
      const [definition] = evaluator.leaf(action)?.definitions ?? [];
      const pinned = definition === undefined ? undefined : definitionDigest(definition.definition);
      const facts = recorders.get(mode)?.factsOf(prepared.query, pinned);
      count += 1;
      const body: JsonObject = {
        id: `d${String(count)}`,
        effect: decision.effect,
        policies: decision.reasons,
        method: methodOfAction(action),
        target: action,
        principal: {
          issuer: request.auth.issuer,
          subject: principal.id,
          id: principal.id,
          roles: principal.roles,
        },
        argumentsHash: "0",
        bundle: { digest, sequence: 1, channel: "prod" },
        ...(decision.effect === "deny" ? { stage: "authorize", code: "POLICY_DENIED" } : {}),
        ...(facts === undefined ? {} : { facts }),
      };
      return { decision, record: recordOf(body, tenant) };
    },
  };
}

/** A record with this body. */
export function recordOf(body: JsonObject, tenant = "default"): AuditRecord {
  const json = JSON.parse(JSON.stringify(body)) as JsonObject;
  const envelope = { tenant, sequence: 1, globalSequence: 1, time: AT, monotonicNs: 0 };
  return { ...envelope, event: "decision", body: json, previousHash: "", hash: "" };
}

/** The decision that a record is about. */
export function decisionIn(record: AuditRecord): RecordedDecision {
  const decision = readDecision(record);
  if (typeof decision === "string") throw new Error(`the record is ${decision}`);
  return decision;
}
