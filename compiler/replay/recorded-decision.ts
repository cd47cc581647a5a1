// One decision record of an audit log: what it says of a call, and which facts of it it holds.
import type { AuditRecord } from "#audit";
import type { Digest, LeafAction, PolicyId, PrincipalFacts, PrincipalType, TenantId } from "#bundle";
import { methodOfAction } from "#bundle";
import { factName } from "#facts";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";

/** What a record says of one fact. */
export type FactState =
  | { readonly kind: "value"; readonly value: JsonValue }
  /** The call does not have it. */
  | { readonly kind: "absent" }
  /** The call has it; what it is was left out. */
  | { readonly kind: "withheld" }
  /** Nothing read it when it was recorded. */
  | { readonly kind: "unknown" };

/** A decision on the call of a definition. */
export interface RecordedDecision {
  /** Decision id. */
  readonly id: string;
  /** RFC 3339. */
  readonly at: string;
  readonly tenant: TenantId;
  readonly action: LeafAction;
  readonly digest: Digest;
  readonly effect: "allow" | "deny";
  readonly policies: readonly PolicyId[];
  readonly code: string | undefined;
  readonly stage: string | undefined;
  readonly detail: string | undefined;
  readonly issuer: string;
  readonly principal: { readonly id: string; readonly roles: readonly string[] };
  /** Undefined where the record has no facts. */
  readonly facts: RecordedFacts | undefined;
}

/** Stages of the gateway at which the policies have been asked, or the call stood ready to ask them. */
const AFTER_PROJECTION: ReadonlySet<string> = new Set([
  "authorize",
  "throttle",
  "transform",
  "record",
  "dispatch",
]);

/** `other`: no record of a decision. `skipped`: refused before the policies were asked, or no call of a definition. */
export type ReadDecision = RecordedDecision | "other" | "skipped";

export function readDecision({ body, tenant, time, event }: AuditRecord): ReadDecision {
  if (event !== "decision") return "other";
  const { id, effect, target, principal, bundle, code, stage, detail } = body;
  if (typeof id !== "string" || (effect !== "allow" && effect !== "deny")) return "other";
  const isAsked = effect === "allow" || (typeof stage === "string" && AFTER_PROJECTION.has(stage));
  if (!isAsked || typeof target !== "string" || !target.includes(":") || body["argumentsHash"] === null)
    return "skipped";
  // A completion or a subscription is decided by its method beside its target.
  if (body["method"] !== methodOfAction(target)) return "skipped";
  if (!isJsonObject(principal ?? null) || !isJsonObject(bundle ?? null)) return "skipped";
  const { id: who, roles, issuer } = principal as JsonObject;
  if (typeof who !== "string") return "skipped";
  const facts = body["facts"];
  return {
    ...{ id, at: time, tenant, action: target, effect, policies: texts(body["policies"]) },
    digest: textOf((bundle as JsonObject)["digest"]) ?? "",
    code: textOf(code),
    stage: textOf(stage),
    detail: textOf(detail),
    issuer: textOf(issuer) ?? "",
    principal: { id: who, roles: texts(roles) },
    facts: isJsonObject(facts ?? null) ? new RecordedFacts(facts as JsonObject) : undefined,
  };
}

function textOf(value: JsonValue | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function texts(value: JsonValue | undefined): readonly string[] {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === "string") : [];
}

/** The member `facts` of a record. */
export class RecordedFacts {
  readonly mode: string;
  /** Digest of the definition by which the arguments were checked. */
  readonly definition: Digest | undefined;
  readonly type: PrincipalType | undefined;
  readonly withheld: ReadonlySet<string>;
  readonly absent: ReadonlySet<string>;
  /** As recorded. */
  readonly json: JsonObject;
  readonly #context: JsonObject;
  readonly #principal: JsonObject;

  constructor(json: JsonObject) {
    const { mode, definition, principal, context } = json;
    this.json = json;
    this.mode = textOf(mode) ?? "";
    this.definition = textOf(definition);
    this.#principal = isJsonObject(principal ?? null) ? (principal as JsonObject) : {};
    this.#context = isJsonObject(context ?? null) ? (context as JsonObject) : {};
    const type = this.#principal["type"];
    this.type = type === "User" || type === "Agent" ? type : undefined;
    this.withheld = new Set(texts(json["withheld"]));
    this.absent = new Set(texts(json["absent"]));
  }

  /** A member of the context, or `["principal", <attribute>]`. */
  state(path: readonly string[]): FactState {
    const [root, ...rest] = path;
    const isPrincipal = root === "principal";
    const attributes = this.#principal["attributes"];
    let value: JsonValue | undefined = isPrincipal ? attributes : this.#context;
    let at: readonly string[] = isPrincipal ? ["principal"] : [];
    for (const name of isPrincipal ? rest : path) {
      at = [...at, name];
      const known = factName(at);
      if (this.absent.has(known)) return { kind: "absent" };
      if (this.withheld.has(known))
        return at.length === path.length ? { kind: "withheld" } : { kind: "unknown" };
      const next: JsonValue | undefined =
        isJsonObject(value ?? null) && Object.hasOwn(value as JsonObject, name)
          ? (value as JsonObject)[name]
          : undefined;
      if (next === undefined) {
        const isOther = isPrincipal && texts(this.#principal["otherAttributes"]).includes(name);
        return { kind: isOther && at.length === path.length ? "withheld" : "unknown" };
      }
      value = next;
    }
    return value === undefined ? { kind: "unknown" } : { kind: "value", value };
  }

  /** Roles and groups, where the facts hold them; ids that were too long for the record. */
  identity(): {
    readonly id?: string;
    readonly roles?: readonly string[];
    readonly groups?: readonly string[];
  } {
    const { id, roles, groups } = this.#principal;
    return {
      ...(typeof id === "string" ? { id } : {}),
      ...(Array.isArray(roles) ? { roles: texts(roles) } : {}),
      ...(Array.isArray(groups) ? { groups: texts(groups) } : {}),
    };
  }
}

/** The caller as far as the record tells; attributes are those that it holds. */
export function callerOf({ principal, tenant, facts }: RecordedDecision): PrincipalFacts | undefined {
  if (facts?.type === undefined) return undefined;
  const { id = principal.id, roles = principal.roles, groups = [] } = facts.identity();
  const recorded = isJsonObject(facts.json["principal"] ?? null)
    ? ((facts.json["principal"] as JsonObject)["attributes"] ?? {})
    : {};
  const attributes = Object.entries(isJsonObject(recorded) ? recorded : {}).filter(([, value]) =>
    isAttribute(value),
  );
  return {
    ...{ type: facts.type, id, tenant, roles, groups },
    attributes: Object.fromEntries(attributes) as PrincipalFacts["attributes"],
  };
}

function isAttribute(value: JsonValue): boolean {
  if (Array.isArray(value)) return value.every((item) => typeof item === "string");
  return ["string", "boolean", "number"].includes(typeof value);
}
