// Gathers what the engine says against a policy on each leaf, and turns it into findings: one for each cause and
// place, however many leaves it shows on.
import type { AttributeMapping, LeafAction, LeafEntry, PolicyId, ServerEntry } from "#bundle";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { finding } from "./finding.ts";
import type { CedarFinding, CedarSpan } from "./finding.ts";
import { explainAttribute } from "./messages.ts";
import type { Complaint } from "./messages.ts";
import type { ParsedPolicy } from "./parse.ts";
import { entitySpan } from "./name-checks.ts";
import { argumentsType, isOpaqueArgument, leafSchema, METHOD_ACTIONS } from "./schema.ts";
import { locateComplaint } from "./validate.ts";

/** The leaf on which a complaint arose. */
export interface LeafContext {
  readonly server: ServerEntry;
  readonly leaf: LeafEntry;
  readonly schema: JsonObject;
  /** Attributes of the callers that the slice decides. */
  readonly attributes: readonly AttributeMapping[];
}

interface Entry {
  readonly policy: ParsedPolicy;
  readonly complaint: Complaint;
  readonly at: LeafContext;
  readonly leaves: number;
}

export class ComplaintBook {
  readonly #entries = new Map<string, Entry>();
  /** Policies that may hold on at least one leaf. */
  readonly #live = new Set<PolicyId>();
  /** Actions of definitions that a policy names in its scope and may hold on. */
  readonly #liveActions = new Map<PolicyId, Set<LeafAction>>();

  /** Notes that a policy applies on a leaf, with the engine's complaints there. */
  enter(policy: ParsedPolicy, at: LeafContext, complaints: readonly Complaint[]): void {
    if (!complaints.some((complaint) => complaint.code === "CEDAR_NEVER_APPLIES")) {
      this.#live.add(policy.id);
      const { action } = at.leaf;
      if (policy.authored && policy.scoped.actions?.has(action) === true) {
        this.#liveActions.set(policy.id, (this.#liveActions.get(policy.id) ?? new Set()).add(action));
      }
    }
    for (const complaint of complaints) {
      // Impossible on one leaf is usual: the policy means another one.
      if (complaint.code === "CEDAR_NEVER_APPLIES") continue;
      const key = `${policy.id}\n${complaint.code}\n${complaint.key}`;
      const known = this.#entries.get(key);
      // Methods are on every server: they would swell every count.
      const leaves = (known?.leaves ?? 0) + (at.leaf.name === "" ? 0 : 1);
      // A definition says more to an author than a method that has no name.
      const isPlainer = known === undefined || (known.at.leaf.name === "" && at.leaf.name !== "");
      this.#entries.set(key, isPlainer ? { policy, complaint, at, leaves } : { ...known, leaves });
    }
  }

  /** The findings. `earlier`: what is known already, so that a policy with a cause is not called unused as well. */
  findings(policies: readonly ParsedPolicy[], earlier: readonly CedarFinding[]): readonly CedarFinding[] {
    const found = [...this.#entries.values()]
      .flatMap((entry) => this.#describe(entry))
      .filter((item) => !earlier.some((other) => isSameCause(item, other)));
    const explained = new Set([...this.#entries.values()].map((entry) => entry.policy.id));
    for (const policy of policies.filter(({ authored }) => authored)) {
      if (explained.has(policy.id)) continue;
      if (this.#live.has(policy.id)) {
        found.push(...this.#deadActions(policy, earlier));
        continue;
      }
      if (earlier.some((item) => isNameFinding(item) && isInside(item, policy))) continue;
      const message = "the policy can never apply to any pinned definition";
      const help =
        "Compare its action, resource and `context.target` with the pins; a role is joined with `in`.";
      found.push(finding("CEDAR_NEVER_APPLIES", headOf(policy), message, help));
    }
    return found;
  }

  /** Of a policy that applies somewhere: definitions that its scope names and that it cannot apply to. */
  #deadActions(policy: ParsedPolicy, earlier: readonly CedarFinding[]): readonly CedarFinding[] {
    const live = this.#liveActions.get(policy.id);
    return [...(policy.scoped.actions ?? [])].flatMap((id) => {
      // A method is a group: that it covers what the conditions exclude is usual.
      if (METHOD_ACTIONS.includes(id) || live?.has(id) === true) return [];
      const span = entitySpan(policy, { type: "Action", id });
      const help = "Its conditions or its resource exclude this definition: remove one of the two.";
      const item = finding("CEDAR_NEVER_APPLIES", span, `the policy can never apply to ${id}`, help);
      const isKnown = earlier.some(
        ({ file, line, column }) => file === item.file && line === item.line && column === item.column,
      );
      return isKnown ? [] : [item];
    });
  }

  #describe(entry: Entry): readonly CedarFinding[] {
    const { complaint, at, leaves } = entry;
    const { code, message, help } = this.#explain(complaint, at);
    const others = leaves > 1 ? ` (and on ${String(leaves - 1)} more)` : "";
    return this.#spansOf(entry).map((span) => finding(code, span, message + others, help));
  }

  #spansOf({ policy, complaint, at }: Entry): readonly CedarSpan[] {
    if (!policy.authored) return [headOf(policy)];
    // The text still has what folded away, so that it needs every fact it ever mentioned.
    const schema = leafSchema(at.leaf, at.attributes, policy.derivations);
    const ranges = locateComplaint(schema, policy.text, policy.mapped, complaint);
    return ranges.length === 0 ? [headOf(policy)] : ranges.map((range) => policy.spanOf(range));
  }

  #explain(complaint: Complaint, at: LeafContext): Pick<CedarFinding, "code" | "message" | "help"> {
    const { leaf, server } = at;
    const name = leaf.name === "" ? leaf.action : `${leaf.name} on ${server.id}`;
    const path = complaint.inContext ? (complaint.attribute ?? "").split(".") : [];
    if (complaint.code === "CEDAR_UNKNOWN_ATTRIBUTE" && path[0] === "arguments") {
      if (isOpaqueArgument(leaf.argumentsProgram, path.slice(1))) {
        return {
          code: "CEDAR_OPAQUE_ARGUMENT",
          message: `\`context.${path.join(".")}\` of ${name} has no type that a policy can read`,
          help: "Its pinned schema allows several types or leaves them open; the value is validated, not shown to policy.",
        };
      }
    }
    if (complaint.code !== "CEDAR_UNKNOWN_ATTRIBUTE" && complaint.code !== "CEDAR_OPTIONAL_ATTRIBUTE")
      return complaint;
    const explained = explainAttribute(complaint, {
      principal: at.attributes.map((mapping) => mapping.attribute),
      arguments: argumentNames(leaf, path.slice(1, -1)),
      leaf: name,
    });
    return { code: complaint.code, ...explained };
  }
}

/** Names of the members of the argument at `path`; of the arguments where it is empty. */
function argumentNames(leaf: LeafEntry, path: readonly string[]): readonly string[] {
  let type: JsonValue | undefined = argumentsType(leaf.argumentsProgram);
  for (const name of path) type = attributesOf(type)[name];
  return Object.keys(attributesOf(type)).sort();
}

function attributesOf(type: JsonValue | undefined): JsonObject {
  const attributes = type !== undefined && isJsonObject(type) ? type["attributes"] : undefined;
  return attributes !== undefined && isJsonObject(attributes) ? attributes : {};
}

function headOf(policy: ParsedPolicy): CedarSpan {
  const { tokens, effectToken } = policy.text;
  const keyword = tokens[effectToken];
  return policy.spanOf({ start: keyword?.start ?? 0, end: keyword?.end ?? 0 });
}

/** The name checks saw it first, also where no leaf is left to ask the engine about. */
function isSameCause(item: CedarFinding, other: CedarFinding): boolean {
  return (
    item.code === other.code &&
    item.file === other.file &&
    item.line === other.line &&
    item.column === other.column
  );
}

function isNameFinding(item: CedarFinding): boolean {
  return (
    item.code === "CEDAR_UNKNOWN_TARGET" ||
    item.code === "CEDAR_UNKNOWN_ACTION" ||
    item.code === "CEDAR_UNKNOWN_ENTITY" ||
    item.code === "CEDAR_UNKNOWN_ENTITY_TYPE"
  );
}

function isInside(item: CedarFinding, policy: ParsedPolicy): boolean {
  const span = policy.spanOf({ start: 0, end: policy.text.text.length });
  const isAfterStart = item.line > span.line || (item.line === span.line && item.column >= span.column);
  const endLine = span.endLine ?? span.line;
  const isBeforeEnd =
    item.line < endLine || (item.line === endLine && item.column <= (span.endColumn ?? span.column));
  return item.file === span.file && isAfterStart && isBeforeEnd;
}
