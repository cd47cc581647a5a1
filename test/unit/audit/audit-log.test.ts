// The audit log as the pipeline sees it.
import { mkdirSync, readFileSync, statSync, chmodSync, writeFileSync } from "node:fs";
import { createHmac, hash, hkdfSync } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { AuditEvent } from "#audit";
import { createAuditLog, verifyAuditLog } from "#audit";
import { allow, deny, fill, logPlace, placeOptions, result } from "./log-fixture.ts";
import type { LogPlace } from "./log-fixture.ts";
import { MemoryFs } from "./memory-fs.ts";

let place: LogPlace;
beforeEach(() => {
  place = logPlace();
});
afterEach(() => place.remove());

function linesOf(fs: MemoryFs): Record<string, unknown>[] {
  return fs
    .names(".jsonl")
    .filter((name) => !name.includes("checkpoints"))
    .flatMap((name) => fs.read(name).toString("utf8").trimEnd().split("\n"))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe("records", () => {
  test("a line has the fixed fields in order, and its hash is over the line without it", async () => {
    const log = await createAuditLog({ ...placeOptions(place) });
    const receipt = await log.append(deny("x"));
    await log.close();
    const [, line = ""] = readFileSync(`${place.dir}/segment-00000001.jsonl`, "utf8").split("\n");
    expect(Object.keys(JSON.parse(line) as object)).toEqual([
      "v",
      "log",
      "ten",
      "seq",
      "gseq",
      "t",
      "mono",
      "ev",
      "body",
      "prev",
      "h",
    ]);
    const withoutHash = line.replace(/,"h":"[0-9a-f]{64}"\}$/, "}");
    expect(hash("sha256", `aegis-audit-v1\n${withoutHash}`, "hex")).toBe(receipt.hash);
    expect(receipt).toMatchObject({ tenant: "acme", sequence: 1 });
  });

  test("each tenant has its own chain, in the order of the calls", async () => {
    const fs = new MemoryFs();
    const log = await createAuditLog({ ...placeOptions(place), fs });
    const receipts = await Promise.all(
      Array.from({ length: 300 }, (_, index) =>
        log.append(deny(`d${String(index)}`, index % 2 === 0 ? "acme" : "globex")),
      ),
    );
    expect(receipts.filter(({ tenant }) => tenant === "acme").map(({ sequence }) => sequence)).toEqual(
      Array.from({ length: 150 }, (_, index) => index + 1),
    );
    expect(log.heads()["globex"]).toEqual({ sequence: 150, hash: receipts.at(-1)?.hash });
    await log.close();
    const ids = linesOf(fs)
      .filter(({ ten }) => ten === "globex")
      .map(({ body }) => (body as { id: string }).id);
    expect(ids).toEqual(Array.from({ length: 150 }, (_, index) => `d${String(index * 2 + 1)}`));
  });

  test("client data can forge neither a line nor a field of the envelope", async () => {
    const fs = new MemoryFs();
    const log = await createAuditLog({ ...placeOptions(place), fs });
    const nasty = 'a\n{"v":1}\r\u0000\u001b[31m\u2028\u2029\u0085\ud800","prev":"x","h":"y"}';
    const body = {
      id: nasty,
      t: "1970",
      ten: "other",
      prev: "0",
      h: "0",
      seq: 99,
      ["__proto__"]: { effect: "allow" },
    };
    await log.append({ tenant: "__proto__", event: "auth", body });
    await log.close();
    const [header, record, ...rest] = linesOf(fs);
    expect(header?.["kind"]).toBe("segment");
    expect(rest).toEqual([]);
    expect(record).toMatchObject({ ten: "__proto__", seq: 1, ev: "auth" });
    const [text = ""] = fs
      .names(".jsonl")
      .slice(-1)
      .map((name) => fs.read(name).toString("utf8"));
    for (const char of "\u2028\u2029\u0085\u001b\u0000") expect(text).not.toContain(char);
    expect(await verifyAuditLog({ dir: place.dir, fs })).toMatchObject({ outcome: "clean", records: 1 });
  });

  test("arguments are fingerprinted under a key of the tenant", async () => {
    const log = await createAuditLog(placeOptions(place));
    const print = log.fingerprint("acme", '{"id":1}');
    expect(print).toMatch(/^[0-9a-f]{64}$/);
    expect(log.fingerprint("acme", '{"id":1}')).toBe(print);
    expect(log.fingerprint("globex", '{"id":1}')).not.toBe(print);
    await log.close();
    const again = await createAuditLog(placeOptions(place));
    expect(again.fingerprint("acme", '{"id":1}')).toBe(print);
    await again.close();
  });

  test("a fingerprint is HMAC-SHA-256 under a key derived from the master key, whatever the length of the text", async () => {
    const log = await createAuditLog(placeOptions(place));
    const master = readFileSync(`${place.stateDir}/audit-master.key`);
    const key = Buffer.from(hkdfSync("sha256", master, "aegis-audit-tenant-v1", "acme", 32));
    // Around what is hashed in place, and with characters of one to four bytes and a lone surrogate.
    const texts = [
      "",
      "{}",
      "ü€😀".repeat(20),
      "\ud800",
      ..."xü€".split("").flatMap((char) => [1_365, 1_366, 4_097].map((length) => char.repeat(length))),
    ];
    for (const text of [...texts, ...texts]) {
      expect(log.fingerprint("acme", text)).toBe(
        createHmac("sha256", key).update(text, "utf8").digest("hex"),
      );
    }
    await log.close();
  });
});

describe("refusals", () => {
  test("an append after close, a record too long, a full queue and a nameless tenant are AUDIT_UNAVAILABLE", async () => {
    const log = await createAuditLog({ ...placeOptions(place), queueMaxRecords: 2 });
    const code = (event: AuditEvent): Promise<string> =>
      log.append(event).then(
        () => "appended",
        (fault: { code: string }) => fault.code,
      );
    const four = await Promise.all([code(deny("1")), code(deny("2")), code(deny("3")), code(deny("4"))]);
    expect(four).toEqual(["appended", "appended", "AUDIT_UNAVAILABLE", "AUDIT_UNAVAILABLE"]);
    expect(await code({ ...deny("x"), body: { id: "y".repeat(300_000) } })).toBe("AUDIT_UNAVAILABLE");
    expect(await code(deny("x", ""))).toBe("AUDIT_UNAVAILABLE");
    await log.close();
    expect(log.writable()).toBe(false);
    expect(await code(deny("5"))).toBe("AUDIT_UNAVAILABLE");
  });

  test("too little free space refuses, and writing goes on once there is enough", async () => {
    let free = 1_000;
    class Disk extends MemoryFs {
      override readonly freeBytes = async (): Promise<number> => free;
    }
    let nowMs = 0;
    const clock = { nowMs: () => nowMs, monotonicMs: () => nowMs };
    const log = await createAuditLog({ ...placeOptions(place), fs: new Disk(), clock, minFreeBytes: 2_000 });
    expect(log.writable()).toBe(false);
    await expect(log.append(deny("x"))).rejects.toMatchObject({ code: "AUDIT_UNAVAILABLE" });
    free = 3_000;
    nowMs += 10_000;
    await expect.poll(() => log.writable()).toBe(true);
    await log.append(deny("y"));
    await log.close();
  });

  test("a second writer of the same directory is refused until the first ends", async () => {
    const log = await createAuditLog(placeOptions(place));
    await expect(createAuditLog(placeOptions(place))).rejects.toMatchObject({ code: "AUDIT_LOCKED" });
    await log.close();
    await (await createAuditLog(placeOptions(place))).close();
  });
});

describe("keys", () => {
  test("private keys are 0600, the public one is exported beside them", async () => {
    await (await createAuditLog(placeOptions(place))).close();
    for (const name of ["audit-signing.key.pem", "audit-master.key"]) {
      expect(statSync(`${place.stateDir}/${name}`).mode & 0o777).toBe(0o600);
    }
    const publicKey = readFileSync(`${place.stateDir}/audit-signing.pub.pem`, "utf8");
    expect(await verifyAuditLog({ dir: place.dir, publicKeys: [publicKey] })).toMatchObject({
      outcome: "clean",
      warnings: [],
    });
  });

  test.each([
    ["a key others can read", () => chmodSync(`${place.stateDir}/audit-signing.key.pem`, 0o644)],
    ["a short master key", () => writeFileSync(`${place.stateDir}/audit-master.key`, "short")],
    ["a public key of someone else", () => writeFileSync(`${place.stateDir}/audit-signing.pub.pem`, "other")],
    ["a key that is no key", () => writeFileSync(`${place.stateDir}/audit-signing.key.pem`, "garbage")],
  ])("%s is refused", async (_name, spoil) => {
    await (await createAuditLog(placeOptions(place))).close();
    spoil();
    await expect(createAuditLog(placeOptions(place))).rejects.toMatchObject({ code: "AUDIT_STATE_INVALID" });
  });
});

describe("segments", () => {
  test("rotate by size; chains, seals and open decisions go on across them", async () => {
    const fs = new MemoryFs();
    const log = await createAuditLog({ ...placeOptions(place), fs, segmentMaxBytes: 4_096 });
    await log.append(allow("early"));
    await fill(log, 40);
    await log.append(result("early"));
    await log.close();
    expect(fs.names(".seal.json").length).toBeGreaterThan(3);
    expect(await verifyAuditLog({ dir: place.dir, fs })).toMatchObject({
      outcome: "clean",
      records: 42,
      openDecisions: 0,
    });
    expect(fs.openHandles).toBe(0);
  });

  test("rotate by age, and only where there is something to seal", async () => {
    let nowMs = 0;
    const clock = { nowMs: () => nowMs, monotonicMs: () => nowMs };
    const fs = new MemoryFs();
    const log = await createAuditLog({ ...placeOptions(place), fs, clock, segmentMaxAgeMs: 1_000 });
    await log.append(deny("x"));
    nowMs += 2_000;
    await expect.poll(() => log.stats().segment).toBe(2);
    await log.close();
  });

  test("a checkpoint follows within its interval and is handed out", async () => {
    const seen: string[] = [];
    const options = {
      ...placeOptions(place),
      checkpointIntervalMs: 10,
      onCheckpoint: (line: string) => void seen.push(line),
    };
    const log = await createAuditLog(options);
    await log.append(deny("x"));
    await expect
      .poll(() => seen.some((line) => (JSON.parse(line) as { size: number }).size === 2))
      .toBe(true);
    await log.close();
  });

  test("a host that is renamed goes on with its log", async () => {
    await (await createAuditLog(placeOptions(place))).close();
    const log = await createAuditLog({ ...placeOptions(place), logId: "another" });
    await log.append(deny("x"));
    await log.close();
    expect(await verifyAuditLog({ dir: place.dir })).toMatchObject({ outcome: "clean", records: 1 });
  });
});

describe("modes", () => {
  test.each(["durable", "written"] as const)(
    "batch, acknowledged when %s: all is there after close",
    async (batchAcknowledgement) => {
      const fs = new MemoryFs();
      const log = await createAuditLog({
        ...placeOptions(place),
        fs,
        mode: "batch",
        batchAcknowledgement,
        tenantModes: { globex: "sync" },
      });
      await fill(log, 30);
      await Promise.all(Array.from({ length: 600 }, (_, index) => log.append(deny(`m${String(index)}`))));
      await log.close();
      expect(await verifyAuditLog({ dir: place.dir, fs })).toMatchObject({ outcome: "clean", records: 630 });
    },
  );

  test("a record acknowledged as written is synced within the delay", async () => {
    const fs = new MemoryFs();
    const log = await createAuditLog({
      ...placeOptions(place),
      fs,
      mode: "batch",
      batchAcknowledgement: "written",
    });
    await log.append(deny("x"));
    await expect
      .poll(() => fs.powerFailure(0).read(`${place.dir}/segment-00000001.jsonl`).toString("utf8"), {
        interval: 1,
        timeout: 1_000,
      })
      .toContain('"id":"x"');
    await log.close();
  });
});

test("settings out of bounds are refused", async () => {
  mkdirSync(place.stateDir);
  await expect(createAuditLog({ ...placeOptions(place), batchDelayMs: 6 })).rejects.toThrow("batchDelayMs");
  await expect(createAuditLog({ ...placeOptions(place), logId: "" })).rejects.toThrow("logId");
});
