// keys, root, release, rollback: the chain of trust, and what is refused on the way.
import { createHash } from "node:crypto";
import { copyFileSync, cpSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { RELEASE, createDesk, prepareRelease } from "./cli-fixture.ts";
import type { Desk } from "./cli-fixture.ts";

let seed: Desk;
let desk: Desk;
beforeAll(async () => {
  seed = createDesk("template");
  await prepareRelease(seed);
});
afterAll(() => seed.remove());
beforeEach(() => {
  desk = createDesk();
  cpSync(seed.dir, desk.dir, { recursive: true });
});
afterEach(() => desk.remove());

const read = (file: string): string => readFileSync(desk.path(file), "utf8");
const json = (text: string): Record<string, unknown> => JSON.parse(text) as Record<string, unknown>;

function releaseWith(...more: readonly string[]): readonly string[] {
  return [...RELEASE, ...more];
}

describe("keys new", () => {
  it.each(["Ed25519", "ES256"])(
    "makes an %s pair: 0600, and the private part appears nowhere",
    async (algorithm) => {
      const { out, err } = await desk.ok("keys", "new", "deep/er/one.json", "--algorithm", algorithm);
      const secret = json(read("deep/er/one.json"))["d"] as string;
      expect(secret.length).toBeGreaterThan(20);
      expect(statSync(desk.path("deep/er/one.json")).mode & 0o777).toBe(0o600);
      expect(out).toMatch(/^[\w-]{43}\n$/u);
      expect(err).toContain("public key:  deep/er/one.pub.json");
      for (const text of [out, err, read("deep/er/one.pub.json")]) expect(text).not.toContain(secret);
      const report = await desk.ok("keys", "new", "two.json", "--format", "json", "--algorithm", algorithm);
      expect(json(report.out)).toMatchObject({ formatVersion: 1, algorithm });
      expect(report.out).not.toContain(json(read("two.json"))["d"] as string);
    },
  );

  it("overwrites neither half of a pair", async () => {
    writeFileSync(desk.path("half.pub.json"), "{}");
    const before = desk.listing();
    for (const file of ["k.json", "half.json"]) {
      const { code, err } = await desk.run("keys", "new", file);
      expect(code).toBe(1);
      expect(err).toContain("KEY_EXISTS");
    }
    expect(desk.listing()).toEqual(before);
  });
});

describe("root", () => {
  it("prints the sha-256 of the file, and overwrites none", async () => {
    const { out } = await desk.ok("root", "init", "--key", "k.json", "-o", "other.json", "--format", "json");
    expect(json(out)).toMatchObject({ formatVersion: 1, version: 1, epoch: 0, complete: true });
    const before = desk.listing();
    expect((await desk.run("root", "init", "--key", "k.json", "-o", "other.json")).code).toBe(1);
    expect(desk.listing()).toEqual(before);
  });

  it("rotates to another release key, which then may release and the old one not", async () => {
    await desk.ok(...RELEASE);
    await desk.ok("keys", "new", "next.json");
    const old = json((await desk.ok("keys", "new", "unused.json", "--format", "json")).out);
    expect(old["keyId"]).toBeDefined();
    const oldId = Object.keys(rootPayload("root.json").keys)[0] ?? "";
    await desk.ok(
      "root",
      "rotate",
      "--root",
      "root.json",
      "--key",
      "k.json",
      "--add-release-key",
      "next.pub.json",
      "--add-root-key",
      "next.pub.json",
      "-o",
      "ch/roots/2.json",
    );
    expect((await desk.ok(...releaseWith())).out).toContain("prod sequence 2");
    await desk.ok(
      "root",
      "rotate",
      "--root",
      "ch/roots/2.json",
      "--key",
      "k.json",
      "--key",
      "next.json",
      "--remove",
      oldId,
      "-o",
      "ch/roots/3.json",
    );
    const refused = await desk.run(...RELEASE);
    expect(refused.code).toBe(6);
    const accepted = await desk.ok(...RELEASE.map((word) => (word === "k.json" ? "next.json" : word)));
    expect(accepted.out).toContain("prod sequence 3");
    expect((await desk.ok("verify", "ch", "--root", "root.json")).err).toContain("root version 3");
  });

  it("needs the thresholds of both roots: a second signer completes the first one's draft", async () => {
    await desk.ok("keys", "new", "k2.json");
    await desk.ok(
      "root",
      "init",
      "--key",
      "k.json",
      "--key",
      "k2.json",
      "--threshold",
      "2",
      "-o",
      "two.json",
    );
    const rotate = (key: string): Promise<{ out: string }> =>
      desk.ok(
        "root",
        "rotate",
        "--root",
        "two.json",
        "--key",
        key,
        "--raise-epoch",
        "-o",
        "two-2.json",
        "--format",
        "json",
      );
    expect(json((await rotate("k.json")).out)).toMatchObject({ version: 2, complete: false });
    const draft = read("two-2.json");
    await expect(rotate("k.json")).rejects.toThrow("KEY_ALREADY_SIGNED");
    await desk.ok("keys", "new", "k3.json");
    await expect(rotate("k3.json")).rejects.toThrow("may not sign this root");
    expect(read("two-2.json")).toBe(draft);
    expect(json((await rotate("k2.json")).out)).toMatchObject({ version: 2, epoch: 1, complete: true });
  });

  it("co-signs a draft only where it says what the command says", async () => {
    await desk.ok("keys", "new", "k2.json");
    const keys = ["--key", "k.json", "--key", "k2.json"];
    await desk.ok("root", "init", ...keys, "--threshold", "2", "-o", "two.json");
    const rotate = (key: string, ...change: string[]) =>
      desk.run("root", "rotate", "--root", "two.json", "--key", key, "-o", "two-2.json", ...change);
    expect(await rotate("k.json", "--raise-epoch", "--expires", "2y")).toMatchObject({ code: 0 });
    const before = desk.listing();
    for (const other of [[], ["--raise-epoch", "--threshold", "1"], ["--revoke-digest", "a".repeat(64)]]) {
      const { code, out, err } = await rotate("k2.json", ...other, "--expires", "2y");
      expect({ code, out }).toEqual({ code: 6, out: "" });
      expect(err).toContain("says something else than this command");
      expect(desk.listing()).toEqual(before);
    }
    // Without an expiry the command asks for the one of the current root, and the draft has another.
    expect((await rotate("k2.json", "--raise-epoch")).code).toBe(6);
    const done = await rotate("k2.json", "--raise-epoch", "--expires", "2y", "--format", "json");
    expect(json(done.out)).toMatchObject({ version: 2, epoch: 1, complete: true });
  });

  it("changes thresholds, and warns where the release of the channel stops verifying", async () => {
    const one = (await desk.ok("keys", "new", "r1.json")).out.trim();
    const other = (await desk.ok("keys", "new", "r2.json")).out.trim();
    const init = ["--key", "k.json", "--release-key", "r1.json", "--release-key", "r2.json"];
    await desk.ok("root", "init", ...init, "-o", "warn/root.json");
    const releaseArgs = ["--root", "warn/root.json", "--channel", "prod", "-o", "warn/ch"];
    await desk.ok("release", "p.aegis", "--key", "r1.json", ...releaseArgs);
    const rotate = (output: string, ...more: string[]) =>
      desk.ok("root", "rotate", "--root", "warn/root.json", "--key", "k.json", "-o", output, ...more);
    const two = await rotate("warn/two/roots/2.json", "--release-threshold", "2");
    expect(two.err).toContain("note: releases signed only by removed keys, by fewer keys than needed now");
    expect(rootPayload("warn/two/roots/2.json")).toMatchObject({ roles: { release: { threshold: 2 } } });
    expect((await rotate("elsewhere.json", "--remove", one)).err).toContain("note: releases signed only by");
    expect((await rotate("kept.json", "--expires", "2y")).err).not.toContain("note:");
    const removed = await rotate("warn/ch/roots/2.json", "--remove", one);
    expect(removed.err).toContain("refuse the release in");
    expect(removed.err).toContain("RELEASE_SIGNATURE_INVALID: no signature is by a key of the role");
    rmSync(desk.path("warn/ch/roots/2.json"));
    const harmless = await rotate("warn/ch/roots/2.json", "--remove", other);
    expect(harmless.err).not.toMatch(/warning:|note:/u);
    const tooMany = await desk.run(
      ...[
        "root",
        "rotate",
        "--root",
        "warn/root.json",
        "--key",
        "k.json",
        "-o",
        "x.json",
        "--threshold",
        "2",
      ],
    );
    expect({ code: tooMany.code, err: tooMany.err }).toMatchObject({
      code: 6,
      err: expect.stringContaining("ROOT"),
    });
  });

  it.each([
    [["--threshold", "2"], 6, "ROOT_INVALID"],
    [["--threshold", "0"], 1, "a threshold is a number from 1 to 99"],
    [["--expires", "yesterday"], 1, "neither a duration nor an instant"],
    [["--expires", "2020-01-01T00:00:00Z"], 1, "is not in the future"],
    [["--key", "nowhere.json"], 1, "does not exist"],
    [["--release-key", "root.json"], 1, "KEY_INVALID"],
  ])("init %j writes nothing", async (more, exitCode, message) => {
    const before = desk.listing();
    const { code, err, out } = await desk.run("root", "init", "--key", "k.json", "-o", "r.json", ...more);
    expect({ code, out }).toEqual({ code: exitCode, out: "" });
    expect(err).toContain(message);
    expect(desk.listing()).toEqual(before);
  });
});

function rootPayload(file: string): {
  readonly keys: Readonly<Record<string, unknown>>;
  readonly roles: Readonly<Record<string, unknown>>;
} {
  const { payload } = json(read(file)) as { payload: string };
  return JSON.parse(Buffer.from(payload, "base64url").toString("utf8")) as ReturnType<typeof rootPayload>;
}

describe("release", () => {
  it("counts sequences, and records plan and tests", async () => {
    const digest = (await desk.ok("inspect", "p.aegis", "--format", "json")).out;
    expect((await desk.ok(...RELEASE)).out).toBe(`prod sequence 1  ${String(json(digest)["digest"])}\n`);
    writeFileSync(desk.path("tests.json"), (await desk.ok("test", "repo", "--format", "json")).out);
    await desk.ok("plan", "repo", "--base", "p.aegis", "--out", "plan.json");
    const second = await desk.ok(
      ...releaseWith("--tests", "tests.json", "--plan", "plan.json", "--format", "json"),
    );
    expect(json(second.out)).toMatchObject({
      formatVersion: 1,
      published: true,
      statement: {
        channel: "prod",
        sequence: 2,
        tests: { passed: 4, failed: 0 },
        plan: { digest: createHash("sha256").update(read("plan.json")).digest("hex") },
      },
    });
    expect((await desk.ok("verify", "ch", "--root", "root.json", "--channel", "prod")).out).toContain(
      "sequence 2",
    );
  });

  it("records only a plan of the bundle that is released, and one that nothing stopped", async () => {
    await desk.ok("plan", "repo", "--base", "p.aegis", "--out", "plan.json");
    const plan = json(read("plan.json"));
    const other = { ...plan, head: { digest: "0".repeat(64) } };
    const gates = [{ name: "newlyAllowed", result: "violated", message: "", rows: [], side: "head" }];
    for (const [text, expected] of [
      [JSON.stringify(other), 6],
      [JSON.stringify({ ...plan, gates }), 5],
      ["{}", 1],
      ["no JSON", 1],
    ] as const) {
      writeFileSync(desk.path("other.json"), text);
      const before = desk.listing();
      expect((await desk.run(...releaseWith("--plan", "other.json"))).code).toBe(expected);
      expect(desk.listing()).toEqual(before);
    }
    const { out, err } = await desk.ok(
      "plan",
      "repo",
      "--base",
      "p.aegis",
      "--out",
      "again.json",
      "--format",
      "json",
    );
    const digest = createHash("sha256").update(read("again.json")).digest("hex");
    expect(out).toBe(read("again.json"));
    expect(err).toContain(digest);
    expect((await desk.ok(...releaseWith("--plan", "again.json"))).err).toContain(`plan    ${digest}`);
  });

  it("takes a key from the environment, and prints it nowhere", async () => {
    const env = { RELEASE_KEY: read("k.json") };
    const argv = RELEASE.map((word) => (word === "k.json" ? "env:RELEASE_KEY" : word));
    const { code, out, err } = await desk.runWith({ env }, ...argv);
    expect(code).toBe(0);
    expect(out + err).not.toContain(json(read("k.json"))["d"]);
    expect((await desk.run(...argv)).code).toBe(1);
  });

  it("lets one of two at once win", async () => {
    const outcomes = await Promise.all(Array.from({ length: 4 }, () => desk.run(...RELEASE)));
    const won = outcomes.filter(({ code }) => code === 0);
    const lost = outcomes.filter(({ code }) => code !== 0);
    expect(won.length).toBeGreaterThan(0);
    for (const { code, err } of lost) {
      expect(code).toBe(6);
      expect(err).toContain("CHANNEL_CONFLICT");
    }
    expect((await desk.ok("verify", "ch", "--root", "root.json")).out).toContain(`sequence ${won.length}`);
    expect(readdirSync(desk.path("ch")).filter((name) => name.startsWith("."))).toEqual([]);
  });

  it("waits below the threshold, and a second key publishes", async () => {
    await desk.ok("keys", "new", "k2.json");
    await desk.ok(
      "root",
      "init",
      "--key",
      "k.json",
      "--release-key",
      "k.pub.json",
      "--release-key",
      "k2.pub.json",
      "--release-threshold",
      "2",
      "-o",
      "two.json",
    );
    const base = ["--root", "two.json", "--channel", "prod", "-o", "ch2"];
    const first = await desk.ok("release", "p.aegis", "--key", "k.json", ...base);
    expect(first.err).toContain("not published: more signatures are needed");
    expect((await desk.run("verify", "ch2", "--root", "two.json")).code).not.toBe(0);
    const digest = first.out.trim().split(/\s+/u).at(-1) ?? "";
    const waiting = await desk.ok("inspect", "ch2/pending.json");
    expect(waiting.out).toContain(digest);
    // Whoever may write into the channel chooses what waits there.
    const other = await desk.run("release", "--key", "k2.json", "--digest", "0".repeat(64), ...base);
    expect(other).toMatchObject({ code: 6, out: "", err: expect.stringContaining("CHANNEL_CONFLICT") });
    // The same key twice is one signature.
    const pending = read("ch2/pending.json");
    const twice = await desk.run("release", "--key", "k.json", ...base);
    expect(twice).toMatchObject({ code: 6, out: "", err: expect.stringContaining("KEY_ALREADY_SIGNED") });
    // A key that has no release role.
    await desk.ok("keys", "new", "k3.json");
    const stranger = await desk.run("release", "--key", "k3.json", ...base);
    expect(stranger).toMatchObject({
      code: 6,
      out: "",
      err: expect.stringContaining("may not sign releases"),
    });
    expect(read("ch2/pending.json")).toBe(pending);
    const second = await desk.ok(
      ...["release", "--key", "k2.json", "--digest", digest, ...base, "--format", "json"],
    );
    expect(json(second.out)).toMatchObject({ published: true, statement: { sequence: 1 } });
    expect((await desk.ok("verify", "ch2", "--root", "two.json")).err).toContain("2 of 2 needed signatures");
  });

  const refusals: readonly (readonly [string, readonly string[], number, string])[] = [
    [
      "a key the root does not know",
      ["release", "p.aegis", "--key", "foreign.json"],
      6,
      "KEY_NOT_AUTHORIZED",
    ],
    ["a key others can read", ["release", "p.aegis", "--key", "loose.json"], 1, "chmod 600"],
    ["a public key without a signer", ["release", "p.aegis", "--key", "k.pub.json"], 1, "--signer"],
    ["a key that is not JSON", ["release", "p.aegis", "--key", "garbage.json"], 1, "KEY_INVALID"],
    ["a missing bundle", ["release", "missing.aegis", "--key", "k.json"], 1, "no such file"],
    ["a truncated bundle", ["release", "short.aegis", "--key", "k.json"], 6, "BUNDLE_"],
    ["a tampered bundle", ["release", "flipped.aegis", "--key", "k.json"], 6, "BUNDLE_"],
    [
      "an environment the bundle lacks",
      ["release", "p.aegis", "--key", "k.json", "--channel", "moon"],
      1,
      "has no environment moon",
    ],
    [
      "an expiry in the past",
      ["release", "p.aegis", "--key", "k.json", "--expires", "2020-01-01T00:00:00Z"],
      1,
      "not in the future",
    ],
    [
      "a test report that is none",
      ["release", "p.aegis", "--key", "k.json", "--tests", "root.json"],
      1,
      "has no counts",
    ],
    ["a root that is none", ["release", "p.aegis", "--key", "k.json", "--root", "k.json"], 6, "ROOT_INVALID"],
    ["nothing to co-sign", ["release", "--key", "k.json"], 1, "no statement waits"],
    [
      "a rollback to what never was",
      ["rollback", "--key", "k.json", "--to", "0".repeat(64)],
      1,
      "holds no bundle",
    ],
  ];
  it.each(refusals)(
    "refuses %s and writes nothing, into an old channel or a new one",
    async (_name, argv, exitCode, message) => {
      await desk.ok("keys", "new", "foreign.json");
      copyFileSync(desk.path("k.json"), desk.path("loose.json"));
      execChmod(desk.path("loose.json"));
      writeFileSync(desk.path("garbage.json"), "not a key", { mode: 0o600 });
      const bytes = readFileSync(desk.path("p.aegis"));
      writeFileSync(desk.path("short.aegis"), bytes.subarray(0, bytes.length - 700));
      const flipped = Buffer.from(bytes);
      flipped[1_000] = (flipped[1_000] ?? 0) ^ 1;
      writeFileSync(desk.path("flipped.aegis"), flipped);
      await desk.ok(...RELEASE);
      const before = desk.listing();
      for (const directory of ["ch", "fresh/channel"]) {
        const defaults = [
          ...(argv.includes("--root") ? [] : ["--root", "root.json"]),
          ...(argv.includes("--channel") ? [] : ["--channel", "prod"]),
        ];
        const { code, out, err } = await desk.run(...argv, ...defaults, "-o", directory);
        expect({ code, out }).toEqual({ code: exitCode, out: "" });
        expect(err).toContain(message);
        expect(err).not.toContain(json(read("k.json"))["d"]);
        expect(desk.listing()).toEqual(before);
      }
    },
  );
});

function execChmod(path: string): void {
  const bytes = readFileSync(path);
  rmSync(path);
  writeFileSync(path, bytes, { mode: 0o644 });
}

describe("rollback", () => {
  it("is a new statement with a higher sequence and the old digest", async () => {
    const first = (await desk.ok(...RELEASE)).out.trim().split(/\s+/u).at(-1) ?? "";
    writeFileSync(desk.path("repo/policies/more.yaml"), 'deny: { tools: ["sql.query"] }\n');
    await desk.ok("build", "repo", "-o", "p2.aegis");
    const second = await desk.ok(...RELEASE.map((word) => (word === "p.aegis" ? "p2.aegis" : word)));
    expect(second.out).not.toContain(first);
    const back = await desk.ok(
      "rollback",
      "--to",
      first,
      "--key",
      "k.json",
      "--root",
      "root.json",
      "--channel",
      "prod",
      "-o",
      "ch",
    );
    expect(back.out).toBe(`prod sequence 3  ${first}\n`);
    expect((await desk.ok("verify", "ch", "--root", "root.json")).out).toBe(`prod sequence 3  ${first}\n`);
  });
});
