// Releases that run at once, as real processes: for each sequence one wins, the others exit 6, and the channel is whole.
import { spawn } from "node:child_process";
import { existsSync, readFileSync, readdirSync, rmSync, watch, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compileCache } from "../../compile-cache.ts";
import { RELEASE, ROOT, createDesk, prepareRelease } from "./cli-fixture.ts";
import type { Desk } from "./cli-fixture.ts";

const PROCESSES = 8;

let desk: Desk;
beforeAll(async () => {
  desk = createDesk("template");
  await prepareRelease(desk);
});
afterAll(() => desk.remove());

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

interface Running {
  readonly ended: Promise<Ended>;
  readonly kill: () => void;
}

function aegis(...argv: readonly string[]): Running {
  const child = spawn(process.execPath, [join(ROOT, "cli/bin/aegis.js"), ...argv], {
    cwd: desk.dir,
    env: { PATH: process.env["PATH"], ...compileCache() },
  });
  let out = "";
  let err = "";
  child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()));
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, out, err }));
  });
  return { ended, kill: () => void child.kill("SIGKILL") };
}

const channelOf = (dir: string): readonly string[] => RELEASE.map((word) => (word === "ch" ? dir : word));
const leftOvers = (dir: string): readonly string[] =>
  readdirSync(desk.path(dir)).filter((name) => name.startsWith(".") || name.endsWith(".tmp"));

describe("releases at once", () => {
  it(`of ${PROCESSES} processes one wins for each sequence, and the others leave no trace`, async () => {
    const outcomes = await Promise.all(
      Array.from({ length: PROCESSES }, () => aegis(...channelOf("race")).ended),
    );
    const won = outcomes.filter(({ code }) => code === 0);
    const sequences = won.map(({ out }) => Number(/sequence (\d+)/u.exec(out)?.[1])).sort((a, b) => a - b);
    expect(sequences).toEqual(won.map((_outcome, index) => index + 1));
    for (const { code, out, err } of outcomes.filter((outcome) => outcome.code !== 0)) {
      expect({ code, out }).toEqual({ code: 6, out: "" });
      expect(err).toContain("CHANNEL_CONFLICT");
    }
    const verified = await desk.ok("verify", "race", "--root", "root.json");
    expect(verified.out).toContain(`sequence ${won.length}`);
    expect(leftOvers("race")).toEqual([]);
    expect(readdirSync(desk.path("race")).filter((name) => name.endsWith(".aegis"))).toHaveLength(1);
  }, 120_000);

  /** A program that says it was asked, then waits for a word before it signs. */
  const slowSigner = (): string => {
    writeFileSync(
      desk.path("slow-signer.mjs"),
      `import { existsSync, readFileSync, watch, writeFileSync } from "node:fs";
       import { createPrivateKey, sign } from "node:crypto";
       // Nobody may be left to give the word, or the folder be gone before it is seen.
       setTimeout(() => process.exit(1), 60_000).unref();
       const input = readFileSync(0);
       const key = createPrivateKey({ key: JSON.parse(readFileSync("k.json", "utf8")), format: "jwk" });
       await new Promise((resolve) => {
         const look = () => { if (existsSync("go")) { watcher.close(); resolve(); } };
         const watcher = watch(".", look);
         writeFileSync("asked", "");
         look();
       });
       process.stdout.write(sign(null, input, key).toString("base64url"));`,
    );
    return `'${process.execPath}' slow-signer.mjs`;
  };
  const slowRelease = (dir: string): Running =>
    aegis(
      ...channelOf(dir).map((word) => (word === "k.json" ? "k.pub.json" : word)),
      "--signer",
      slowSigner(),
    );

  it("while one waits for its signer all others lose, and it wins", async () => {
    const slow = slowRelease("slow");
    await appears("asked");
    const others = await Promise.all(Array.from({ length: 3 }, () => aegis(...channelOf("slow")).ended));
    for (const { code, out, err } of others) {
      expect({ code, out }).toEqual({ code: 6, out: "" });
      expect(err).toContain("another release holds the channel");
    }
    expect(existsSync(desk.path("slow/release.json"))).toBe(false);
    writeFileSync(desk.path("go"), "");
    expect(await slow.ended).toMatchObject({ code: 0, out: expect.stringContaining("sequence 1") });
    expect(leftOvers("slow")).toEqual([]);
    await desk.ok("verify", "slow", "--root", "root.json");
  }, 60_000);

  it("one that is killed leaves the channel as it was, and says how to go on", async () => {
    await desk.ok(...channelOf("killed"));
    const before = readFileSync(desk.path("killed/release.json"));
    for (const file of ["asked", "go"]) rmSync(desk.path(file), { force: true });
    const slow = slowRelease("killed");
    await appears("asked");
    slow.kill();
    await slow.ended;
    expect(readFileSync(desk.path("killed/release.json"))).toEqual(before);
    await desk.ok("verify", "killed", "--root", "root.json");
    const next = await desk.run(...channelOf("killed"));
    expect(next.code).toBe(6);
    expect(next.err).toContain(`remove ${desk.path("killed/.release.lock")} if no release is running`);
    rmSync(desk.path("killed/.release.lock"));
    expect((await desk.ok(...channelOf("killed"))).out).toContain("sequence 2");
    writeFileSync(desk.path("go"), "");
  }, 60_000);
});

/** Waits until another process made a file. */
async function appears(file: string): Promise<void> {
  await new Promise<void>((resolve) => {
    const look = (): void => {
      if (!existsSync(desk.path(file))) return;
      watcher.close();
      resolve();
    };
    const watcher = watch(desk.dir, look);
    look();
  });
}
