// The world of the trust tables: real keys, real signatures, a channel of real files, and a gateway's own updater in
// front of it. A case is a list of steps; this file knows what each step does, and nothing about any case.
import { createHmac } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { FlattenedSign } from "jose";
import { canonicalJson, formatInstant, openPinnedRoot, sha256Hex } from "#bundle";
import type { ReleaseFloor, RootDocument, TrustedRoot } from "#bundle";
import { isTrustError } from "#errors";
import {
  ReleaseToolError,
  cosignRelease,
  createKey,
  loadSigningKey,
  releaseBundle,
  rollbackTo,
  rotateRoot,
} from "../../../compiler/release/index.ts";
import type { SigningKey } from "../../../compiler/release/index.ts";
import { createDirectorySource } from "../../../runtime/snapshot/directory-source.ts";
import { createSnapshotHolder } from "../../../runtime/snapshot/snapshot-holder.ts";
import { openStateStore } from "../../../runtime/snapshot/state-store.ts";
import { createUpdater } from "../../../runtime/snapshot/updater.ts";
import { CHANNEL, NOW_MS, sampleBundle } from "../snapshot/trust-lab.ts";
import type { Envelope, ReleaseStep, RootChangeStep, SignatureSpec, Step, World } from "./trust-case.ts";

/** Root keys a b c, release keys r s t, and strangers x y. */
export type Keys = Readonly<Record<string, SigningKey>>;

const ES256_KEYS = new Set(["c", "s", "y"]);

export async function createKeys(): Promise<{ readonly keys: Keys; readonly remove: () => Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), "aegis-trust-keys-"));
  const keys: Record<string, SigningKey> = {};
  for (const name of ["a", "b", "c", "r", "s", "t", "x", "y"]) {
    const path = join(directory, `${name}.json`);
    await createKey(path, ES256_KEYS.has(name) ? "ES256" : "Ed25519");
    keys[name] = await loadSigningKey(path);
  }
  return { keys, remove: () => rm(directory, { recursive: true, force: true }) };
}

export const bundles = {
  one: sampleBundle("one"),
  two: sampleBundle("two"),
  three: sampleBundle("three"),
};
export type BundleName = keyof typeof bundles;

interface Gateway {
  readonly updater: ReturnType<typeof createUpdater<{ readonly label: string }>>;
  readonly holder: ReturnType<typeof createSnapshotHolder<{ readonly label: string }>>;
}

export async function runCase(keys: Keys, world: World, steps: readonly Step[]): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "aegis-trust-case-"));
  const run = new CaseRun(keys, directory);
  try {
    await run.begin(world);
    for (const [index, step] of steps.entries()) await run.take(step, index);
  } finally {
    await run.end();
    await rm(directory, { recursive: true, force: true });
  }
}

class CaseRun {
  readonly #keys: Keys;
  readonly #channel: string;
  readonly #state: string;
  #nowMs = NOW_MS;
  #floor: ReleaseFloor | undefined;
  #pinned: TrustedRoot | undefined;
  /** The newest root a step wrote, whether anybody would trust it or not. */
  #document: RootDocument | undefined;
  #gateway: Gateway | undefined;

  constructor(keys: Keys, directory: string) {
    this.#keys = keys;
    this.#channel = join(directory, "channel");
    this.#state = join(directory, "state");
  }

  async begin(world: World): Promise<void> {
    const {
      root = ["a", "b", "c"],
      rootThreshold = 2,
      release = ["r", "s", "t"],
      releaseThreshold = 2,
    } = world;
    const document: RootDocument = {
      formatVersion: 1,
      version: 1,
      epoch: world.epoch ?? 0,
      expiresAt: formatInstant(this.#after(world.rootExpires ?? "365d")),
      keys: this.#table([...root, ...release]),
      roles: {
        root: { keyids: this.#ids(root), threshold: rootThreshold },
        release: { keyids: this.#ids(release), threshold: releaseThreshold },
      },
      revokedDigests: [],
    };
    const bytes = await this.#sign("aegis-root", document, { by: root });
    await this.#put("roots/1.json", bytes);
    this.#document = document;
    this.#pinned = await openPinnedRoot(bytes, sha256Hex(bytes));
    this.#floor = world.floor;
  }

  async end(): Promise<void> {
    await this.#gateway?.updater.stop();
  }

  async take(step: Step, index: number): Promise<void> {
    const [expected, actual] = await this.#outcome(step);
    if (actual !== expected) {
      throw new Error(`step ${String(index + 1)} ${JSON.stringify(step)}: ${actual}, not ${expected}`);
    }
  }

  /** What the step says should happen, and what did. */
  async #outcome(step: Step): Promise<readonly [string, string]> {
    switch (step.op) {
      case "release":
        return ["written", await this.#release(step.release)];
      case "root":
        return ["written", await this.#root(step.root)];
      case "put":
        await this.#put(step.put, new TextEncoder().encode(step.text));
        return ["", ""];
      case "take":
        await rm(join(this.#channel, step.take));
        return ["", ""];
      case "wait":
        this.#nowMs += lengthMs(step.wait);
        return ["", ""];
      case "lose":
        await this.#gateway?.updater.stop();
        await rm(join(this.#state, ...(step.lose === "state" ? [] : [step.lose])), { recursive: true });
        return ["", ""];
      case "poll":
        return [step.poll, await this.#poll()];
      case "restart":
        return [step.restart, await this.#restart()];
      case "serves":
        return [step.serves, this.#serves()];
      case "tool":
        return [step.expect, await this.#tool(step)];
    }
  }

  async #release(step: ReleaseStep): Promise<string> {
    const { bundle = "one", by, signatures, envelope } = step;
    const { digest, bytes } = bundles[bundle];
    await this.#put(`${digest}.aegis`, bytes);
    const statement = {
      formatVersion: 1,
      channel: CHANNEL,
      epoch: step.epoch ?? 0,
      sequence: step.sequence,
      digest,
      issuedAt: formatInstant(this.#after(step.issued ?? "0s")),
      expiresAt: formatInstant(this.#after(step.expires ?? "7d")),
      graceSeconds: lengthMs(step.grace ?? "1h") / 1000,
      ...step.set,
    };
    const signed = await this.#sign("aegis-release", statement, {
      by: by ?? ["r", "s"],
      ...(signatures === undefined ? {} : { signatures }),
      ...(envelope === undefined ? {} : { envelope }),
    });
    await this.#put("release.json", signed);
    return "written";
  }

  /** Writes a root that follows the newest one written. Nothing is checked: gateways are to do that. */
  async #root(step: RootChangeStep): Promise<string> {
    const before = this.#newest();
    const version = step.version ?? before.version + 1;
    const role = (name: "root" | "release", add: readonly string[] = [], threshold?: number) => {
      const removed = new Set(this.#ids(step.remove ?? []));
      const keyids = [...new Set([...before.roles[name].keyids, ...this.#ids(add)])];
      return {
        keyids: keyids.filter((keyId) => !removed.has(keyId)).sort(),
        threshold: threshold ?? before.roles[name].threshold,
      };
    };
    const roles = {
      root: role("root", step.addRoot, step.rootThreshold),
      release: role("release", step.addRelease, step.releaseThreshold),
    };
    const known = { ...before.keys, ...this.#table([...(step.addRoot ?? []), ...(step.addRelease ?? [])]) };
    const used = new Set([...roles.root.keyids, ...roles.release.keyids]);
    const document: RootDocument = {
      formatVersion: 1,
      version,
      epoch: step.epoch ?? before.epoch + (step.raiseEpoch === true ? 1 : 0),
      expiresAt: step.expires === undefined ? before.expiresAt : formatInstant(this.#after(step.expires)),
      keys: Object.fromEntries(Object.entries(known).filter(([keyId]) => used.has(keyId))),
      roles,
      revokedDigests: [
        ...new Set([...before.revokedDigests, ...(step.revoke ?? []).map((name) => bundles[name].digest)]),
      ].sort(),
      ...(step.set as object | undefined),
    };
    const twin = step.alias === undefined ? document : this.#withAlias(document, step.alias);
    const bytes = await this.#sign("aegis-root", twin, {
      by: step.by ?? ["a", "b"],
      ...(step.signatures === undefined ? {} : { signatures: step.signatures }),
    });
    await this.#put(`roots/${String(step.file ?? version)}.json`, bytes);
    if (step.forget !== true) this.#document = twin;
    return "written";
  }

  /** The same key once more, under an id of its own. */
  #withAlias(document: RootDocument, name: string): RootDocument {
    const { alg, jwk } = this.#key(name);
    const { root, release } = document.roles;
    return {
      ...document,
      keys: { ...document.keys, alias: { alg, jwk } },
      roles: { root: { ...root, keyids: [...root.keyids, "alias"] }, release },
    };
  }

  async #poll(): Promise<string> {
    if (this.#gateway === undefined) return this.#restart();
    const outcome = await this.#gateway.updater.reload();
    return outcome.kind === "rejected" ? outcome.code : outcome.kind;
  }

  async #restart(): Promise<string> {
    await this.#gateway?.updater.stop();
    const holder = createSnapshotHolder<{ readonly label: string }>({
      dispose: () => undefined,
      onFault: (error) => {
        throw error;
      },
    });
    if (this.#pinned === undefined) throw new Error("no root");
    const updater = createUpdater<{ readonly label: string }>({
      source: createDirectorySource(this.#channel),
      store: openStateStore(this.#state, CHANNEL),
      holder,
      root: this.#pinned,
      channel: CHANNEL,
      ...(this.#floor === undefined ? {} : { floor: this.#floor }),
      build: ({ name }) => Promise.resolve({ label: name }),
      probe: () => Promise.resolve(),
      discard: () => undefined,
      clock: { nowMs: () => this.#nowMs, monotonicMs: () => performance.now() },
      sleep: untilAborted,
    });
    this.#gateway = { updater, holder };
    try {
      const outcome = await updater.start();
      return outcome.kind === "rejected" ? outcome.code : outcome.kind;
    } catch (error) {
      if (isTrustError(error)) return error.code;
      throw error;
    }
  }

  #serves(): string {
    if (this.#gateway === undefined || this.#gateway.updater.isExpired(this.#nowMs)) return "nothing";
    return this.#gateway.holder.current()?.label ?? "nothing";
  }

  async #tool(step: Extract<Step, { op: "tool" }>): Promise<string> {
    if (this.#pinned === undefined) throw new Error("no root");
    const signers = step.by.map((name) => this.#key(name));
    const target = {
      directory: this.#channel,
      channel: CHANNEL,
      root: this.#pinned,
      signers,
      nowMs: this.#nowMs,
    };
    const terms = { expiresAtMs: this.#after("7d"), graceSeconds: 3600 };
    const { bytes, digest } = bundles[step.bundle ?? "one"];
    try {
      if (step.tool === "rotate") {
        const draft = await rotateRoot(this.#pinned, { removeKeys: this.#ids(step.remove ?? []) }, signers);
        return draft.complete ? "complete" : "incomplete";
      }
      const outcome = await (step.tool === "release"
        ? releaseBundle(target, terms, bytes)
        : step.tool === "rollback"
          ? rollbackTo(target, terms, digest)
          : cosignRelease(target));
      const { epoch, sequence } = outcome.statement;
      return `${outcome.published ? "published" : "pending"} ${String(epoch)}/${String(sequence)}`;
    } catch (error) {
      if (isTrustError(error) || error instanceof ReleaseToolError) return error.code;
      throw error;
    }
  }

  async #sign(typ: string, payload: object, plan: SigningPlan): Promise<Uint8Array> {
    const encoded = encode(payload);
    const specs = plan.signatures ?? plan.by.map((by): SignatureSpec => ({ by }));
    const signatures = [];
    for (const spec of specs) signatures.push(await this.#signature(typ, encoded, spec));
    const envelope: Record<string, unknown> = { payload: encoded, signatures, ...plan.envelope?.set };
    for (const member of plan.envelope?.drop ?? []) delete envelope[member];
    if (plan.envelope?.replacePayload !== undefined) {
      envelope["payload"] = encode({ ...payload, ...plan.envelope.replacePayload });
    }
    return new TextEncoder().encode(`${canonicalJson(envelope)}${plan.envelope?.tail ?? ""}`);
  }

  async #signature(typ: string, payload: string, spec: SignatureSpec): Promise<object> {
    const key = this.#key(spec.by);
    const kid = spec.as === undefined ? key.keyId : (this.#keys[spec.as]?.keyId ?? spec.as);
    const header = { alg: key.alg, kid, typ, ...spec.header };
    for (const member of spec.dropHeader ?? []) Reflect.deleteProperty(header, member);
    const written = encode(header);
    let { signature } = await new FlattenedSign(Buffer.from(payload, "base64url"))
      .setProtectedHeader({ alg: key.alg, kid, typ })
      .sign(key.privateKey);
    if (spec.signsHeader === true) {
      // The signature is over the very header that is shown, so that only the header can be what is wrong with it.
      signature = await signRaw(key, `${written}.${payload}`);
    }
    if (spec.hmac === true) {
      const secret = Buffer.from(key.jwk.x, "base64url");
      signature = createHmac("sha256", secret).update(`${written}.${payload}`).digest("base64url");
    }
    return {
      protected: written,
      signature: spec.signature ?? `${signature}${spec.tail ?? ""}`,
      ...(spec.unprotected === undefined ? {} : { header: spec.unprotected }),
    };
  }

  async #put(name: string, bytes: Uint8Array): Promise<void> {
    const path = join(this.#channel, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, bytes);
  }

  #newest(): RootDocument {
    if (this.#document === undefined) throw new Error("no root yet");
    return this.#document;
  }

  #key(name: string): SigningKey {
    const key = this.#keys[name];
    if (key === undefined) throw new Error(`no key ${name}`);
    return key;
  }

  #ids(names: readonly string[]): readonly string[] {
    return names.map((name) => this.#key(name).keyId).sort();
  }

  #table(names: readonly string[]): RootDocument["keys"] {
    const rows = names.map((name) => this.#key(name));
    return Object.fromEntries(rows.map(({ keyId, alg, jwk }) => [keyId, { alg, jwk }]));
  }

  #after(length: string): number {
    return this.#nowMs + lengthMs(length);
  }
}

interface SigningPlan {
  readonly by: readonly string[];
  readonly signatures?: readonly SignatureSpec[];
  readonly envelope?: Envelope;
}

function encode(value: unknown): string {
  return Buffer.from(canonicalJson(value)).toString("base64url");
}

async function signRaw(key: SigningKey, input: string): Promise<string> {
  const algorithm = key.alg === "Ed25519" ? "Ed25519" : { name: "ECDSA", hash: "SHA-256" };
  const signature = await crypto.subtle.sign(algorithm, key.privateKey, new TextEncoder().encode(input));
  return Buffer.from(signature).toString("base64url");
}

/** `90d`, `-1s`, `1h`. */
function lengthMs(text: string): number {
  const match = /^(-?\d+)([smhd])$/u.exec(text);
  const unit = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[match?.[2] ?? ""];
  if (match === null || unit === undefined) throw new Error(`${text} is no length of time`);
  return Number(match[1]) * unit;
}

function untilAborted(_ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => {
      reject(new Error("stopped"));
    });
  });
}
