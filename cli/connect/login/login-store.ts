// Stored logins, one file for each gateway, issuer and client: $XDG_STATE_HOME/aegis/connect, for this user only.
import { createHash, randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { chmod, link, lstat, mkdir, open, readdir, rename, rm, utimes } from "node:fs/promises";
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import { writeDurably } from "#bundle";
import { isJsonObject } from "#std";
import type { JsonValue } from "#std";
import { CliError } from "../../output/cli-error.ts";

const FORMAT_VERSION = 1;
const MAX_FILE_BYTES = 262_144;
const MAX_FILES = 1_000;

/** A login as it is stored. Times are milliseconds since 1970. */
export interface StoredLogin {
  /** The endpoint that the token is sent to. */
  readonly url: string;
  /** RFC 8707 resource that the token was asked for. */
  readonly resource: string;
  readonly issuer: string;
  readonly clientId: string;
  /** Only of a client that registered itself. */
  readonly clientSecret?: string;
  readonly scope?: string;
  readonly accessToken: string;
  readonly refreshToken?: string;
  readonly expiresAtMs?: number;
  readonly obtainedAtMs: number;
}

export interface LoginStore {
  readonly dir: string;
  /** Logins for an endpoint, the newest first. @throws {CliError} where others could have written or read them */
  readonly find: (url: string) => Promise<readonly StoredLogin[]>;
  readonly save: (login: StoredLogin) => Promise<void>;
  readonly remove: (login: StoredLogin) => Promise<void>;
  /** Runs `work` while no other process refreshes or logs in for this endpoint. */
  readonly exclusively: <T>(url: string, signal: AbortSignal, work: () => Promise<T>) => Promise<T>;
}

const digest = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 24);

/** The directory for stored logins. */
export function stateDirectory(env: Readonly<Record<string, string | undefined>>): string {
  const configured = env["XDG_STATE_HOME"];
  const home = env["HOME"] ?? homedir();
  const base =
    configured !== undefined && isAbsolute(configured) ? configured : join(home, ".local", "state");
  return join(base, "aegis", "connect");
}

async function prepare(dir: string): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const stat = await lstat(dir);
  if (!stat.isDirectory()) throw unsafe(dir, "is not a directory");
  if (!isOwn(stat.uid)) throw unsafe(dir, "belongs to another user");
  if ((stat.mode & 0o077) !== 0) await chmod(dir, 0o700);
}

function isOwn(uid: number): boolean {
  return process.getuid === undefined || process.getuid() === uid;
}

function unsafe(path: string, why: string): CliError {
  return new CliError(`${path} ${why}`, { help: "remove it; the next login makes it anew" });
}

async function readLogin(path: string): Promise<StoredLogin | undefined> {
  let handle;
  try {
    // Never through a link, and never waiting for a pipe.
    handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (fault) {
    const { code } = fault as NodeJS.ErrnoException;
    if (code === "ENOENT") return undefined;
    throw unsafe(path, code === "ELOOP" ? "is a symbolic link" : `cannot be read (${String(code)})`);
  }
  try {
    const stat = await handle.stat();
    if (!stat.isFile() || stat.size > MAX_FILE_BYTES) throw unsafe(path, "is no stored login");
    if (!isOwn(stat.uid)) throw unsafe(path, "belongs to another user");
    if (process.platform !== "win32" && (stat.mode & 0o077) !== 0)
      throw unsafe(path, "can be read or written by other users");
    return decode(await handle.readFile("utf8"));
  } finally {
    await handle.close();
  }
}

/** Undefined for what another version of this command wrote, or nobody. */
function decode(text: string): StoredLogin | undefined {
  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch {
    return undefined;
  }
  if (!isJsonObject(value) || value["formatVersion"] !== FORMAT_VERSION) return undefined;
  const { formatVersion: _version, ...login } = value;
  const needed = ["url", "resource", "issuer", "clientId", "accessToken"];
  const optional = ["clientSecret", "scope", "refreshToken"];
  const isText = (name: string): boolean => typeof login[name] === "string";
  const isFit =
    needed.every(isText) &&
    optional.every((name) => login[name] === undefined || isText(name)) &&
    typeof login["obtainedAtMs"] === "number" &&
    (login["expiresAtMs"] === undefined || typeof login["expiresAtMs"] === "number");
  return isFit ? (login as unknown as StoredLogin) : undefined;
}

export function openLoginStore(dir: string): LoginStore {
  const fileOf = ({ url, resource, issuer, clientId }: StoredLogin): string =>
    join(dir, `${digest(url)}-${digest(JSON.stringify([resource, issuer, clientId]))}.json`);
  return {
    dir,
    find: async (url) => {
      await prepare(dir);
      const prefix = `${digest(url)}-`;
      const names = (await readdir(dir)).filter((name) => name.startsWith(prefix) && name.endsWith(".json"));
      const found = await Promise.all(names.slice(0, MAX_FILES).map((name) => readLogin(join(dir, name))));
      return found
        .filter((login) => login?.url === url)
        .filter((login) => login !== undefined)
        .sort((a, b) => b.obtainedAtMs - a.obtainedAtMs);
    },
    save: async (login) => {
      await prepare(dir);
      const text = `${JSON.stringify({ formatVersion: FORMAT_VERSION, ...login }, null, 2)}\n`;
      await writeDurably(fileOf(login), Buffer.from(text, "utf8"), { mode: 0o600 });
    },
    remove: async (login) => {
      await rm(fileOf(login), { force: true });
    },
    exclusively: async (url, signal, work) => {
      await prepare(dir);
      const release = await takeLock(join(dir, `${digest(url)}.lock`), signal);
      try {
        return await work();
      } finally {
        await release();
      }
    },
  };
}

const HEARTBEAT_MS = 2_000;
/** A lock whose holder has not touched it for this long has no holder. */
const STALE_MS = 15_000;
const POLL_MS = 100;

/** Takes a lock file; the answer gives it back. */
async function takeLock(path: string, signal: AbortSignal): Promise<() => Promise<void>> {
  let own: number | undefined;
  while (own === undefined) {
    signal.throwIfAborted();
    try {
      const handle = await open(path, "wx", 0o600);
      await handle.writeFile(`${String(process.pid)}\n`);
      own = (await handle.stat()).ino;
      await handle.close();
    } catch (fault) {
      if ((fault as NodeJS.ErrnoException).code !== "EEXIST") throw fault;
      if (!(await removeStale(path))) await pause(signal);
    }
  }
  const isOwnLock = async (): Promise<boolean> => (await lstat(path).catch(() => undefined))?.ino === own;
  const touch = async (): Promise<void> => {
    if (await isOwnLock()) await utimes(path, new Date(), new Date()).catch(() => undefined);
  };
  const timer = setInterval(() => void touch(), HEARTBEAT_MS);
  timer.unref();
  return async () => {
    clearInterval(timer);
    // A process that stood still for long may have lost it to another.
    if (await isOwnLock()) await rm(path, { force: true });
  };
}

/** Takes a lock that nobody holds out of the way; true where it is worth trying again at once. */
async function removeStale(path: string): Promise<boolean> {
  try {
    const { mtimeMs, ino } = await lstat(path);
    if (Date.now() - mtimeMs < STALE_MS) return false;
    const aside = `${path}.${randomBytes(6).toString("hex")}.stale`;
    await rename(path, aside);
    // Whoever was faster has put a lock of its own there, which goes back.
    if ((await lstat(aside)).ino !== ino) await link(aside, path).catch(() => undefined);
    await rm(aside, { force: true });
    return true;
  } catch {
    return true;
  }
}

function pause(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, POLL_MS);
    signal.addEventListener("abort", end, { once: true });
  });
}
