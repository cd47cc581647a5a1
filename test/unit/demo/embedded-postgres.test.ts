import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openEmbeddedPostgres } from "../../../cli/demo/servers/embedded-postgres.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "aegis-postgres-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

async function expectEmpty(imageFile: string): Promise<void> {
  const database = await openEmbeddedPostgres(imageFile);
  await database.exec("create table customers (id integer); insert into customers values (1)");
  expect((await database.query("select id from customers")).rows).toEqual([{ id: 1 }]);
  await database.close();
}

test("an image that is none is replaced, and what a database was given is not in it", async () => {
  const image = join(dir, "cache", "postgres.tar.gz");
  await expectEmpty(join(dir, "a file is no directory", "image"));
  await rm(dir, { recursive: true });
  await expectEmpty(image);
  await writeFile(image, "no image");
  await expectEmpty(image);
  expect((await readFile(image)).length).toBeGreaterThan(1_000_000);
  await expectEmpty(image);
  expect(await readdir(join(dir, "cache"))).toEqual(["postgres.tar.gz"]);
});
