// verify, inspect: what is said of a channel, a bundle or a root, and what is refused.
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
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

const json = (text: string): Record<string, unknown> => JSON.parse(text) as Record<string, unknown>;

function releaseWith(...more: readonly string[]): readonly string[] {
  return [...RELEASE, ...more];
}

describe("verify", () => {
  beforeEach(() => desk.ok(...RELEASE).then(() => undefined));

  const channelFile = (pattern: RegExp): string => {
    const name = readdirSync(desk.path("ch")).find((entry) => pattern.test(entry));
    if (name === undefined) throw new Error(`the channel has no ${pattern.source}`);
    return desk.path("ch", name);
  };
  const damage = (file: string, change: (bytes: Buffer) => Uint8Array): void =>
    writeFileSync(file, change(readFileSync(file)));
  const flip = (bytes: Buffer): Buffer => {
    const copy = Buffer.from(bytes);
    const at = Math.floor(copy.length / 2);
    copy[at] = (copy[at] ?? 0) ^ 1;
    return copy;
  };

  it("accepts a whole channel, as text and as one JSON document", async () => {
    const { out } = await desk.ok("verify", "ch", "--root", "root.json", "--format", "json");
    expect(json(out)).toMatchObject({ formatVersion: 1, statement: { sequence: 1, channel: "prod" } });
  });

  const tampering: readonly (readonly [string, () => void, readonly string[], string])[] = [
    [
      "a flipped bit of the bundle",
      () => damage(channelFile(/\.aegis$/u), flip),
      [],
      "BUNDLE_DIGEST_MISMATCH",
    ],
    [
      "a truncated bundle",
      () => damage(channelFile(/\.aegis$/u), (bytes) => bytes.subarray(0, -1)),
      [],
      "BUNDLE_DIGEST_MISMATCH",
    ],
    ["a missing bundle", () => rmSync(channelFile(/\.aegis$/u)), [], "BUNDLE_UNREADABLE"],
    ["a flipped bit of the statement", () => damage(channelFile(/^release\.json$/u), flip), [], "RELEASE_"],
    [
      "a truncated statement",
      () => damage(channelFile(/^release\.json$/u), (bytes) => bytes.subarray(0, -9)),
      [],
      "RELEASE_",
    ],
    ["no statement", () => rmSync(channelFile(/^release\.json$/u)), [], "RELEASE_"],
    ["another channel", () => undefined, ["--channel", "dev"], "RELEASE_CHANNEL_MISMATCH"],
    ["another root pin", () => undefined, ["--root-sha256", "0".repeat(64)], "ROOT_DIGEST_MISMATCH"],
  ];
  it.each(tampering)("exits 6 for %s", async (_name, tamper, more, code) => {
    tamper();
    const outcome = await desk.run("verify", "ch", "--root", "root.json", ...more);
    expect({ code: outcome.code, out: outcome.out }).toEqual({ code: 6, out: "" });
    expect(outcome.err).toContain(code);
  });

  it("exits 6 once the expiry is over, whatever the grace, and not before", async () => {
    await desk.ok(...releaseWith("--expires", "12h", "--grace", "30m"));
    const minute = 60_000;
    const released = Date.now();
    vi.useFakeTimers({ toFake: ["Date"] });
    try {
      for (const [minutes, expected] of [
        [12 * 60 - 1, 0],
        [12 * 60 + 1, 6],
      ] as const) {
        vi.setSystemTime(released + minutes * minute);
        const { code, err } = await desk.run("verify", "ch", "--root", "root.json");
        expect(code).toBe(expected);
        if (expected === 6) expect(err).toContain("RELEASE_EXPIRED");
      }
    } finally {
      vi.useRealTimers();
    }
  });

  it("exits 6 for a root that is another's", async () => {
    await desk.ok("keys", "new", "evil.json");
    await desk.ok("root", "init", "--key", "evil.json", "-o", "evil-root.json");
    expect((await desk.run("verify", "ch", "--root", "evil-root.json")).code).toBe(6);
  });

  it.each([
    ["a file of 70 MB", "big.aegis", "BUNDLE_TOO_LARGE"],
    ["a directory for a file", "dir.aegis", "RELEASE_SOURCE_UNAVAILABLE"],
    ["a device without end", "/dev/zero", "BUNDLE_UNREADABLE"],
    ["an empty file", "empty.aegis", "BUNDLE_INVALID"],
    ["a bundle of 70 MB in a channel", "big-bundle", "BUNDLE_TOO_LARGE"],
    ["a directory for the bundle of a channel", "dir-bundle", "BUNDLE_UNREADABLE"],
    ["a statement of 1 MB", "big-statement", "RELEASE_INVALID"],
    ["a directory for a statement", "dir-statement", "RELEASE_SOURCE_UNAVAILABLE"],
    ["a root of 1 MB in a channel", "big-root", "ROOT_INVALID"],
    ["a directory for a root in a channel", "dir-root", "RELEASE_SOURCE_UNAVAILABLE"],
  ])("exits 6 for %s", async (_name, target, code) => {
    await desk.ok(...RELEASE);
    const bundle = readdirSync(desk.path("ch")).find((name) => name.endsWith(".aegis")) ?? "";
    const files = { bundle, statement: "release.json", root: "roots/2.json" };
    const inflate = (file: string, megabytes: number): void => {
      writeFileSync(desk.path(file), "");
      truncateSync(desk.path(file), megabytes * 1024 * 1024);
    };
    inflate("big.aegis", 70);
    inflate("empty.aegis", 0);
    mkdirSync(desk.path("dir.aegis"));
    for (const [name, file] of Object.entries(files)) {
      for (const channel of [`big-${name}`, `dir-${name}`]) {
        cpSync(desk.path("ch"), desk.path(channel), { recursive: true });
        rmSync(desk.path(channel, file), { force: true });
      }
      inflate(`big-${name}/${file}`, name === "bundle" ? 70 : 1);
      mkdirSync(desk.path(`dir-${name}`, file));
    }
    const outcome = await desk.run("verify", target, "--root", "root.json");
    expect({ code: outcome.code, out: outcome.out }).toEqual({ code: 6, out: "" });
    expect(outcome.err).toContain(`error[${code}]`);
    for (const root of ["big.aegis", "dir.aegis", "/dev/zero", "empty.aegis"])
      expect(await desk.run("verify", "ch", "--root", root)).toMatchObject({ code: 6, out: "" });
  });

  it("of a file alone says that it is whole, and no more", async () => {
    const { out, err } = await desk.ok("verify", "p.aegis");
    expect(out).toMatch(/^[0-9a-f]{64} {2}p\.aegis\n$/u);
    expect(err).toContain("who released it");
    expect((await desk.run("verify", "root.json")).code).toBe(6);
    expect((await desk.run("verify", "none")).code).toBe(1);
    expect((await desk.run("verify", "ch")).err).toContain("--root is needed");
  });
});

describe("inspect", () => {
  it("shows what is in a bundle, as text and as one JSON document", async () => {
    const { out } = await desk.ok("inspect", "p.aegis");
    expect(out).toContain("acme-mcp  sha256:");
    expect(out).toMatch(/^ {2}sql-prod +tier production, \d+ lea(?:f|ves)$/mu);
    const report = json((await desk.ok("inspect", "p.aegis", "--format", "json")).out);
    expect(report).toMatchObject({ formatVersion: 1, name: "acme-mcp" });
    cpSync(desk.path("p.aegis"), desk.path("renamed"));
    expect((await desk.ok("inspect", "renamed")).out).toBe(out);
  });

  it("shows the statement, who signed it, what was reviewed, and the bundle of a channel", async () => {
    writeFileSync(desk.path("tests.json"), (await desk.ok("test", "repo", "--format", "json")).out);
    await desk.ok("plan", "repo", "--base", "p.aegis", "--out", "plan.json");
    await desk.ok(...releaseWith("--tests", "tests.json", "--plan", "plan.json"));
    const { out: keyId } = await desk.ok("keys", "show", "k.json", "--format", "json");
    const { out } = await desk.ok("inspect", "ch");
    expect(out).toContain("release of prod, sequence 1, epoch 0 (not verified)");
    expect(out).toContain("4 passed, 0 failed");
    expect(out).toContain(`1 signature\n    ${String(json(keyId)["keyId"])}  Ed25519\n`);
    expect(out).toContain((await desk.ok("inspect", "p.aegis")).out);
    // A name and a whole digest stand on one line: they are copied together.
    for (const line of out.split("\n").filter((entry) => !entry.includes("sha256:")))
      expect(line.length, line).toBeLessThanOrEqual(80);
    const report = json((await desk.ok("inspect", "ch", "--format", "json")).out);
    expect(report).toMatchObject({
      formatVersion: 1,
      kind: "channel",
      statement: { sequence: 1, tests: { passed: 4 } },
      bundle: { name: "acme-mcp" },
    });
    const statement = json((await desk.ok("inspect", "ch/release.json", "--format", "json")).out);
    expect(statement).toMatchObject({ formatVersion: 1, kind: "release", statement: report["statement"] });
  });

  it("shows the keys, thresholds and revocations of a root", async () => {
    const revoked = "a".repeat(64);
    const rotate = ["root", "rotate", "--root", "root.json", "--key", "k.json", "-o", "2.json"];
    await desk.ok(...rotate, "--revoke-digest", revoked, "--raise-epoch");
    const { out } = await desk.ok("inspect", "2.json");
    expect(out).toContain("root version 2, epoch 1 (not verified)");
    expect(out).toContain("release keys, 1 of 1 needed");
    expect(out).toContain(`revoked bundles\n    ${revoked}\n`);
    const report = json((await desk.ok("inspect", "2.json", "--format", "json")).out);
    expect(report).toMatchObject({ formatVersion: 1, kind: "root", root: { version: 2, epoch: 1 } });
  });

  it.each([
    ["k.json", 6, "RELEASE_INVALID"],
    ["repo", 6, "repo is a directory without release.json"],
    ["/dev/zero", 6, "BUNDLE_UNREADABLE"],
    ["none.aegis", 1, "no such file"],
  ])("refuses %s", async (file, exitCode, message) => {
    const { code, out, err } = await desk.run("inspect", file);
    expect({ code, out }).toEqual({ code: exitCode, out: "" });
    expect(err).toContain(message);
  });
});
