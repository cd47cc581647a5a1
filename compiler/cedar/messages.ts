// Words of the Cedar engine turned into codes, messages and help of this compiler.
import type { DetailedError } from "@cedar-policy/cedar-wasm/nodejs";
import { closestName } from "#std";
import type { CedarCode } from "./finding.ts";
import { MEMBER_ATTRIBUTES, OPTIONAL_MEMBERS } from "./schema.ts";

/** What the engine says against a policy. */
export interface Complaint {
  readonly code: CedarCode;
  /** Message without the policy id and without the leaf, to compare complaints. */
  readonly key: string;
  readonly message: string;
  readonly help?: string;
  /** Attribute path the complaint is about, as the engine prints it: `arguments.sql`. */
  readonly attribute?: string;
  /** True where the attribute belongs to the context. */
  readonly inContext: boolean;
  /** UTF-8 byte range in the text given to the engine; JSON policies have none. */
  readonly bytes?: { readonly start: number; readonly end: number };
}

const RULES: readonly (readonly [CedarCode, RegExp])[] = [
  ["CEDAR_UNKNOWN_ATTRIBUTE", /^attribute `(.+?)` (?:on entity type|in context for) .*not found$/],
  ["CEDAR_UNKNOWN_ATTRIBUTE", /^attribute `(.+)` not found$/],
  ["CEDAR_OPTIONAL_ATTRIBUTE", /^unable to guarantee safety of access to optional attribute `([^`]+)`/],
  ["CEDAR_OPTIONAL_ATTRIBUTE", /^unable to guarantee safety of access to tag/],
  ["CEDAR_UNKNOWN_ENTITY_TYPE", /^unrecognized entity type/],
  ["CEDAR_UNKNOWN_ACTION", /^unrecognized action/],
  ["CEDAR_NEVER_APPLIES", /^policy is impossible/],
  ["CEDAR_NEVER_APPLIES", /^unable to find an applicable action/],
  ["CEDAR_MIXED_SCRIPT", /contains mixed scripts$/],
  ["CEDAR_HIDDEN_CHARACTER", /contains (?:BIDI control characters|characters that fall outside)/],
  ["CEDAR_UNKNOWN_FUNCTION", /is not a valid (?:function|method)|is a (?:function|method), not a/],
  ["CEDAR_TOO_DEEP", /recursion limit|too many occurrences|stack/],
  ["CEDAR_SYNTAX", /^(?:unexpected (?:token|end)|invalid token|not a valid|expected )/],
];

/**
 * Advice about how names look. Arguments are named by servers, in any characters, and written `["…"]`; what hides in
 * the text of a policy is found there.
 */
const ABOUT_LOOKS = /falls outside of the General Security Profile for Identifiers$/;

/** The complaints in one error of the engine, related ones included. `fallback`: code of what no rule knows. */
export function complaintsIn(error: DetailedError, fallback: CedarCode): readonly Complaint[] {
  const related = (error.related ?? []).flatMap((item) => complaintsIn(item, fallback));
  return ABOUT_LOOKS.test(error.message) ? related : [complaintOf(error, fallback), ...related];
}

function complaintOf(error: DetailedError, fallback: CedarCode): Complaint {
  const raw = plainWords(error.message);
  const rule = RULES.find(([, pattern]) => pattern.test(raw));
  const attribute = rule?.[1].exec(raw)?.[1];
  const location = error.sourceLocations?.[0];
  const help = error.help === null ? undefined : plainWords(error.help);
  return {
    code: rule?.[0] ?? fallback,
    // What the engine suggests depends on the leaf; the attribute alone names the cause.
    key:
      attribute === undefined
        ? `${raw}\n${help ?? ""}`
        : raw.replace(/ in context for Action::".*"/, " in context"),
    message: raw,
    ...(help === undefined ? {} : { help }),
    ...(attribute === undefined ? {} : { attribute }),
    inContext: / in context for Action::/.test(raw),
    ...(location === undefined ? {} : { bytes: { start: location.start, end: location.end } }),
  };
}

function plainWords(message: string): string {
  return (
    message
      .replace(/for policy `.*?`, /, "")
      // Both kinds of principal have the same attributes: one complaint says it.
      .replace("on entity type `Agent`", "on entity type `User`")
      .replace(/^failed to parse policy (?:with id `.*?` )?from string: /, "")
      .replace("__cedar::internal::AnyEntity, or __cedar::internal::OpenRecord{}", "an entity or a record")
      .replace("__cedar::internal::OpenRecord{}", "a record")
      .replace("__cedar::internal::AnyEntity", "an entity")
  );
}

/** Names that exist where a complaint misses one. */
export interface KnownNames {
  readonly principal: readonly string[];
  /** Argument names of the leaf. */
  readonly arguments: readonly string[];
  /** `sql.query on sql-prod` */
  readonly leaf: string;
}

/** Attributes of the context, by the member they belong to; "" = its own members. */
const CONTEXT_NAMES: ReadonlyMap<string, readonly string[]> = new Map([
  ["", ["primitive", "target", "server", "arguments", "extra", ...OPTIONAL_MEMBERS]],
  ...Object.entries(MEMBER_ATTRIBUTES),
]);

/** Message and help of an unknown or unguarded attribute, in the author's terms. */
export function explainAttribute(
  complaint: Complaint,
  known: KnownNames,
): { readonly message: string; readonly help?: string } {
  const { attribute, inContext } = complaint;
  if (attribute === undefined) return plain(complaint);
  const written = inContext ? `context.${attribute}` : `principal.${attribute}`;
  const isPrincipal = /on entity type `User`/.test(complaint.message);
  if (!inContext && !isPrincipal) return plain(complaint);
  if (complaint.code === "CEDAR_OPTIONAL_ATTRIBUTE") {
    const at = written.lastIndexOf(".");
    const guard = `${written.slice(0, at)} has ${written.slice(at + 1)}`;
    return {
      message: `\`${written}\` may be absent${inContext ? ` for ${known.leaf}` : ""}, and an error denies every call`,
      help: `Test it first: \`${guard} && …\`.`,
    };
  }
  const name = attribute.slice(attribute.lastIndexOf(".") + 1);
  const candidates = isPrincipal
    ? known.principal
    : attribute.startsWith("arguments.")
      ? known.arguments
      : (CONTEXT_NAMES.get(attribute.slice(0, Math.max(0, attribute.lastIndexOf(".")))) ?? []);
  const near = closestName(name, candidates);
  const listed = candidates.length === 0 ? "nothing" : candidates.slice(0, 12).join(", ");
  const owner = isPrincipal ? "The identity mapping supplies" : `${known.leaf} has`;
  const elsewhere = isPrincipal ? "" : " Where other targets are meant, test `context.target` first.";
  return {
    message: `\`${written}\` does not exist${inContext ? ` for ${known.leaf}` : ""}`,
    help:
      near === undefined
        ? `${owner}: ${listed}.${elsewhere}`
        : `Did you mean \`${nested(attribute, near)}\`?`,
  };
}

/** A member of an argument with the path to it; a name of its own otherwise. */
function nested(attribute: string, near: string): string {
  const path = attribute.split(".");
  return path[0] === "arguments" && path.length > 2
    ? `context.${[...path.slice(0, -1), near].join(".")}`
    : near;
}

function plain(complaint: Complaint): { readonly message: string; readonly help?: string } {
  return { message: complaint.message, ...(complaint.help === undefined ? {} : { help: complaint.help }) };
}
