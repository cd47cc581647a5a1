// aegis schema, and the environment of aegis dev: what is asked for by name exists, or is refused with a suggestion.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ROOT, createDesk } from "./cli-fixture.ts";
import type { Desk } from "./cli-fixture.ts";

let desk: Desk;
beforeAll(() => {
  desk = createDesk("template");
});
afterAll(() => desk.remove());

function parsed(path: string): unknown {
  return JSON.parse(readFileSync(path, "utf8"));
}

describe("schema", () => {
  test("prints one", async () => {
    const { out } = await desk.ok("schema", "test-suite");
    expect(JSON.parse(out)).toEqual(parsed(join(ROOT, "compiler/schema/test-suite.schema.json")));
  });

  test("lists the kinds", async () => {
    const names = readdirSync(join(ROOT, "compiler/schema")).map((name) => name.replace(".schema.json", ""));
    expect((await desk.ok("schema")).out).toBe(`${names.sort().join("\n")}\n`);
  });

  test("writes all of them", async () => {
    await desk.ok("schema", "--out", "out");
    for (const name of readdirSync(join(ROOT, "compiler/schema")))
      expect(parsed(desk.path("out", name))).toEqual(parsed(join(ROOT, "compiler/schema", name)));
  });

  test("suggests a kind", async () => {
    const { code, err } = await desk.run("schema", "polcy");
    expect(code).toBe(1);
    expect(err).toContain("did you mean policy?");
  });
});

test("aegis dev refuses an environment that is not declared", async () => {
  const { code, err } = await desk.run("dev", "repo", "--environment", "prd");
  expect(code).toBe(1);
  expect(err).toContain('aegis.yaml declares no environment "prd"');
  expect(err).toContain("did you mean prod?");
});
