// A channel directory as the release tools see it: what is current, and the one way to replace it.
import { mkdir, rm, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import {
  MAX_BUNDLE_BYTES,
  MAX_DOCUMENT_BYTES,
  MAX_ROOT_STEPS,
  PUBLIC_FILE_MODE,
  RELEASE_FILE,
  advanceRoot,
  bundleDigest,
  bundleFile,
  rootFile,
  writeDurably,
  writeNew,
} from "#bundle";
import type { TrustedRoot } from "#bundle";
import { BUNDLE_READ, ROOT_READ, STATEMENT_READ, readTrusted } from "./read-trusted.ts";
import { ReleaseToolError } from "./release-error.ts";

/** A statement that lacks signatures waits here; gateways never read it. */
const PENDING_FILE = "pending.json";
const LOCK_FILE = ".release.lock";
const DIRECTORY_MODE = 0o755;

export interface ChannelDirectory {
  readonly path: string;
  readonly readRelease: () => Promise<Uint8Array | undefined>;
  readonly readPending: () => Promise<Uint8Array | undefined>;
  readonly readBundle: (digest: string) => Promise<Uint8Array | undefined>;
  readonly readRoot: (version: number) => Promise<Uint8Array | undefined>;
  /** The roots from the trusted one to the newest, each step verified. Throws TrustError ROOT_INVALID. */
  readonly rootChain: (trusted: TrustedRoot) => Promise<readonly [TrustedRoot, ...TrustedRoot[]]>;
  /** Adds a root. Throws CHANNEL_CONFLICT where that version is there with other bytes. */
  readonly addRoot: (root: TrustedRoot) => Promise<void>;
  readonly addBundle: (bytes: Uint8Array) => Promise<void>;
  readonly writePending: (statement: Uint8Array) => Promise<void>;
  /** Replaces `expected` by `next`. Throws CHANNEL_CONFLICT where something else is current. Call it under `locked`. */
  readonly swapRelease: (expected: Uint8Array | undefined, next: Uint8Array) => Promise<void>;
  /** Runs `action` as the only release of this directory. Throws CHANNEL_CONFLICT where another one runs. */
  readonly locked: <R>(action: () => Promise<R>) => Promise<R>;
}

export function openChannelDirectory(path: string): ChannelDirectory {
  const at = (name: string): string => join(path, name);
  const readRelease = (): Promise<Uint8Array | undefined> =>
    readTrusted(at(RELEASE_FILE), MAX_DOCUMENT_BYTES, STATEMENT_READ);
  const readRoot = (version: number): Promise<Uint8Array | undefined> =>
    readTrusted(at(rootFile(version)), MAX_DOCUMENT_BYTES, ROOT_READ);
  return {
    path,
    readRelease,
    readPending: () => readTrusted(at(PENDING_FILE), MAX_DOCUMENT_BYTES, STATEMENT_READ),
    readBundle: (digest) => readTrusted(at(bundleFile(digest)), MAX_BUNDLE_BYTES, BUNDLE_READ),
    readRoot,
    rootChain: (trusted) => followChain(trusted, readRoot),
    addRoot: async (root) => {
      const name = rootFile(root.document.version);
      await mkdir(at("roots"), { recursive: true, mode: DIRECTORY_MODE });
      const present = await readRoot(root.document.version);
      if (present === undefined) await writeDurably(at(name), root.bytes, { mode: PUBLIC_FILE_MODE });
      else if (Buffer.compare(present, root.bytes) !== 0) {
        throw new ReleaseToolError("CHANNEL_CONFLICT", `${at(name)} is another root`);
      }
    },
    addBundle: async (bytes) => {
      await mkdir(path, { recursive: true, mode: DIRECTORY_MODE });
      await writeDurably(at(bundleFile(bundleDigest(bytes))), bytes, { mode: PUBLIC_FILE_MODE });
    },
    writePending: (statement) => writeDurably(at(PENDING_FILE), statement, { mode: PUBLIC_FILE_MODE }),
    swapRelease: async (expected, next) => {
      if (!sameBytes(await readRelease(), expected)) {
        throw new ReleaseToolError("CHANNEL_CONFLICT", `${at(RELEASE_FILE)} changed meanwhile: start again`);
      }
      await writeDurably(at(RELEASE_FILE), next, { mode: PUBLIC_FILE_MODE });
      await rm(at(PENDING_FILE), { force: true });
    },
    locked: async (action) => {
      const made = await mkdir(path, { recursive: true, mode: DIRECTORY_MODE });
      await takeLock(at(LOCK_FILE));
      try {
        return await action();
      } finally {
        await rm(at(LOCK_FILE), { force: true });
        if (made !== undefined) await removeEmpty(path, made);
      }
    },
  };
}

async function followChain(
  trusted: TrustedRoot,
  readRoot: (version: number) => Promise<Uint8Array | undefined>,
): Promise<readonly [TrustedRoot, ...TrustedRoot[]]> {
  const chain: [TrustedRoot, ...TrustedRoot[]] = [trusted];
  let last = trusted;
  for (let step = 0; step < MAX_ROOT_STEPS; step++) {
    const bytes = await readRoot(last.document.version + 1);
    if (bytes === undefined) return chain;
    last = await advanceRoot(last, bytes);
    chain.push(last);
  }
  throw new ReleaseToolError(
    "CHANNEL_INVALID",
    `more than ${String(MAX_ROOT_STEPS)} roots follow the given one`,
  );
}

/** Takes the directories from `path` up to `first` away again where an action left them empty. */
async function removeEmpty(path: string, first: string): Promise<void> {
  for (let at = path; at.length >= first.length; at = dirname(at)) {
    try {
      await rmdir(at);
    } catch {
      return;
    }
  }
}

async function takeLock(path: string): Promise<void> {
  try {
    await writeNew(path, new TextEncoder().encode(`${String(process.pid)}\n`), PUBLIC_FILE_MODE);
  } catch (error) {
    const held = error instanceof Error && "code" in error && error.code === "EEXIST";
    if (!held) throw error;
    const remedy = `remove ${path} if no release is running`;
    throw new ReleaseToolError("CHANNEL_CONFLICT", `another release holds the channel: ${remedy}`);
  }
}

function sameBytes(left: Uint8Array | undefined, right: Uint8Array | undefined): boolean {
  if (left === undefined || right === undefined) return left === right;
  return Buffer.compare(left, right) === 0;
}
