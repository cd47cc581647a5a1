// Bad releases put into the channel of a running gateway. Each is refused with its code, /status says so, and what is
// active keeps serving. The last good release survives a restart without its source.
import { readFile, rename, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  MAX_BUNDLE_BYTES,
  RELEASE_FILE,
  bundleDigest,
  bundleFile,
  canonicalJson,
  formatInstant,
  peekStatement,
  readArchive,
  writeArchive,
} from "#bundle";
import type { ReleaseStatement } from "#bundle";
import type { TrustCode } from "#errors";
import { signDocument } from "#release";
import type { SigningKey } from "#release";
import { startEchoWorld } from "./echo-world.ts";
import type { EchoWorld } from "./echo-world.ts";
import { CHANNEL, DEVELOPER } from "./gateway-world.ts";
import { grantingRepository } from "./granting-repository.ts";
import { rawCall } from "./raw-call.ts";
import { createThresholdTrust } from "./threshold-trust.ts";
import type { ThresholdTrust } from "./threshold-trust.ts";

let world: EchoWorld;
let trust: ThresholdTrust;
let token: string;
let active: ReleaseStatement;
let statementBytes: Buffer;
let bundleBytes: Buffer;

const channelFile = (name: string): string => join(trust.channelDir, name);

beforeAll(async () => {
  world = await startEchoWorld({
    createTrust: async (dir, channel) => (trust = await createThresholdTrust(dir, channel)),
  });
  // A second release, so that there is one to roll back to.
  await world.release(grantingRepository([world.pinned], { "limits.yaml": "limits: []\n" }));
  statementBytes = await readFile(channelFile(RELEASE_FILE));
  active = peekStatement(statementBytes);
  bundleBytes = await readFile(channelFile(bundleFile(active.digest)));
  token = await world.token(DEVELOPER, "echo");
});

afterAll(() => world.stop());

/** Signs a statement that differs from the active one, by default the next sequence with two good keys. */
function sign(
  changes: Partial<ReleaseStatement>,
  keys: readonly SigningKey[] = trust.keys.slice(0, 2),
): Promise<Uint8Array> {
  return signDocument("aegis-release", { ...active, sequence: active.sequence + 1, ...changes }, keys);
}

/** Puts bytes under the name of a digest and a statement that names it. */
async function withBundle(bytes: Uint8Array, digest = bundleDigest(bytes)): Promise<Uint8Array> {
  await writeFile(channelFile(bundleFile(digest)), bytes);
  return sign({ digest });
}

function archiveWithName(name: string): Uint8Array {
  const stand = "x".repeat(name.length);
  const archive = writeArchive(new Map([...readArchive(bundleBytes), [stand, new Uint8Array()]]));
  const offset = Buffer.from(archive).indexOf(`${stand}\0`);
  const header = archive.subarray(offset, offset + 512);
  header.set(Buffer.from(name), 0);
  header.set(Buffer.from("        "), 148);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.set(Buffer.from(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
  return archive;
}

const another = "0".repeat(64);
const BAD: readonly (readonly [string, TrustCode, () => Promise<Uint8Array>])[] = [
  [
    "unsigned",
    "RELEASE_UNSIGNED",
    () => {
      const payload = Buffer.from(canonicalJson({ ...active, sequence: active.sequence + 1 }));
      const document = { payload: payload.toString("base64url"), signatures: [] };
      return Promise.resolve(Buffer.from(canonicalJson(document)));
    },
  ],
  ["signed by keys nobody trusts", "RELEASE_SIGNATURE_INVALID", () => sign({}, trust.foreignKeys)],
  [
    "with a forged signature",
    "RELEASE_SIGNATURE_INVALID",
    async () => {
      const forged = trust.foreignKeys.map((key, index) => ({
        ...key,
        keyId: trust.keys[index]?.keyId ?? "",
      }));
      return sign({}, forged);
    },
  ],
  ["below the threshold", "RELEASE_BELOW_THRESHOLD", () => sign({}, trust.keys.slice(0, 1))],
  [
    "with one key twice",
    "RELEASE_INVALID",
    async () => {
      const once = JSON.parse(Buffer.from(await sign({}, trust.keys.slice(0, 1))).toString("utf8")) as {
        payload: string;
        signatures: readonly unknown[];
      };
      const twice = { ...once, signatures: [...once.signatures, ...once.signatures] };
      return Buffer.from(canonicalJson(twice as never));
    },
  ],
  [
    "with a payload changed after it was signed",
    "RELEASE_SIGNATURE_INVALID",
    async () => {
      const document = JSON.parse(Buffer.from(await sign({})).toString("utf8")) as { payload: string };
      const payload = Buffer.from(canonicalJson({ ...active, sequence: active.sequence + 5 }));
      return Buffer.from(canonicalJson({ ...document, payload: payload.toString("base64url") } as never));
    },
  ],
  [
    "expired",
    "RELEASE_EXPIRED",
    () => {
      const before = Date.now() - 3_600_000;
      return sign({
        issuedAt: formatInstant(before - 3_600_000),
        expiresAt: formatInstant(before),
        graceSeconds: 0,
      });
    },
  ],
  [
    "issued in the future",
    "RELEASE_NOT_YET_VALID",
    () => sign({ issuedAt: formatInstant(Date.now() + 3_600_000) }),
  ],
  ["rolled back", "RELEASE_ROLLBACK", () => sign({ sequence: active.sequence - 1 })],
  [
    "of the same sequence with another digest",
    "RELEASE_EQUIVOCATION",
    () => sign({ sequence: active.sequence, digest: another }),
  ],
  ["of another channel", "RELEASE_CHANNEL_MISMATCH", () => sign({ channel: "prod" })],
  ["cut off", "RELEASE_INVALID", () => Promise.resolve(statementBytes.subarray(0, 200))],
  ["without its bundle", "BUNDLE_UNREADABLE", () => sign({ digest: another })],
  [
    "of a truncated bundle",
    "BUNDLE_DIGEST_MISMATCH",
    () => withBundle(bundleBytes.subarray(0, bundleBytes.length - 512), "1".repeat(64)),
  ],
  [
    "of a bundle with one bit turned",
    "BUNDLE_DIGEST_MISMATCH",
    () => {
      const tampered = Buffer.from(bundleBytes);
      const middle = Math.floor(tampered.length / 2);
      tampered[middle] = (tampered[middle] ?? 0) ^ 1;
      return withBundle(tampered, "2".repeat(64));
    },
  ],
  [
    "of an archive that was cut before it was signed",
    "BUNDLE_INVALID",
    () => withBundle(bundleBytes.subarray(0, bundleBytes.length - 1_024)),
  ],
  [
    "of an archive that leaves its directory",
    "BUNDLE_PATH_UNSAFE",
    () => withBundle(archiveWithName("../evil")),
  ],
  [
    "of an archive with an absolute name",
    "BUNDLE_PATH_UNSAFE",
    () => withBundle(archiveWithName("/etc/evil")),
  ],
  [
    "of a bundle that is too large",
    "BUNDLE_TOO_LARGE",
    async () => {
      const digest = "3".repeat(64);
      await writeFile(channelFile(bundleFile(digest)), "");
      await truncate(channelFile(bundleFile(digest)), MAX_BUNDLE_BYTES + 1);
      return sign({ digest });
    },
  ],
];

async function callWorks(): Promise<void> {
  const answer = await rawCall(world.endpoint("echo"), token, "echo", { text: "still here" });
  expect(JSON.stringify(answer.result)).toContain("still here");
}

interface Status {
  readonly ready: boolean;
  readonly release: {
    readonly active: { readonly digest: string; readonly sequence: number };
    readonly lastRejection?: { readonly code: string; readonly detail: string };
  };
}

async function status(): Promise<Status> {
  const response = await fetch(`${world.gateway.adminUrl}/status`);
  return (await response.json()) as Status;
}

describe("a release", () => {
  it.each(BAD)("%s is refused: %s", async (_what, code, make) => {
    await writeFile(channelFile(RELEASE_FILE), await make());
    const response = await fetch(`${world.gateway.adminUrl}/-/reload`, { method: "POST" });
    expect(response.status).toBe(409);
    expect(await response.json()).toMatchObject({ kind: "rejected", code });
    expect(await status()).toMatchObject({
      ready: true,
      release: {
        active: { digest: active.digest, sequence: active.sequence },
        lastRejection: { code, detail: expect.stringMatching(/./) },
      },
    });
    await callWorks();
    await writeFile(channelFile(RELEASE_FILE), statementBytes);
    expect(await world.gateway.reload()).toMatchObject({ kind: "unchanged", digest: active.digest });
  });
});

it("the last good release serves after a restart without its source, and still cannot be rolled back", async () => {
  await world.gateway.stop();
  const aside = `${trust.channelDir}.aside`;
  await rename(trust.channelDir, aside);
  await world.restartGateway();
  expect(await status()).toMatchObject({
    ready: true,
    release: { active: { digest: active.digest, sequence: active.sequence } },
  });
  await callWorks();
  await rename(aside, trust.channelDir);
  await writeFile(channelFile(RELEASE_FILE), await sign({ sequence: active.sequence - 1 }));
  expect(await world.gateway.reload()).toMatchObject({ kind: "rejected", code: "RELEASE_ROLLBACK" });
  await callWorks();
});

it("without a release and without state every call is refused as not ready", async () => {
  await world.gateway.stop();
  await rm(channelFile(RELEASE_FILE));
  await rm(world.gateway.stateDir, { recursive: true });
  await rm(world.gateway.auditDir, { recursive: true });
  await world.restartGateway();
  expect((await fetch(`${world.gateway.adminUrl}/readyz`)).status).toBe(503);
  const before = world.echo.counters().total;
  const answer = await rawCall(world.endpoint("echo"), token, "echo", { text: "x" });
  expect(answer).toMatchObject({ status: 503 });
  expect(world.echo.counters().total).toBe(before);
  await writeFile(channelFile(RELEASE_FILE), statementBytes);
  expect(await world.gateway.reload()).toMatchObject({ kind: "activated", digest: active.digest });
  await callWorks();
  expect(CHANNEL).toBe(active.channel);
});
