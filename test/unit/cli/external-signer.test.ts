// Keys that never come near Aegis: a program signs, and what it says is verified before a byte is written.
import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { cpSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { ROOT, createDesk, prepareRelease } from "./cli-fixture.ts";
import type { Desk, Outcome } from "./cli-fixture.ts";

const SIGNER = join(ROOT, "test/data/trust/sign-with-node.mjs");
const ENV = { PATH: process.env["PATH"] };

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
  mkdirSync(desk.path("hsm"));
});
afterEach(() => desk.remove());

const json = (text: string): Record<string, unknown> => JSON.parse(text) as Record<string, unknown>;
const run = (...argv: string[]): Promise<Outcome> => desk.runWith({ env: ENV }, ...argv);

async function ok(...argv: string[]): Promise<Outcome> {
  const outcome = await run(...argv);
  expect(outcome, argv.join(" ")).toMatchObject({ code: 0 });
  return outcome;
}

/** A key pair whose private half stays in `hsm/`; Aegis learns `<name>.pub.json`. */
async function enrol(name: string, algorithm: "Ed25519" | "ES256"): Promise<string> {
  const pair =
    algorithm === "Ed25519"
      ? generateKeyPairSync("ed25519")
      : generateKeyPairSync("ec", { namedCurve: "P-256" });
  writeFileSync(desk.path(`${name}.pem`), pair.publicKey.export({ type: "spki", format: "pem" }));
  const { out } = await ok("keys", "new", `${name}.json`, "--public-key", `${name}.pem`, "--format", "json");
  const keyId = String(json(out)["keyId"]);
  writeFileSync(desk.path(`hsm/${keyId}.pem`), pair.privateKey.export({ type: "pkcs8", format: "pem" }), {
    mode: 0o600,
  });
  return keyId;
}

const signer = (form = "base64url"): string => `'${process.execPath}' "${SIGNER}" hsm ${form}`;
const releaseWith = (key: string, command: string, ...more: string[]): Promise<Outcome> =>
  run(
    ...["release", "p.aegis", "--key", key, "--signer", command, "--root", "kms-root.json"],
    ...["--channel", "prod", "-o", "kms", ...more],
  );

describe("keys new --public-key", () => {
  it.each(["Ed25519", "ES256"] as const)(
    "registers an %s key from PEM and from JWK alike",
    async (algorithm) => {
      const keyId = await enrol("one", algorithm);
      const copy = await ok("keys", "new", "two.pub.json", "--public-key", "one.pub.json");
      expect(copy.out).toBe(`${keyId}\n`);
      expect(readFileSync(desk.path("two.pub.json"), "utf8")).toBe(
        readFileSync(desk.path("one.pub.json"), "utf8"),
      );
      const shown = await ok("keys", "show", "one.pem", "--format", "json");
      expect(json(shown.out)).toMatchObject({ formatVersion: 1, keyId, alg: algorithm });
      expect(() => statSync(desk.path("one.json"))).toThrow();
    },
  );

  it.each([
    ["a private JWK", "k.json", "KEY_UNSAFE"],
    ["a private PEM", "private.pem", "KEY_UNSAFE"],
    ["an RSA key", "rsa.pem", "KEY_INVALID"],
    ["a P-384 key", "p384.pem", "KEY_INVALID"],
    ["a PEM of nothing", "empty.pem", "KEY_INVALID"],
    ["what is not there", "none.pem", "KEY_INVALID"],
    ["a directory", "repo", "KEY_INVALID"],
  ])("refuses %s and writes nothing", async (_name, source, code) => {
    const pem = (pair: ReturnType<typeof generateKeyPairSync>): string =>
      (pair.publicKey as never as { export: (o: object) => string }).export({ type: "spki", format: "pem" });
    const { privateKey } = generateKeyPairSync("ed25519");
    writeFileSync(desk.path("private.pem"), privateKey.export({ type: "pkcs8", format: "pem" }));
    writeFileSync(desk.path("rsa.pem"), pem(generateKeyPairSync("rsa", { modulusLength: 2048 })));
    writeFileSync(desk.path("p384.pem"), pem(generateKeyPairSync("ec", { namedCurve: "P-384" })));
    writeFileSync(desk.path("empty.pem"), "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n");
    const before = desk.listing();
    const { code: exit, err, out } = await run("keys", "new", "x.json", "--public-key", source);
    expect({ exit, out }).toEqual({ exit: 1, out: "" });
    expect(err).toContain(code);
    expect(desk.listing()).toEqual(before);
  });
});

describe("keys show", () => {
  it.each(["Ed25519", "ES256"])(
    "prints the public half of an %s key and never the private one",
    async (algorithm) => {
      const { out: id } = await ok("keys", "new", "s.json", "--algorithm", algorithm);
      const secret = String(json(readFileSync(desk.path("s.json"), "utf8"))["d"]);
      for (const file of ["s.json", "s.pub.json"]) {
        const { out, err } = await ok("keys", "show", file);
        expect(out).toContain(id.trim());
        expect(out).toContain(algorithm);
        expect(out + err).not.toContain(secret);
        const document = await ok("keys", "show", file, "--format", "json");
        expect(document.out).not.toContain(secret);
      }
    },
  );
});

describe("--signer", () => {
  it("signs root, rotation, release, renewal and rollback, with keys Aegis never sees", async () => {
    const first = await enrol("first", "Ed25519");
    await enrol("second", "ES256");
    const keys = ["--key", "first.pub.json", "--key", "second.pub.json"];
    await ok("root", "init", ...keys, "--signer", signer(), "--threshold", "2", "-o", "kms-root.json");
    const released = await releaseWith("first.pub.json", signer());
    expect(released).toMatchObject({ code: 0 });
    const digest = released.out.trim().split(/\s+/u).at(-1) ?? "";
    expect((await releaseWith("second.pub.json", signer("der"))).out).toContain("sequence 2");
    const rotate = (key: string): Promise<Outcome> =>
      ok(
        ...["root", "rotate", "--root", "kms-root.json", "--key", key, "--signer", signer(), "--raise-epoch"],
        ...["--remove", first, "--threshold", "1", "-o", "kms/roots/2.json", "--format", "json"],
      );
    expect(json((await rotate("first.pub.json")).out)).toMatchObject({ complete: false });
    expect(json((await rotate("second.pub.json")).out)).toMatchObject({ complete: true, epoch: 1 });
    expect(await releaseWith("first.pub.json", signer())).toMatchObject({ code: 6 });
    const back = await ok(
      ...["rollback", "--to", digest, "--key", "second.pub.json", "--signer", signer("base64")],
      ...["--root", "kms-root.json", "--channel", "prod", "-o", "kms"],
    );
    expect(back.out).toContain("prod sequence 1");
    await ok("verify", "kms", "--root", "kms-root.json");
  });

  it("co-signs beside a key file: below the threshold it waits, the program completes it", async () => {
    await enrol("hsm-key", "ES256");
    const keys = ["--release-key", "k.pub.json", "--release-key", "hsm-key.pem", "--release-threshold", "2"];
    await ok("root", "init", "--key", "k.json", ...keys, "-o", "kms-root.json");
    const both = await releaseWith("k.json", signer(), "--key", "hsm-key.pub.json");
    expect(both).toMatchObject({ code: 0, out: expect.stringContaining("prod sequence 1") });
    expect((await releaseWith("k.json", signer())).err).toContain("not published");
    const cosign = ["--root", "kms-root.json", "--channel", "prod", "-o", "kms"];
    const done = await ok("release", "--key", "hsm-key.pub.json", "--signer", signer("raw"), ...cosign);
    expect(done.out).toContain("prod sequence 2");
    expect((await ok("verify", "kms", "--root", "kms-root.json")).err).toContain("2 of 2");
  });

  it.each([
    ["Ed25519", "base64url"],
    ["Ed25519", "base64"],
    ["Ed25519", "raw"],
    ["ES256", "base64url"],
    ["ES256", "base64"],
    ["ES256", "raw"],
    ["ES256", "der"],
  ] as const)("takes an %s signature as %s", async (algorithm, form) => {
    await enrol("form", algorithm);
    await ok("root", "init", "--key", "form.pub.json", "--signer", signer(form), "-o", "kms-root.json");
    expect(await releaseWith("form.pub.json", signer(form))).toMatchObject({ code: 0 });
  });

  it("takes the DER that openssl writes, from standard input to standard output", async () => {
    const openssl = (...argv: string[]): unknown =>
      execFileSync("openssl", argv, { cwd: desk.dir, stdio: "pipe" });
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "ec key.pem");
    openssl("ec", "-in", "ec key.pem", "-pubout", "-out", "ec.pub.pem");
    const command = "openssl dgst -sha256 -sign 'ec key.pem'";
    await ok("root", "init", "--key", "ec.pub.pem", "--signer", command, "-o", "kms-root.json");
    // r and s are of varying length in DER: a few signatures meet several of them.
    for (let sequence = 1; sequence <= 8; sequence++) {
      expect((await releaseWith("ec.pub.pem", command)).out).toContain(`sequence ${sequence}`);
    }
    await ok("verify", "kms", "--root", "kms-root.json");
  });

  const node = (script: string): string => `'${process.execPath}' -e "${script}"`;
  it.each([
    ["a program that is not there", "./no-such-program", "there is no such program"],
    ["a file that is no program", "./k.pub.json", "it is not executable"],
    ["no program", "", "it names no program"],
    ["an open quote", "sign 'it", "a quote or a backslash is not closed"],
    [
      "a failing program, with what it says",
      node("console.error('PIN \\u001b[31mlocked');process.exit(3)"),
      "it exited with 3",
    ],
    ["a program that prints nothing", node("0"), "0 bytes that are no Ed25519 signature"],
    ["a program that prints prose", node("console.log('here you are')"), "no Ed25519 signature"],
    [
      "a program that never stops printing",
      node("for(;;)require('fs').writeSync(1,'x'.repeat(1e5))"),
      "more than 4096 bytes",
    ],
    ["a program that hangs", node("setInterval(()=>0,1e6)"), "did not end within"],
    ["a program that kills itself", node("process.kill(process.pid,'SIGKILL')"), "ended by SIGKILL"],
    ["a signature of another thing", node("process.stdout.write(Buffer.alloc(64,7))"), "does not verify"],
    ["a shell's operators, which mean nothing", "false || true; true", "it exited with 1"],
  ])("refuses %s, and writes nothing", async (_name, command, message) => {
    await enrol("one", "Ed25519");
    await ok("root", "init", "--key", "one.pub.json", "--signer", signer(), "-o", "kms-root.json");
    const before = desk.listing();
    const { code, out, err } = await releaseWith("one.pub.json", command, "--signer-timeout", "1");
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toContain(message);
    expect(err).not.toContain("\u001b");
    if (message.includes("with 3")) expect(err).toContain("  | PIN");
    expect(desk.listing()).toEqual(before);
  });

  it("refuses a program that signs with another key than the root was told of", async () => {
    const one = await enrol("one", "Ed25519");
    const other = await enrol("other", "Ed25519");
    await ok("root", "init", "--key", "one.pub.json", "--signer", signer(), "-o", "kms-root.json");
    renameSync(desk.path(`hsm/${other}.pem`), desk.path(`hsm/${one}.pem`));
    const before = desk.listing();
    const { code, err } = await releaseWith("one.pub.json", signer());
    expect(code).toBe(1);
    expect(err).toContain("SIGNER_FAILED");
    expect(err).toContain(one);
    expect(desk.listing()).toEqual(before);
  });
});
