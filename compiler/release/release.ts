// Makes releases: a signed statement with the next sequence, put into the channel by compare-and-swap. Whatever is
// published was first verified by the code of the gateway.
import {
  RELEASE_CODES,
  bundleDigest,
  decodeBundle,
  decodeStatement,
  formatInstant,
  peekStatement,
  verifyRelease,
} from "#bundle";
import type { Digest, Ratchet, ReleaseStatement, TrustedRoot } from "#bundle";
import { TrustError, isTrustError } from "#errors";
import { closestName } from "#std";
import type { JsonValue } from "#std";
import { alreadySigned, requireAuthorized, signedByAll } from "./authorized.ts";
import { openChannelDirectory } from "./channel-directory.ts";
import type { ChannelDirectory } from "./channel-directory.ts";
import { ReleaseToolError } from "./release-error.ts";
import { cosignDocument, signDocument } from "./sign.ts";
import type { Signer } from "./sign.ts";

export interface ReleaseTarget {
  /** The channel directory; created where it does not exist. */
  readonly directory: string;
  readonly channel: string;
  /** The root the operator trusts; later roots are followed from the directory. */
  readonly root: TrustedRoot;
  readonly signers: readonly Signer[];
  readonly nowMs: number;
}

export interface ReleaseTerms {
  /** Milliseconds since the epoch. */
  readonly expiresAtMs: number;
  readonly graceSeconds: number;
  readonly source?: ReleaseStatement["source"];
  readonly plan?: ReleaseStatement["plan"];
  readonly tests?: ReleaseStatement["tests"];
}

/** `published` is false where signatures are missing: the statement waits for `cosignRelease`. */
export interface ReleaseOutcome {
  readonly statement: ReleaseStatement;
  readonly published: boolean;
}

/**
 * Releases a bundle. Throws ReleaseToolError CHANNEL_CONFLICT (a concurrent release came first),
 * RELEASE_INPUT_INVALID, CHANNEL_INVALID, KEY_NOT_AUTHORIZED; TrustError where the bundle or the statement would be refused by a gateway.
 */
export async function releaseBundle(
  target: ReleaseTarget,
  terms: ReleaseTerms,
  bundle: Uint8Array,
): Promise<ReleaseOutcome> {
  const channel = openChannelDirectory(target.directory);
  return channel.locked(() => releaseLocked(channel, target, terms, bundle));
}

/** Points the channel at a bundle it still holds: a new statement with a higher sequence, no rebuild. */
export async function rollbackTo(
  target: ReleaseTarget,
  terms: ReleaseTerms,
  digest: string,
): Promise<ReleaseOutcome> {
  const channel = openChannelDirectory(target.directory);
  return channel.locked(async () => {
    const bundle = await channel.readBundle(digest);
    if (bundle === undefined) {
      throw new ReleaseToolError("RELEASE_INPUT_INVALID", `${target.directory} holds no bundle ${digest}`);
    }
    decodeBundle(bundle, digest);
    return releaseLocked(channel, target, terms, bundle);
  });
}

/**
 * Adds signatures to the statement that waits and publishes it once the threshold is met. With `digest` only a statement
 * of that bundle: whoever may write into the channel chooses what waits there. Throws CHANNEL_CONFLICT for another,
 * KEY_NOT_AUTHORIZED, and KEY_ALREADY_SIGNED where no signature would be new.
 */
export async function cosignRelease(target: ReleaseTarget, digest?: Digest): Promise<ReleaseOutcome> {
  const channel = openChannelDirectory(target.directory);
  return channel.locked(async () => {
    const pending = await channel.readPending();
    if (pending === undefined) {
      throw new ReleaseToolError("RELEASE_INPUT_INVALID", `no statement waits in ${target.directory}`);
    }
    const current = await readCurrent(channel, target);
    const statement = peekStatement(pending);
    requireNext(statement, current, target);
    if (digest !== undefined && statement.digest !== digest) {
      throw new ReleaseToolError("CHANNEL_CONFLICT", `the statement that waits is of ${statement.digest}`);
    }
    requireReleaseKeys(target, current);
    const { document } = current.root;
    // One that verifies by now, under a lower threshold, is published by whoever comes back.
    if (
      (await signedByAll("aegis-release", pending, target.signers, document, RELEASE_CODES)) &&
      !(await isAccepted(target, current, pending))
    )
      throw alreadySigned(target.signers);
    const signed = await cosignDocument("aegis-release", pending, target.signers, RELEASE_CODES);
    return publish(channel, target, current, statement, signed);
  });
}

/** What the channel runs now, vouched for by a root of its chain. */
interface Current {
  readonly root: TrustedRoot;
  readonly bytes?: Uint8Array;
  readonly ratchet?: Ratchet;
}

async function releaseLocked(
  channel: ChannelDirectory,
  target: ReleaseTarget,
  terms: ReleaseTerms,
  bundle: Uint8Array,
): Promise<ReleaseOutcome> {
  const digest = bundleDigest(bundle);
  const content = decodeBundle(bundle, digest);
  if (!Object.hasOwn(content.routes.environments, target.channel)) {
    const known = Object.keys(content.routes.environments).sort();
    const near = closestName(target.channel, known);
    const help = near === undefined ? `it has ${known.join(", ")}` : `did you mean ${JSON.stringify(near)}?`;
    throw new ReleaseToolError(
      "RELEASE_INPUT_INVALID",
      `the bundle has no environment ${target.channel}: ${help}`,
    );
  }
  const current = await readCurrent(channel, target);
  requireReleaseKeys(target, current);
  const statement = decodeStatement({
    formatVersion: 1,
    channel: target.channel,
    epoch: current.root.document.epoch,
    sequence: nextSequence(current),
    digest,
    issuedAt: formatInstant(target.nowMs),
    expiresAt: formatInstant(terms.expiresAtMs),
    graceSeconds: terms.graceSeconds,
    ...(terms.source === undefined ? {} : { source: { ...terms.source } }),
    ...(terms.plan === undefined ? {} : { plan: { ...terms.plan } }),
    ...(terms.tests === undefined ? {} : { tests: { ...terms.tests } }),
  } satisfies JsonValue);
  const signed = await signDocument("aegis-release", statement, target.signers);
  return publish(channel, target, current, statement, signed, bundle);
}

async function publish(
  channel: ChannelDirectory,
  target: ReleaseTarget,
  current: Current,
  statement: ReleaseStatement,
  signed: Uint8Array,
  bundle?: Uint8Array,
): Promise<ReleaseOutcome> {
  // Nothing is written for a statement that no gateway would take.
  const isComplete = await isAccepted(target, current, signed);
  if (bundle !== undefined) await channel.addBundle(bundle);
  if (!isComplete) {
    await channel.writePending(signed);
    return { statement, published: false };
  }
  await channel.addRoot(current.root);
  await channel.swapRelease(current.bytes, signed);
  return { statement, published: true };
}

/** False where signatures are missing; throws TrustError where more signatures would not help. */
async function isAccepted(target: ReleaseTarget, current: Current, signed: Uint8Array): Promise<boolean> {
  try {
    await verifyRelease(signed, {
      root: current.root,
      channel: target.channel,
      nowMs: target.nowMs,
      ...(current.ratchet === undefined ? {} : { ratchet: current.ratchet }),
    });
  } catch (error) {
    if (!isTrustError(error) || error.code !== "RELEASE_BELOW_THRESHOLD") throw error;
    return false;
  }
  return true;
}

/** A statement that nobody trusted vouches for must not choose the next sequence: it could burn the range. */
async function readCurrent(channel: ChannelDirectory, target: ReleaseTarget): Promise<Current> {
  const chain = await channel.rootChain(target.root);
  const root = chain.at(-1) ?? target.root;
  const bytes = await channel.readRelease();
  if (bytes === undefined) return { root };
  const statement = peekStatement(bytes);
  if (statement.channel !== target.channel) {
    throw new ReleaseToolError("CHANNEL_INVALID", `${channel.path} is the channel ${statement.channel}`);
  }
  for (const candidate of chain) {
    if (await vouchesFor(candidate, bytes, statement)) {
      const { epoch, sequence, digest } = statement;
      return { root, bytes, ratchet: { epoch, sequence, digest } };
    }
  }
  throw new TrustError(
    "RELEASE_SIGNATURE_INVALID",
    `no trusted root vouches for the current release of ${channel.path}`,
  );
}

/** Judged at the time of its issue: that it expired since does not make its sequence less true. */
async function vouchesFor(
  root: TrustedRoot,
  bytes: Uint8Array,
  statement: ReleaseStatement,
): Promise<boolean> {
  try {
    await verifyRelease(bytes, {
      root: { ...root, document: { ...root.document, revokedDigests: [] } },
      channel: statement.channel,
      nowMs: Date.parse(statement.issuedAt),
    });
    return true;
  } catch (error) {
    if (isTrustError(error)) return false;
    throw error;
  }
}

function requireReleaseKeys(target: ReleaseTarget, { root }: Current): void {
  requireAuthorized(target.signers, root.document.roles.release.keyids, "releases");
}

function nextSequence(current: Current): number {
  const { ratchet, root } = current;
  return ratchet === undefined || ratchet.epoch < root.document.epoch ? 1 : ratchet.sequence + 1;
}

function requireNext(statement: ReleaseStatement, current: Current, target: ReleaseTarget): void {
  const isNext =
    statement.sequence === nextSequence(current) && statement.epoch === current.root.document.epoch;
  if (statement.channel !== target.channel || !isNext) {
    throw new ReleaseToolError("CHANNEL_CONFLICT", "another release came before the statement that waits");
  }
}
