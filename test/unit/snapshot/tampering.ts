// The ways in which the refusal table spoils a statement, a bundle or a root.
import { createHmac } from "node:crypto";
import { bundleDigest, canonicalJson, encodeBundle, readArchive, writeArchive } from "#bundle";
import type { RootDocument } from "#bundle";
import { initRoot, rotateRoot, signDocument } from "../../../compiler/release/index.ts";
import { NOW_MS, sampleBundle, sampleContent } from "./trust-lab.ts";
import type { TrustLab } from "./trust-lab.ts";

type Envelope = { payload: string; signatures: { protected: string; signature: string; header?: object }[] };

const encode = (value: unknown): string => Buffer.from(canonicalJson(value)).toString("base64url");
const bytesOf = (value: unknown): Uint8Array => new TextEncoder().encode(canonicalJson(value));

export async function tamperStatement(kind: string, signed: Uint8Array, lab: TrustLab): Promise<Uint8Array> {
  const text = Buffer.from(signed).toString();
  const envelope = JSON.parse(text) as Envelope;
  const [first, second] = envelope.signatures;
  if (first === undefined || second === undefined) throw new Error("two signatures expected");
  const { payload } = envelope;
  const statement = JSON.parse(Buffer.from(payload, "base64url").toString()) as object;
  const keyId = lab.keys["release-1"].keyId;
  const withHeader = (header: object): Uint8Array =>
    bytesOf({ payload, signatures: [{ ...first, protected: encode(header) }, second] });
  switch (kind) {
    case "drop-signatures":
      return bytesOf({ payload });
    case "forge-key-id": {
      const stranger = { ...lab.keys.stranger, keyId };
      return signDocument("aegis-release", statement, [stranger, lab.keys["release-2"]]);
    }
    case "repeat-signature":
      return bytesOf({ payload, signatures: [first, first] });
    case "repeat-signature-reencoded":
      return bytesOf({ payload, signatures: [first, { ...first, signature: `${first.signature}=` }] });
    case "signed-as-root":
      return signDocument("aegis-root", statement, [lab.keys["release-1"], lab.keys["release-2"]]);
    case "algorithm-none":
      return bytesOf({
        payload,
        signatures: [
          { protected: encode({ alg: "none", kid: keyId, typ: "aegis-release" }), signature: "AA" },
          second,
        ],
      });
    case "algorithm-hmac": {
      const header = encode({ alg: "HS256", kid: keyId, typ: "aegis-release" });
      const secret = Buffer.from(lab.keys["release-1"].jwk.x, "base64url");
      const signature = createHmac("sha256", secret).update(`${header}.${payload}`).digest("base64url");
      return bytesOf({ payload, signatures: [{ protected: header, signature }, second] });
    }
    case "algorithm-swapped":
      return withHeader({ alg: "ES256", kid: keyId, typ: "aegis-release" });
    case "unprotected-header":
      return bytesOf({ payload, signatures: [{ ...first, header: { kid: keyId } }, second] });
    case "critical-header":
      return withHeader({ alg: "Ed25519", crit: ["exp"], exp: 1, kid: keyId, typ: "aegis-release" });
    case "other-payload":
      return bytesOf({ payload: encode({ ...statement, sequence: 7 }), signatures: envelope.signatures });
    case "many-signatures":
      return bytesOf({
        payload,
        signatures: Array.from({ length: 33 }, (_, index) => ({
          ...first,
          protected: encode({ alg: "Ed25519", kid: String(index), typ: "aegis-release" }),
        })),
      });
    case "oversized-statement":
      return bytesOf({ payload: "A".repeat(300_000), signatures: envelope.signatures });
    case "white-space":
      return new TextEncoder().encode(`${text}\n`);
    case "garbage":
      return new Uint8Array([0xff, 0xfe, 0]);
    case "cut-statement":
      return signed.subarray(0, signed.length - 10);
    case "array":
      return bytesOf([1]);
    default:
      throw new Error(`unknown tampering ${kind}`);
  }
}

/** What the channel holds under the digest the statement names. */
export interface SpoiltBundle {
  readonly digest: string;
  readonly bytes: Uint8Array | "missing" | "directory" | "oversized";
}

export function spoilBundle(kind: string): SpoiltBundle {
  const good = sampleBundle("candidate");
  const repack = (change: (files: Map<string, Uint8Array>) => void): SpoiltBundle => {
    const files = readArchive(good.bytes);
    change(files);
    return named(writeArchive(files));
  };
  switch (kind) {
    case "truncated":
      return { digest: good.digest, bytes: good.bytes.subarray(0, good.bytes.length - 512) };
    case "tampered": {
      const bytes = Uint8Array.from(good.bytes);
      bytes[600] = (bytes[600] ?? 0) ^ 1;
      return { digest: good.digest, bytes };
    }
    case "missing":
    case "directory":
    case "oversized":
      return { digest: good.digest, bytes: kind };
    case "path-escape":
      return named(withFirstHeader(good.bytes, 0, "../limits.json"));
    case "claims-eight-gigabytes":
      return named(withFirstHeader(good.bytes, 124, "77777777777"));
    case "garbage":
      return named(new Uint8Array(2048).fill(7));
    case "extra-file":
      return repack((files) => files.set("evil.json", new Uint8Array(3)));
    case "missing-file":
      return repack((files) => files.delete("limits.json"));
    case "mixed": {
      const other = readArchive(sampleBundle("other").bytes).get("registry.json") ?? new Uint8Array();
      return repack((files) => files.set("registry.json", other));
    }
    case "newer":
      return repack((files) => {
        const manifest = Buffer.from(files.get("manifest.json") ?? []).toString();
        const newer = JSON.parse(manifest) as { requires: string[] };
        newer.requires.push("wasm-policy/1");
        files.set("manifest.json", bytesOf(newer));
      });
    case "malformed-section":
      return repack((files) => files.set("limits.json", bytesOf({ limits: 5 })));
    case "vector-fails":
      return named(encodeBundle(sampleContent("vector-fails"), { compilerVersion: "0.1.0" }));
    case "build-throws":
      return named(encodeBundle(sampleContent("build-throws"), { compilerVersion: "0.1.0" }));
    default:
      throw new Error(`unknown bundle ${kind}`);
  }
}

function named(bytes: Uint8Array): SpoiltBundle {
  return { digest: bundleDigest(bytes), bytes };
}

function withFirstHeader(archive: Uint8Array, offset: number, text: string): Uint8Array {
  const bytes = Uint8Array.from(archive);
  bytes.set(new TextEncoder().encode(text), offset);
  bytes.fill(0x20, 148, 156);
  let sum = 0;
  for (const byte of bytes.subarray(0, 512)) sum += byte;
  bytes.set(new TextEncoder().encode(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
  return bytes;
}

/** Root 2 of the channel. */
export async function nextRoot(kind: string, lab: TrustLab, candidateDigest: string): Promise<Uint8Array> {
  const { keys, root } = lab;
  const both = [keys["root-1"], keys["root-2"]];
  switch (kind) {
    case "revokes-candidate":
      return (await rotateRoot(root, { revokeDigests: [candidateDigest] }, both)).bytes;
    case "below-threshold":
      return (await rotateRoot(root, {}, [keys["root-1"]])).bytes;
    case "stranger": {
      const evil = {
        rootKeys: [keys.stranger],
        releaseKeys: [keys.stranger],
        rootThreshold: 1,
        releaseThreshold: 1,
      };
      const draft = await initRoot({ ...evil, expiresAtMs: NOW_MS + 86_400_000 }, [keys.stranger]);
      const document: RootDocument = { ...draft.document, version: 2 };
      return signDocument("aegis-root", document, [keys.stranger]);
    }
    case "skips-version":
      return signDocument("aegis-root", { ...root.document, version: 3 }, both);
    case "expired":
      return (await rotateRoot(root, { expiresAtMs: NOW_MS - 1000 }, both)).bytes;
    case "removes-signers": {
      const removeKeys = [keys["release-1"].keyId, keys["release-2"].keyId];
      return (await rotateRoot(root, { removeKeys, releaseThreshold: 1 }, both)).bytes;
    }
    case "raises-epoch":
      return (await rotateRoot(root, { raiseEpoch: true }, both)).bytes;
    default:
      throw new Error(`unknown root ${kind}`);
  }
}
