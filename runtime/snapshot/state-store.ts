// What a gateway keeps across a restart: the ratchet, the last good release and the roots it followed. Nothing in
// here is trusted on reading: the caller verifies it all again.
//
//   ratchet.json            the commit point: names the two files below
//   release-<sha256>.json   the statement of the last good release
//   <digest>.aegis          its bundle
//   roots/<n>.json          roots that follow the pinned one
import { join } from "node:path";
import {
  MAX_BUNDLE_BYTES,
  MAX_DOCUMENT_BYTES,
  PRIVATE_DIRECTORY_MODE,
  bundleFile,
  canonicalJson,
  isDigest,
  nodeFileSystem,
  parseCanonicalJson,
  readBounded,
  rootFile,
  sha256Hex,
  syncDirectory,
  writeDurably,
} from "#bundle";
import type { Digest, FileSystem, Ratchet } from "#bundle";
import { TrustError } from "#errors";
import { isJsonObject } from "#std";

const RATCHET_FILE = "ratchet.json";

/** The ratchet as it lies on disk. */
export interface StoredRatchet extends Ratchet {
  readonly channel: string;
  readonly rootVersion: number;
  /** sha-256 of the statement of the last good release. */
  readonly statement: Digest;
}

export interface StateStore {
  /**
   * The ratchet, or undefined where nothing was activated yet. Throws STATE_CORRUPT for one that cannot be read, or
   * that belongs to another channel.
   */
  readonly loadRatchet: () => Promise<StoredRatchet | undefined>;
  /** The statement and bundle the ratchet names; undefined where one is missing or does not hash to its name. */
  readonly loadRelease: (
    ratchet: StoredRatchet,
  ) => Promise<{ readonly statement: Uint8Array; readonly bundle: Uint8Array } | undefined>;
  readonly loadRoot: (version: number) => Promise<Uint8Array | undefined>;
  /** Keeps a root whose signatures were verified. */
  readonly saveRoot: (version: number, bytes: Uint8Array) => Promise<void>;
  /**
   * Makes a release the last good one. Call it only after activation. A crash at any moment leaves the old release
   * or the new one, whole. Throws RELEASE_ROLLBACK where the ratchet on disk is already higher.
   */
  readonly saveRelease: (release: {
    readonly ratchet: Ratchet;
    readonly rootVersion: number;
    readonly statement: Uint8Array;
    readonly bundle: Uint8Array;
  }) => Promise<void>;
}

/** `directory` belongs to one gateway and one channel. It is created with mode 0700 on the first write. */
export function openStateStore(
  directory: string,
  channel: string,
  files: FileSystem = nodeFileSystem,
): StateStore {
  const at = (name: string): string => join(directory, name);
  const loadRatchet = (): Promise<StoredRatchet | undefined> => readRatchet(directory, channel, files);
  return {
    loadRatchet,
    loadRelease: async (ratchet) => {
      const statement = await readBounded(at(statementFile(ratchet.statement)), MAX_DOCUMENT_BYTES, files);
      const bundle = await readBounded(at(bundleFile(ratchet.digest)), MAX_BUNDLE_BYTES, files);
      if (statement === undefined || bundle === undefined) return undefined;
      return sha256Hex(statement) === ratchet.statement ? { statement, bundle } : undefined;
    },
    loadRoot: (version) => readBounded(at(rootFile(version)), MAX_DOCUMENT_BYTES, files),
    saveRoot: async (version, bytes) => {
      await files.mkdir(at("roots"), { recursive: true, mode: PRIVATE_DIRECTORY_MODE });
      await writeDurably(at(rootFile(version)), bytes, { files });
      await syncDirectory(directory, files);
    },
    saveRelease: async ({ ratchet, rootVersion, statement, bundle }) => {
      await files.mkdir(directory, { recursive: true, mode: PRIVATE_DIRECTORY_MODE });
      const stored = await loadRatchet();
      if (stored !== undefined && isHigher(stored, ratchet)) {
        throw new TrustError(
          "RELEASE_ROLLBACK",
          `${directory} already holds sequence ${String(stored.sequence)}`,
        );
      }
      const statementDigest = sha256Hex(statement);
      await writeDurably(at(bundleFile(ratchet.digest)), bundle, { files });
      await writeDurably(at(statementFile(statementDigest)), statement, { files });
      const { epoch, sequence, digest } = ratchet;
      const next = {
        formatVersion: 1,
        channel,
        epoch,
        sequence,
        digest,
        rootVersion,
        statement: statementDigest,
      };
      await writeDurably(at(RATCHET_FILE), new TextEncoder().encode(canonicalJson(next)), { files });
      await prune(directory, new Set([bundleFile(digest), statementFile(statementDigest)]), files);
    },
  };
}

function statementFile(statement: Digest): string {
  return `release-${statement}.json`;
}

function isHigher(stored: Ratchet, next: Ratchet): boolean {
  return stored.epoch > next.epoch || (stored.epoch === next.epoch && stored.sequence > next.sequence);
}

async function readRatchet(
  directory: string,
  channel: string,
  files: FileSystem,
): Promise<StoredRatchet | undefined> {
  const path = join(directory, RATCHET_FILE);
  let stored: StoredRatchet;
  try {
    const bytes = await readBounded(path, MAX_DOCUMENT_BYTES, files);
    if (bytes === undefined) return undefined;
    stored = decodeRatchet(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    // The audit log and its keys lie beside it by default: nothing but these two is ever to be removed.
    const remedy =
      "restore it from a backup, or remove only it and roots/ beside it and set release.minSequence";
    throw new TrustError("STATE_CORRUPT", `${path} cannot be read: ${remedy} to the last known sequence`, {
      cause: error,
    });
  }
  if (stored.channel !== channel) {
    const remedy = "give each channel a state directory of its own";
    throw new TrustError("STATE_CORRUPT", `${path} belongs to channel ${stored.channel}: ${remedy}`);
  }
  return stored;
}

function decodeRatchet(text: string): StoredRatchet {
  const value = parseCanonicalJson(text);
  if (!isJsonObject(value)) throw new TypeError("not an object");
  const { formatVersion, channel, epoch, sequence, digest, rootVersion, statement, ...rest } = value;
  const wellFormed =
    formatVersion === 1 && typeof channel === "string" && isDigest(digest) && isDigest(statement);
  if (!wellFormed || Object.keys(rest).length > 0) throw new TypeError("not a ratchet");
  return {
    channel,
    epoch: wholeNumber(epoch),
    sequence: wholeNumber(sequence),
    digest,
    rootVersion: wholeNumber(rootVersion),
    statement,
  };
}

function wholeNumber(value: unknown): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0)
    throw new TypeError("not a count");
  return value;
}

/** Removes what no release needs any more. A file that stays costs only its space. */
async function prune(directory: string, keep: ReadonlySet<string>, files: FileSystem): Promise<void> {
  const isOurs = /^(?:[0-9a-f]{64}\.aegis|release-[0-9a-f]{64}\.json|\..+\.tmp)$/;
  try {
    for (const name of await files.readdir(directory)) {
      if (isOurs.test(name) && !keep.has(name)) await files.rm(join(directory, name), { force: true });
    }
  } catch {
    // The release is committed; what could not be removed now is removed with the next one.
  }
}
