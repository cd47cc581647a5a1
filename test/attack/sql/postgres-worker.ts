// Worker thread with a real PostgreSQL (PGlite): runs one statement and tells what it left behind. A thread, because
// nothing but its end stops a statement that goes on and on.
import { readFileSync } from "node:fs";
import { parentPort } from "node:worker_threads";
import { PGlite } from "@electric-sql/pglite";
import { openEmbeddedPostgres } from "../../../cli/demo/servers/embedded-postgres.ts";
import { RESET, SNAPSHOT, OBSERVER } from "./snapshot.ts";

/** How the text is sent: as a script, as one prepared statement, or as a script inside a transaction. */
export type Mode = "simple" | "extended" | "transaction";

export interface Run {
  readonly outcome: "ran" | "failed";
  /** What the statement changed, empty where it changed nothing that can be seen. */
  readonly effects: readonly string[];
  readonly error?: string;
}

type State = Readonly<Record<string, unknown>>;

const world = readFileSync(new URL("./world.sql", import.meta.url), "utf8");
/** Advance with every write, whoever did it: told from one moment to the next. */
const RELATIVE: ReadonlySet<string> = new Set(["xid", "wal"]);

async function open(image: Blob | undefined): Promise<PGlite> {
  if (image !== undefined) return PGlite.create({ loadDataDir: image });
  const db = await openEmbeddedPostgres();
  await db.exec(OBSERVER);
  await db.exec(RESET);
  await db.exec(`set search_path = public; ${world}`);
  await db.exec("analyze");
  await db.exec("vacuum (freeze)");
  return db;
}

let db = await open(undefined);
const image = await db.dumpDataDir("none");
await db.close();
db = await open(image);
await stateOf();
const base = await stateOf();
const catalogue = await catalogueOf();
let last = base;

async function stateOf(): Promise<State> {
  const { rows } = await db.query<State>(SNAPSHOT);
  // From here on the next random number is known, so that taking one is seen.
  await db.query("select pg_catalog.setseed(0.25)");
  return rows[0] ?? {};
}

async function catalogueOf(): Promise<State> {
  const { rows } = await db.query<State>("select observer.catalogue() as catalogue");
  return rows[0] ?? {};
}

function changes(before: State, after: State): readonly string[] {
  return Object.keys(after).filter((key) => JSON.stringify(before[key]) !== JSON.stringify(after[key]));
}

async function send(sql: string, mode: Mode): Promise<readonly string[]> {
  if (mode === "simple") await db.exec(sql);
  else if (mode === "extended") await db.query(sql);
  else {
    await db.exec("begin");
    await db.exec(sql);
    const { rows } = await db.query<{ held: readonly string[] }>("select observer.held() as held");
    await db.exec("rollback");
    return rows[0]?.held ?? [];
  }
  return [];
}

// Reading may tidy a page up after an earlier write, which is in the write-ahead log, and is not done twice.
async function run(sql: string, mode: Mode): Promise<Run> {
  let result = await runOnce(sql, mode);
  for (let again = 0; again < 3 && result.effects.join() === "wal"; again += 1)
    result = await runOnce(sql, mode);
  return result;
}

async function runOnce(sql: string, mode: Mode): Promise<Run> {
  const before = last;
  let held: readonly string[] = [];
  let error: string | undefined;
  try {
    held = await send(sql, mode);
  } catch (cause) {
    error = cause instanceof Error ? cause.message : String(cause);
  }
  // A statement may leave a transaction open: what it would do is done when it is committed.
  await db.exec("commit").catch(() => undefined);
  const after = await stateOf().catch((): State => ({ observer: "gone" }));
  const changed = changes(before, after);
  const effects = [...held, ...changed];
  last = after;
  if (changed.some((key) => !RELATIVE.has(key))) await restore();
  return error === undefined ? { outcome: "ran", effects } : { outcome: "failed", effects, error };
}

/** Puts the world back; where that cannot be done in place, a fresh copy of the database takes over. */
async function restore(): Promise<void> {
  try {
    await db.exec("rollback");
    await db.exec("reset session authorization; reset role; reset all");
    await db.exec("discard all");
    await db.exec(RESET);
    await db.exec(`set search_path = public; ${world}`);
    await db.exec("reset all");
    await stateOf();
    last = await stateOf();
    const left = changes(base, last).filter((key) => !RELATIVE.has(key));
    if (left.length === 0 && changes(catalogue, await catalogueOf()).length === 0) return;
  } catch {
    // The fresh copy follows.
  }
  await reopen();
}

async function reopen(): Promise<void> {
  await db.close().catch(() => undefined);
  db = await open(image);
  await stateOf();
  last = await stateOf();
}

const port = parentPort;
if (port !== null) {
  port.on("message", (message: { sql: string; mode: Mode; fresh: boolean }) => {
    const work = async (): Promise<Run> => {
      if (message.fresh) await reopen();
      return run(message.sql, message.mode);
    };
    work()
      .then((result) => port.postMessage(result))
      .catch((cause: unknown) => {
        throw cause;
      });
  });
  port.postMessage("ready");
}
