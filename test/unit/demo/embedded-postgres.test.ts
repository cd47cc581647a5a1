import { mkdtemp, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openEmbeddedPostgres } from "../../../cli/demo/servers/embedded-postgres.ts";

let dir: string;
let image: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "aegis-postgres-"));
  image = join(dir, "cache", "postgres.tar.gz");
});
afterEach(() => rm(dir, { recursive: true, force: true }));

/** What was put into a database is not there in the next one: creating the table again would fail. */
async function useDatabase(): Promise<void> {
  const database = await openEmbeddedPostgres(image);
  await database.exec("create table customers (id integer); insert into customers values (1)");
  expect((await database.query("select id from customers")).rows).toEqual([{ id: 1 }]);
  await database.close();
}

test("a damaged image is made anew, and a good one is opened as it is", async () => {
  await useDatabase();
  const good = await readFile(image);
  await writeFile(image, good.with(good.length >> 1, 0).subarray(0, -9));
  await writeFile(join(dirname(image), "left by another"), "");
  await useDatabase();
  expect(await readdir(dirname(image))).toEqual(["postgres.tar.gz"]);
  const { ino, mtimeMs } = await stat(image);
  await useDatabase();
  expect(await stat(image)).toMatchObject({ ino, mtimeMs });
});

test("a place that cannot be written is done without", async () => {
  await writeFile(join(dir, "cache"), "a file");
  await useDatabase();
  expect(await readdir(dir)).toEqual(["cache"]);
});
