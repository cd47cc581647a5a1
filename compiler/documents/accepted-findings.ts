// What reviewers accepted of the texts of a pin: the member `acceptedSuspicious` of a pin file. An entry stands for one
// finding in one text; where the text changes, the finding is there again.
import { isDigest } from "#bundle";
import type { Digest } from "#bundle";
import { isJsonObject } from "#std";
import type { JsonValue } from "#std";

export interface AcceptedFinding {
  /** `tool sql.query`, as `definitionLabel` gives it, or `server legacy`. */
  readonly subject: string;
  readonly rule: string;
  /** JSON pointer of the text; a trailing `#` marks the name of a member. */
  readonly pointer: string;
  /** Of the text and of what it is confused with, as the scan computes it. */
  readonly digest: Digest;
}

const MEMBERS = ["digest", "pointer", "rule", "subject"];

/** Equal for an acceptance and the finding that it is about. */
export function acceptanceKey({ subject, rule, pointer, digest }: AcceptedFinding): string {
  return JSON.stringify([subject, rule, pointer, digest]);
}

/** The entry, or undefined where it is not of that form. */
export function readAcceptedFinding(value: JsonValue): AcceptedFinding | undefined {
  if (!isJsonObject(value) || Object.keys(value).sort().join() !== MEMBERS.join()) return undefined;
  const { subject, rule, pointer, digest } = value;
  return typeof subject === "string" &&
    typeof rule === "string" &&
    typeof pointer === "string" &&
    isDigest(digest)
    ? { subject, rule, pointer, digest }
    : undefined;
}

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** In the order in which a pin file lists them, each once. */
export function sortAccepted(accepted: readonly AcceptedFinding[]): readonly AcceptedFinding[] {
  const distinct = new Map(accepted.map((entry) => [acceptanceKey(entry), entry]));
  return [...distinct]
    .sort(([a], [b]) => compareText(a, b))
    .map(([, { subject, rule, pointer, digest }]) => ({ subject, rule, pointer, digest }));
}
