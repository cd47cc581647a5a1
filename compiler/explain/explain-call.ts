// Why one call is decided as it is: the decision by the gateway's evaluator, then every policy that had a say.
import type {
  BundleContent,
  Derivation,
  LeafAction,
  PathSegment,
  TenantId,
  TransformOperation,
} from "#bundle";
import { createEvaluator } from "#pdp";
import type { DecisionQuery, ShadowDecision } from "#pdp";
import { decideCall } from "#policy-test";
import type { Caller } from "#policy-test";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { contextPath } from "../cedar/terms.ts";
import type { Explanation, ExplainedFact, ExplainedTransform } from "./explanation.ts";
import { probePolicies, probeShadowPolicies } from "./probe-policies.ts";

export interface ExplainRequest {
  readonly caller: Caller;
  /** An action of the registry. */
  readonly action: LeafAction;
  readonly arguments: JsonObject;
  readonly signal?: AbortSignal;
}

/** Explains one call. Throws Error where the registry has no such action. */
export async function explainCall(content: BundleContent, request: ExplainRequest): Promise<Explanation> {
  const { caller, action, signal } = request;
  const server = content.registry.servers.find(({ leaves }) => leaves.some((leaf) => leaf.action === action));
  const leaf = server?.leaves.find((candidate) => candidate.action === action);
  if (server === undefined || leaf === undefined) throw new Error(`no approved definition is ${action}`);
  const evaluator = await createEvaluator(content, signal === undefined ? {} : { signal });
  try {
    const verdict = await decideCall(evaluator, caller, action, request.arguments, signal);
    const slice = content.policies.slices.find(
      (candidate) => candidate.action === action && candidate.tenant === caller.facts.tenant,
    );
    // Without a required attribute the engine cannot be asked: it would read the absence as an error of its own.
    const isAsked = verdict.refusal === undefined;
    const { query } = verdict;
    const determining = new Set([...verdict.reasons, ...verdict.errors.map(({ policy }) => policy)]);
    const policies =
      slice === undefined || query === undefined || !isAsked
        ? []
        : [
            ...(await probePolicies(content, slice, query, determining)),
            ...(await probeShadowPolicies(content, slice, query, new Set(shadowNames(verdict.shadow)))),
          ];
    const { type, id, tenant, roles, groups, attributes } = caller.facts;
    return {
      decision: verdict.effect,
      refusal: verdict.refusal,
      reasons: verdict.reasons,
      errors: verdict.errors,
      shadow: shadowOf(verdict.shadow),
      principal: { type, id, tenant, roles, groups, attributes: attributes as JsonObject },
      call: { server: server.id, action, target: leaf.name, arguments: request.arguments },
      policies,
      otherPolicies:
        Object.keys(content.sources.policies).length -
        (slice === undefined ? 0 : slice.call.length + slice.shadow.length),
      context: query?.context,
      facts: query === undefined ? [] : (slice?.derivations ?? []).map((item) => factOf(item, query)),
      transforms: transformsOf(content, tenant, action),
    };
  } finally {
    evaluator.dispose();
  }
}

function shadowNames(shadow: ShadowDecision | undefined): readonly string[] {
  return shadow === undefined ? [] : [...shadow.reasons, ...shadow.errors.map(({ policy }) => policy)];
}

function shadowOf(shadow: ShadowDecision | undefined): Explanation["shadow"] {
  if (shadow === undefined) return undefined;
  const { effect, reasons, errors } = shadow;
  return { decision: effect, reasons, errors };
}

function factOf(derivation: Derivation, query: DecisionQuery): ExplainedFact {
  const { name, path } = derivation;
  const group = derivation.kind === "matches" ? "_m" : "_d";
  const facts = query.context[group];
  const value: JsonValue = isJsonObject(facts) && Object.hasOwn(facts, name) ? (facts[name] ?? null) : null;
  const what = describeDerivation(derivation);
  return { name: `${group}.${name}`, path: contextPath(path), what, value };
}

function describeDerivation(derivation: Derivation): string {
  switch (derivation.kind) {
    case "matches":
      return `matches ${JSON.stringify(derivation.pattern)}`;
    case "sql":
      return `sql (${derivation.dialect})`;
    default:
      return derivation.kind;
  }
}

function transformsOf(
  content: BundleContent,
  tenant: TenantId,
  action: LeafAction,
): readonly ExplainedTransform[] {
  const entry = content.transforms.transforms.find(
    (candidate) => candidate.tenant === tenant && candidate.action === action,
  );
  if (entry === undefined) return [];
  const shown = (direction: "request" | "response") => (operation: TransformOperation) => ({
    direction,
    policy: operation.policy,
    verb: operation.verb,
    ...(operationDetail(operation) === "" ? {} : { detail: operationDetail(operation) }),
    paths: operation.paths.map(pathText),
  });
  return [...entry.request.map(shown("request")), ...entry.response.map(shown("response"))];
}

/** What a verb is given besides its path: a length, a value, detectors; empty for the others. */
export function operationDetail(operation: TransformOperation): string {
  switch (operation.verb) {
    case "truncate":
      return `to ${operation.length}`;
    case "replace":
      return `by ${JSON.stringify(operation.value)}`;
    case "detect":
      return operation.detectors.join(", ");
    default:
      return "";
  }
}

/** A path as it would be written in `transforms`. */
export function pathText(path: readonly PathSegment[]): string {
  return path.reduce((text, segment) => {
    switch (segment.kind) {
      case "name":
        return /^[A-Za-z_]\w*$/u.test(segment.name)
          ? `${text}.${segment.name}`
          : `${text}[${JSON.stringify(segment.name)}]`;
      case "index":
        return `${text}[${segment.index}]`;
      case "wildcard":
        return `${text}[*]`;
    }
  }, "$");
}
