// The release statement: a signed claim that a channel shall run one bundle. Verification is an ordered list of
// checks under one clock reading; the first that fails refuses the release.
import { TrustError } from "#errors";
import type { JsonValue } from "#std";
import { closedObject, decodeFault, decodeWith, digest, nonEmptyText, wholeNumber } from "./decoder.ts";
import type { Decode } from "./decoder.ts";
import { instant } from "./instant.ts";
import { requireFreshRoot } from "./root.ts";
import type { TrustedRoot } from "./root.ts";
import type { Digest } from "./sections.ts";
import { documentPayload, parseSignedDocument, requireThreshold } from "./signed-document.ts";
import type { DocumentCodes } from "./signed-document.ts";

/** Payload of `release.json`. */
export interface ReleaseStatement {
  readonly formatVersion: 1;
  /** Equals the environment the gateway runs. */
  readonly channel: string;
  /** The epoch of the root it was signed under. */
  readonly epoch: number;
  /** Grows by one with each release of the channel, also where it points back to an earlier bundle. */
  readonly sequence: number;
  readonly digest: Digest;
  /** RFC 3339 UTC, whole seconds. */
  readonly issuedAt: string;
  readonly expiresAt: string;
  /** How long after `expiresAt` a gateway keeps serving before it denies everything. */
  readonly graceSeconds: number;
  readonly source?: { readonly repo: string; readonly commit: string };
  readonly plan?: { readonly digest: Digest };
  readonly tests?: { readonly digest: Digest; readonly passed: number; readonly failed: number };
}

/** What a gateway remembers of the release it activated last. */
export interface Ratchet {
  readonly epoch: number;
  readonly sequence: number;
  readonly digest: Digest;
}

/** A statement that passed every check. */
export interface VerifiedRelease {
  readonly statement: ReleaseStatement;
  /** The keys that vouch for it, sorted. */
  readonly keyIds: readonly string[];
  /** Expiry plus grace, milliseconds since the epoch: from then on every exchange is denied. */
  readonly hardExpiryMs: number;
}

/** A sequence counts within its epoch: a higher epoch is above every floor of a lower one. */
export type ReleaseFloor = Pick<Ratchet, "epoch" | "sequence">;

export interface ReleaseExpectation {
  readonly root: TrustedRoot;
  readonly channel: string;
  /** The one clock reading of this update. */
  readonly nowMs: number;
  /** Absent only where nothing was ever activated. */
  readonly ratchet?: Ratchet;
  /** Lowest release to accept, from process configuration: guards a gateway that lost its state. */
  readonly floor?: ReleaseFloor;
  /** Told what the signatures vouch for before it is judged, so that a refusal can name it. */
  readonly onStatement?: (statement: ReleaseStatement) => void;
}

/** Clocks of a signer and a gateway may differ by this. */
const CLOCK_SKEW_MS = 5 * 60 * 1000;

export const RELEASE_CODES: DocumentCodes = {
  malformed: "RELEASE_INVALID",
  unsigned: "RELEASE_UNSIGNED",
  badSignature: "RELEASE_SIGNATURE_INVALID",
  belowThreshold: "RELEASE_BELOW_THRESHOLD",
};

function isRunning(statement: ReleaseStatement, ratchet: Ratchet | undefined): boolean {
  return (
    ratchet?.epoch === statement.epoch &&
    ratchet.sequence === statement.sequence &&
    ratchet.digest === statement.digest
  );
}

/**
 * Verifies a release statement. Throws TrustError ROOT_EXPIRED or a RELEASE_ code; the order of the checks is the
 * order of the steps below.
 */
export async function verifyRelease(
  bytes: Uint8Array,
  expected: ReleaseExpectation,
): Promise<VerifiedRelease> {
  const { root, nowMs } = expected;
  // Step 1: the root that is to vouch for it is itself fresh.
  requireFreshRoot(root, nowMs);
  // Step 2: envelope. Step 3: signatures, each alone, distinct keys of the release role against its threshold.
  const signed = parseSignedDocument(bytes, RELEASE_CODES);
  const { keys, roles } = root.document;
  const keyIds = await requireThreshold(signed, "aegis-release", keys, roles.release, RELEASE_CODES);
  // Step 4: payload, read only now.
  const statement = decodeStatement(documentPayload(signed, RELEASE_CODES));
  expected.onStatement?.(statement);
  // Step 5: channel.
  if (statement.channel !== expected.channel) {
    throw new TrustError("RELEASE_CHANNEL_MISMATCH", `for ${statement.channel}, this is ${expected.channel}`);
  }
  // Step 6: time.
  const hardExpiryMs = Date.parse(statement.expiresAt) + statement.graceSeconds * 1000;
  if (Date.parse(statement.issuedAt) > nowMs + CLOCK_SKEW_MS) {
    throw new TrustError("RELEASE_NOT_YET_VALID", `issued ${statement.issuedAt}`);
  }
  // Grace keeps what already runs here alive; it is no second chance for a release to arrive.
  const endsMs = isRunning(statement, expected.ratchet) ? hardExpiryMs : Date.parse(statement.expiresAt);
  if (nowMs >= endsMs) throw new TrustError("RELEASE_EXPIRED", `expired ${statement.expiresAt}`);
  // Step 7: the digest was not revoked.
  if (root.document.revokedDigests.includes(statement.digest)) {
    throw new TrustError("RELEASE_REVOKED", `the root revokes ${statement.digest}`);
  }
  // Step 8: epoch of the root, then the ratchet.
  checkEpoch(statement, root);
  checkRatchet(statement, expected.ratchet, expected.floor);
  return { statement, keyIds, hardExpiryMs };
}

/** Checks the shape of a statement payload. Throws TrustError RELEASE_INVALID. */
export function decodeStatement(payload: JsonValue): ReleaseStatement {
  const statement = decodeWith(statementShape, payload, "release", "RELEASE_INVALID");
  if (Date.parse(statement.expiresAt) <= Date.parse(statement.issuedAt)) {
    throw new TrustError("RELEASE_INVALID", "the statement expires before it is issued");
  }
  return statement;
}

/** Reads a statement without trusting it, to show it or to sign it once more. Throws RELEASE_INVALID or _UNSIGNED. */
export function peekStatement(bytes: Uint8Array): ReleaseStatement {
  return decodeStatement(documentPayload(parseSignedDocument(bytes, RELEASE_CODES), RELEASE_CODES));
}

function checkEpoch(statement: ReleaseStatement, root: TrustedRoot): void {
  const { epoch } = root.document;
  if (statement.epoch < epoch) {
    throw new TrustError("RELEASE_ROLLBACK", `epoch ${String(statement.epoch)} is below ${String(epoch)}`);
  }
  // Only a root may raise the epoch: a release key alone cannot lift the floor out of reach.
  if (statement.epoch > epoch) {
    throw new TrustError(
      "RELEASE_INVALID",
      `epoch ${String(statement.epoch)} is above the root's ${String(epoch)}`,
    );
  }
}

/**
 * Nothing activated yet, or a higher epoch: accept from the configured floor on. Higher sequence: accept. Same sequence and digest: accept (restart, re-signed).
 * Same sequence, other digest: RELEASE_EQUIVOCATION. Lower: RELEASE_ROLLBACK.
 */
function checkRatchet(
  statement: ReleaseStatement,
  ratchet: Ratchet | undefined,
  floor: ReleaseFloor | undefined,
): void {
  const { epoch, sequence } = statement;
  const isFirst = ratchet === undefined || epoch > ratchet.epoch;
  const least = isFirst ? floor : ratchet;
  if (least !== undefined && (epoch < least.epoch || (epoch === least.epoch && sequence < least.sequence))) {
    const held = `${String(least.epoch)}/${String(least.sequence)}`;
    throw new TrustError("RELEASE_ROLLBACK", `${String(epoch)}/${String(sequence)} is below ${held}`);
  }
  if (!isFirst && sequence === ratchet.sequence && statement.digest !== ratchet.digest) {
    throw new TrustError("RELEASE_EQUIVOCATION", `sequence ${String(sequence)} was ${ratchet.digest}`);
  }
}

const formatVersion: Decode<1> = (value, at) => {
  if (value !== 1) throw decodeFault(at, "this version of Aegis reads format 1");
  return 1;
};

/** A year: an expiry is the bound on a frozen channel, and grace must not undo it. */
const MAX_GRACE_SECONDS = 366 * 24 * 60 * 60;

const grace: Decode<number> = (value, at) => {
  const seconds = wholeNumber(0)(value, at);
  if (seconds > MAX_GRACE_SECONDS) throw decodeFault(at, "expected at most a year");
  return seconds;
};

const statementShape = closedObject<ReleaseStatement>(
  {
    formatVersion,
    channel: nonEmptyText,
    epoch: wholeNumber(0),
    sequence: wholeNumber(1),
    digest,
    issuedAt: instant,
    expiresAt: instant,
    graceSeconds: grace,
  },
  {
    source: closedObject<NonNullable<ReleaseStatement["source"]>>(
      { repo: nonEmptyText, commit: nonEmptyText },
      {},
    ),
    plan: closedObject<NonNullable<ReleaseStatement["plan"]>>({ digest }, {}),
    tests: closedObject<NonNullable<ReleaseStatement["tests"]>>(
      { digest, passed: wholeNumber(0), failed: wholeNumber(0) },
      {},
    ),
  },
);
