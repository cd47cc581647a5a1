// The release tools against real key files and channel directories, with the gateway's own verification as judge.
import { execFile } from "node:child_process";
import { chmod, mkdtemp, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openSelfSignedRoot, peekStatement, sha256Hex } from "#bundle";
import type { TrustedRoot } from "#bundle";
import {
  cosignRelease,
  cosignRoot,
  createKey,
  initRoot,
  inspectBundle,
  loadPublicKey,
  loadSigningKey,
  openChannelDirectory,
  openTrustRoot,
  releaseBundle,
  rollbackTo,
  rotateRoot,
  signDocument,
  verifyChannelDirectory,
} from "../../../../compiler/release/index.ts";
import type { ReleaseTarget, ReleaseTerms } from "../../../../compiler/release/index.ts";
import {
  CHANNEL,
  NOW_MS,
  createTrustLab,
  sampleBundle,
  signRelease,
  statementFor,
} from "../../snapshot/trust-lab.ts";
import type { KeyName, TrustLab } from "../../snapshot/trust-lab.ts";

let lab: TrustLab;
let directory: string;
const a = sampleBundle("a");
const b = sampleBundle("b");
const terms: ReleaseTerms = { expiresAtMs: NOW_MS + 7 * 86_400_000, graceSeconds: 3600 };

beforeAll(async () => {
  lab = await createTrustLab();
});
afterAll(() => lab.cleanUp());
beforeEach(async () => {
  directory = join(await mkdtemp(join(lab.directory, "release-")), "channel");
});

function target(
  signers: readonly KeyName[] = ["release-1", "release-2"],
  root: TrustedRoot = lab.root,
): ReleaseTarget {
  return { directory, channel: CHANNEL, root, signers: signers.map((name) => lab.keys[name]), nowMs: NOW_MS };
}

async function current() {
  return peekStatement(await readFile(join(directory, "release.json")));
}

describe("keys", () => {
  it("are private files that are never overwritten", async () => {
    const path = join(lab.directory, "fresh.json");
    const { key, publicPath } = await createKey(path);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    await expect(createKey(path)).rejects.toMatchObject({ code: "KEY_EXISTS" });
    expect(await readFile(publicPath, "utf8")).not.toContain('"d"');
    expect((await loadPublicKey(publicPath)).keyId).toBe(key.keyId);
    expect((await loadPublicKey(path)).jwk).toEqual(key.jwk);
    const text = await readFile(path, "utf8");
    expect((await loadSigningKey("env:KEY", { KEY: text })).keyId).toBe(key.keyId);
    await chmod(path, 0o640);
    await expect(loadSigningKey(path)).rejects.toMatchObject({ code: "KEY_UNSAFE" });
  });

  it.each([
    ["what is no JSON", "secret-material"],
    ["a symmetric key", '{"kty":"oct","k":"c2VjcmV0LW1hdGVyaWFs"}'],
    ["an RSA key", '{"kty":"RSA","n":"secret-material","e":"AQAB"}'],
    ["a public key where a private is needed", '{"kty":"OKP","crv":"Ed25519","x":"AAAA"}'],
    ["a damaged private key", '{"kty":"OKP","crv":"Ed25519","x":"AAAA","d":"secret-material"}'],
  ])("refuse %s without quoting it", async (_label, text) => {
    const failure = await loadSigningKey("env:KEY", { KEY: text }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "KEY_INVALID" });
    expect(String(failure)).not.toContain("secret");
  });
});

describe("root", () => {
  it("is complete once its threshold signed, and opens under its pin only", async () => {
    const { keys } = lab;
    const init = {
      rootKeys: [keys["root-1"], keys["root-2"]],
      releaseKeys: [keys["release-1"]],
      rootThreshold: 2,
      releaseThreshold: 1,
      expiresAtMs: NOW_MS + 1000,
    };
    const half = await initRoot(init, [keys["root-1"]]);
    expect(half.complete).toBe(false);
    await expect(openTrustRoot(half.bytes)).rejects.toMatchObject({ code: "ROOT_INVALID" });
    const whole = await cosignRoot(undefined, half.bytes, [keys["root-2"]]);
    expect(whole.complete).toBe(true);
    await openTrustRoot(whole.bytes, sha256Hex(whole.bytes));
    await expect(openTrustRoot(whole.bytes, "0".repeat(64))).rejects.toMatchObject({
      code: "ROOT_DIGEST_MISMATCH",
    });
    await expect(initRoot({ ...init, rootThreshold: 3 }, [keys["root-1"]])).rejects.toMatchObject({
      code: "ROOT_INVALID",
    });
  });

  it("holds one key under one id: a threshold cannot be met by listing a key twice", async () => {
    const { keys } = lab;
    const only = keys["root-1"];
    const key = { alg: only.alg, jwk: only.jwk };
    const document = {
      ...lab.root.document,
      keys: { [only.keyId]: key, alias: key },
      roles: {
        root: { keyids: [only.keyId, "alias"], threshold: 2 },
        release: { keyids: [only.keyId], threshold: 1 },
      },
    };
    const bytes = await signDocument("aegis-root", document, [only, { ...only, keyId: "alias" }]);
    await expect(openTrustRoot(bytes)).rejects.toMatchObject({ code: "ROOT_INVALID" });
  });

  it("rotates its own keys only with the thresholds of both", async () => {
    const { keys, root } = lab;
    const change = { addRootKeys: [keys.stranger], removeKeys: [keys["root-1"].keyId], rootThreshold: 2 };
    expect((await rotateRoot(root, change, [keys.stranger, keys["root-2"]])).complete).toBe(false);
    expect((await rotateRoot(root, change, [keys["root-1"], keys["root-2"]])).complete).toBe(false);
    const partial = await rotateRoot(root, change, [keys["root-1"], keys["root-2"]]);
    const done = await cosignRoot(root, partial.bytes, [keys.stranger]);
    expect(done).toMatchObject({ complete: true, document: { version: 2 } });
    await expect(rotateRoot(root, { removeKeys: ["nosuch"] }, [keys["root-1"]])).rejects.toMatchObject({
      code: "RELEASE_INPUT_INVALID",
    });
  });
});

describe("release", () => {
  it("counts up from one, leaves the channel a gateway can verify, and rolls back forwards", async () => {
    expect(await releaseBundle(target(), terms, a.bytes)).toMatchObject({
      published: true,
      statement: { sequence: 1 },
    });
    const source = { repo: "https://git.example/policies", commit: "c0ffee" };
    await releaseBundle(
      target(),
      { ...terms, source, tests: { digest: a.digest, passed: 3, failed: 0 } },
      b.bytes,
    );
    expect(await current()).toMatchObject({ sequence: 2, digest: b.digest, source });
    expect(await rollbackTo(target(), terms, a.digest)).toMatchObject({
      statement: { sequence: 3, digest: a.digest },
    });
    await expect(rollbackTo(target(), terms, "0".repeat(64))).rejects.toMatchObject({
      code: "RELEASE_INPUT_INVALID",
    });
    expect((await readdir(directory)).sort()).toEqual(
      [`${a.digest}.aegis`, `${b.digest}.aegis`, "release.json", "roots"].sort(),
    );
    const report = await verifyChannelDirectory(directory, {
      root: lab.root,
      channel: CHANNEL,
      nowMs: NOW_MS,
    });
    expect(report).toMatchObject({ statement: { sequence: 3 }, rootVersion: 1, threshold: 2 });
    expect(report.keyIds).toHaveLength(2);
  });

  it("waits for the signatures it lacks", async () => {
    expect(await releaseBundle(target(["release-1"]), terms, a.bytes)).toMatchObject({ published: false });
    await expect(current()).rejects.toThrow("ENOENT");
    await expect(cosignRelease(target(["release-1"]))).rejects.toMatchObject({ code: "KEY_ALREADY_SIGNED" });
    await expect(cosignRelease(target(["root-1"]))).rejects.toMatchObject({ code: "KEY_NOT_AUTHORIZED" });
    expect(await cosignRelease(target(["release-3"]))).toMatchObject({
      published: true,
      statement: { sequence: 1 },
    });
    await expect(cosignRelease(target(["release-3"]))).rejects.toMatchObject({
      code: "RELEASE_INPUT_INVALID",
    });
  });

  it("does not publish a waiting statement that another release overtook", async () => {
    await releaseBundle(target(["release-1"]), terms, a.bytes);
    const waiting = await readFile(join(directory, "pending.json"));
    await releaseBundle(target(), terms, b.bytes);
    await writeFile(join(directory, "pending.json"), waiting);
    await expect(cosignRelease(target(["release-2"]))).rejects.toMatchObject({ code: "CHANNEL_CONFLICT" });
    expect(await current()).toMatchObject({ digest: b.digest, sequence: 1 });
  });

  it("refuses keys of the wrong role, other channels, bundles without the environment, what is no bundle", async () => {
    await expect(releaseBundle(target(["root-1", "root-2"]), terms, a.bytes)).rejects.toMatchObject({
      code: "KEY_NOT_AUTHORIZED",
    });
    await expect(releaseBundle({ ...target(), channel: "nosuch" }, terms, a.bytes)).rejects.toMatchObject({
      code: "RELEASE_INPUT_INVALID",
    });
    await expect(releaseBundle(target(), terms, new Uint8Array(1024))).rejects.toMatchObject({
      code: "BUNDLE_INVALID",
    });
    await expect(
      releaseBundle(target(), { ...terms, expiresAtMs: NOW_MS - 1000 }, a.bytes),
    ).rejects.toMatchObject({
      code: "RELEASE_INVALID",
    });
    await expect(readFile(join(directory, "release.json"))).rejects.toThrow("ENOENT");
  });

  it("does not let a statement that nobody vouches for choose the sequence", async () => {
    await releaseBundle(target(), terms, a.bytes);
    const burnt = await signRelease(lab, statementFor(a.digest, 9_007_199_254_740_990), ["stranger"]);
    await writeFile(join(directory, "release.json"), burnt);
    await expect(releaseBundle(target(), terms, b.bytes)).rejects.toMatchObject({
      code: "RELEASE_SIGNATURE_INVALID",
    });
  });

  it("goes on after its keys were rotated and after the epoch was raised", async () => {
    await releaseBundle(target(), terms, a.bytes);
    const both = [lab.keys["root-1"], lab.keys["root-2"]];
    const second = await rotateRoot(lab.root, { removeKeys: [lab.keys["release-1"].keyId] }, both);
    await openChannelDirectory(directory).addRoot({ document: second.document, bytes: second.bytes });
    await expect(releaseBundle(target(), terms, b.bytes)).rejects.toMatchObject({
      code: "KEY_NOT_AUTHORIZED",
    });
    expect(await releaseBundle(target(["release-2", "release-3"]), terms, b.bytes)).toMatchObject({
      published: true,
      statement: { sequence: 2, epoch: 0 },
    });
    const before = { document: second.document, bytes: second.bytes };
    const third = await rotateRoot(before, { raiseEpoch: true }, both);
    await openChannelDirectory(directory).addRoot({ document: third.document, bytes: third.bytes });
    expect(await releaseBundle(target(["release-2", "release-3"]), terms, a.bytes)).toMatchObject({
      published: true,
      statement: { sequence: 1, epoch: 1 },
    });
    const report = await verifyChannelDirectory(directory, { root: lab.root, nowMs: NOW_MS });
    expect(report).toMatchObject({ rootVersion: 3, statement: { epoch: 1 } });
  });

  it("lets one of many concurrent releases win each sequence", async () => {
    const attempts = Array.from({ length: 8 }, (_, index) => (index % 2 === 0 ? a : b));
    const settled = await Promise.allSettled(
      attempts.map((bundle) => releaseBundle(target(), terms, bundle.bytes)),
    );
    const won = settled.filter((result) => result.status === "fulfilled");
    const lost = settled.filter((result) => result.status === "rejected");
    expect(won.length).toBeGreaterThan(0);
    for (const { reason } of lost) expect(reason).toMatchObject({ code: "CHANNEL_CONFLICT" });
    const sequences = won.map((result) => result.value.statement.sequence);
    expect(new Set(sequences).size).toBe(won.length);
    expect((await current()).sequence).toBe(Math.max(...sequences));
    expect(await readdir(directory)).not.toContain(".release.lock");
  });

  it("loses where the channel changes between reading and writing", async () => {
    await releaseBundle(target(), terms, a.bytes);
    const channel = openChannelDirectory(directory);
    const seen = await channel.readRelease();
    await releaseBundle(target(), terms, b.bytes);
    const next = await signRelease(lab, statementFor(a.digest, 2));
    await expect(channel.swapRelease(seen, next)).rejects.toMatchObject({ code: "CHANNEL_CONFLICT" });
    expect((await current()).digest).toBe(b.digest);
  });
});

describe("verify and inspect", () => {
  it.each([
    [
      "a changed bundle",
      "BUNDLE_DIGEST_MISMATCH",
      () => writeFile(join(directory, `${a.digest}.aegis`), b.bytes),
    ],
    ["a missing bundle", "BUNDLE_UNREADABLE", () => rm(join(directory, `${a.digest}.aegis`))],
    ["a missing statement", "RELEASE_SOURCE_UNAVAILABLE", () => rm(join(directory, "release.json"))],
    ["a garbled root", "ROOT_INVALID", () => writeFile(join(directory, "roots/2.json"), "{}")],
  ])("refuses a channel with %s", async (_label, code, spoil) => {
    await releaseBundle(target(), terms, a.bytes);
    await spoil();
    const verified = verifyChannelDirectory(directory, { root: lab.root, channel: CHANNEL, nowMs: NOW_MS });
    await expect(verified).rejects.toMatchObject({ code });
  });

  it("refuses another channel and a release past its grace", async () => {
    await releaseBundle(target(), terms, a.bytes);
    const request = { root: lab.root, nowMs: NOW_MS };
    await expect(verifyChannelDirectory(directory, { ...request, channel: "staging" })).rejects.toMatchObject(
      {
        code: "RELEASE_CHANNEL_MISMATCH",
      },
    );
    const nowMs = terms.expiresAtMs + 3_600_000;
    await expect(verifyChannelDirectory(directory, { ...request, nowMs })).rejects.toMatchObject({
      code: "RELEASE_EXPIRED",
    });
  });

  it("tells what a bundle holds", async () => {
    expect(inspectBundle(a.bytes)).toMatchObject({
      digest: a.digest,
      name: "a",
      servers: [{ id: "sql", leaves: 1 }],
      environments: [{ name: CHANNEL, routes: ["/sql/mcp"] }],
      policies: 1,
      slices: 1,
      vectors: 1,
    });
    const path = join(await mkdtemp(join(tmpdir(), "aegis-sum-")), "a.aegis");
    await writeFile(path, a.bytes);
    const { stdout } = await promisify(execFile)("sha256sum", [path]);
    expect(stdout.split(" ")[0]).toBe(a.digest);
    await rm(join(path, ".."), { recursive: true });
  });
});

describe("signatures", () => {
  it("are plain JWS that any JOSE library verifies", async () => {
    await releaseBundle(target(), terms, a.bytes);
    const { generalVerify, importJWK } = await import("jose");
    const envelope = JSON.parse(await readFile(join(directory, "release.json"), "utf8")) as Parameters<
      typeof generalVerify
    >[0];
    const key = await importJWK({ ...lab.keys["release-2"].jwk }, "ES256");
    const { payload } = await generalVerify(envelope, key);
    expect(JSON.parse(Buffer.from(payload).toString())).toMatchObject({ digest: a.digest });
    expect((await openSelfSignedRoot(lab.root.bytes)).document.version).toBe(1);
  });
});
