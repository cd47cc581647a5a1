// audit verify on a log the gateway's own writer made.
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createAuditLog } from "#audit";
import { createDesk } from "./cli-fixture.ts";
import type { Desk } from "./cli-fixture.ts";

let desk: Desk;
beforeEach(async () => {
  desk = createDesk();
  mkdirSync(desk.path("audit"));
  for (const round of [1, 2]) {
    const log = await createAuditLog({
      dir: desk.path("audit"),
      stateDir: desk.path("state"),
      logId: "test/log",
      minFreeBytes: 0,
    });
    for (let index = 0; index < 5; index += 1) {
      const body = { id: `d${round}-${index}`, effect: "deny", policies: [] };
      await log.append({ tenant: index % 2 === 0 ? "acme" : "globex", event: "decision", body });
    }
    await log.close();
  }
});
afterEach(() => desk.remove());

const segments = (): readonly string[] =>
  readdirSync(desk.path("audit"))
    .filter((name) => /^segment-\d+\.jsonl$/u.test(name))
    .sort()
    .map((name) => desk.path("audit", name));

describe("audit verify", () => {
  it("finds a whole log clean: exit 0, in both formats, and writes nothing", async () => {
    const before = desk.listing();
    const { code, out } = await desk.run("audit", "verify", "audit");
    expect(code).toBe(0);
    expect(out).toMatch(/^clean: \d+ records in 2 segments\n {2}acme: 6 records, 1–6, head [0-9a-f]{64}\n/u);
    const json = JSON.parse((await desk.ok("audit", "verify", "audit", "--format", "json")).out) as Record<
      string,
      unknown
    >;
    expect(json).toMatchObject({
      formatVersion: 1,
      outcome: "clean",
      tenants: { acme: { records: 6 }, globex: { records: 4 } },
    });
    expect(desk.listing()).toEqual(before);
  });

  it("exits 6 for one changed byte, and names the line", async () => {
    const [first = ""] = segments();
    writeFileSync(first, readFileSync(first, "utf8").replace('"id":"d1-1"', '"id":"d1-9"'));
    const { code, out, err } = await desk.run("audit", "verify", "audit");
    expect(code).toBe(6);
    expect(out).toMatch(/^tampered: /u);
    expect(err).toMatch(/^first bad: .*:3: /u);
  });

  it("exits 6 or 8, never 0, where a segment, a line or an end is gone", async () => {
    const [first = "", second = ""] = segments();
    const keep = [readFileSync(first), readFileSync(second)] as const;
    const cuts: readonly (() => void)[] = [
      () => rmSync(first),
      () => writeFileSync(first, keep[0].subarray(0, keep[0].length - 200)),
      () => writeFileSync(second, keep[1].subarray(0, keep[1].length - 200)),
      () => writeFileSync(first, ""),
    ];
    for (const cut of cuts) {
      cut();
      expect([6, 8]).toContain((await desk.run("audit", "verify", "audit")).code);
      writeFileSync(first, keep[0]);
      writeFileSync(second, keep[1]);
    }
    expect((await desk.run("audit", "verify", "audit")).code).toBe(0);
  });

  it("exits 8 where there is no log, and 1 where there is no directory or key", async () => {
    mkdirSync(desk.path("empty"));
    expect((await desk.run("audit", "verify", "empty")).code).toBe(8);
    const missing = await desk.run("audit", "verify", "nowhere");
    expect([missing.code, missing.err]).toEqual([
      1,
      "error: nowhere is not a directory\n  help: name the audit directory of a gateway\n",
    ]);
    expect((await desk.run("audit", "verify", "audit", "--key", "none.pem")).code).toBe(1);
  });
});
