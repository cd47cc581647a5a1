// An empty embedded PostgreSQL. To make one takes seconds of processor time, to open the image of one less than a second,
// so the first start on a machine leaves an image beside the installed packages.
import { randomUUID } from "node:crypto";
import { mkdir, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { PGlite } from "@electric-sql/pglite";

/** `node_modules/@electric-sql/pglite`. */
const PACKAGE_DIR = join(dirname(createRequire(import.meta.url).resolve("@electric-sql/pglite")), "..");

/** In `node_modules/.cache`, where `npm ci` removes it; an image is of one version of the package. */
async function imagePath(): Promise<string> {
  const { version } = JSON.parse(await readFile(join(PACKAGE_DIR, "package.json"), "utf8")) as {
    readonly version: string;
  };
  return join(PACKAGE_DIR, "..", "..", ".cache", "aegis", `postgres-${version}.tar.gz`);
}

/**
 * A database of its own, in memory. An image that is missing or damaged is made anew; without a place for it, each start
 * takes its time.
 *
 * @param imageFile default: of this version of the package, in its `node_modules/.cache`
 */
export async function openEmbeddedPostgres(imageFile?: string): Promise<PGlite> {
  const path = imageFile ?? (await imagePath());
  const image = await readImage(path).catch(() => undefined);
  const opened = image && (await PGlite.create({ loadDataDir: image }).catch(() => undefined));
  if (opened !== undefined) return opened;
  const made = await PGlite.create();
  await keepImage(made, path).catch(() => undefined);
  return made;
}

/** Unpacked here, with its checksum: PGlite leaves the rejection of a broken archive to the process. */
async function readImage(path: string): Promise<Blob> {
  return new Blob([await promisify(gunzip)(await readFile(path))]);
}

/** Under its name only when it is whole: several servers may start at once. */
async function keepImage(database: PGlite, path: string): Promise<void> {
  const image = await database.dumpDataDir("gzip");
  const partial = `${path}.${randomUUID()}`;
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(partial, Buffer.from(await image.arrayBuffer()), { flag: "wx" });
    await rename(partial, path);
    await removeOthers(path);
  } catch (fault) {
    await rm(partial, { force: true });
    throw fault;
  }
}

/** Images of other versions, and what a process that was killed has left. */
async function removeOthers(path: string): Promise<void> {
  const dir = dirname(path);
  const others = (await readdir(dir)).filter((name) => name !== basename(path));
  await Promise.all(others.map((name) => rm(join(dir, name), { force: true })));
}
