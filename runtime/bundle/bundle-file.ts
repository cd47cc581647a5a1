// Bundle content to `.aegis` bytes and back. Encoding is deterministic; decoding hashes before it parses anything.
import { TrustError } from "#errors";
import { Turn, isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { readArchive, writeArchive } from "./archive.ts";
import { canonicalJson } from "./canonical-json.ts";
import {
  closedObject,
  decodeWith,
  digest,
  listOf,
  mapOf,
  nonEmptyText,
  oneOf,
  wholeNumber,
} from "./decoder.ts";
import type { Decode } from "./decoder.ts";
import { bundleDigest, sha256Hex, sha256Steps } from "./digest.ts";
import {
  BUNDLE_FORMAT_VERSION,
  MANIFEST_FILE,
  MAX_BUNDLE_BYTES,
  SECTION_FILES,
  SUPPORTED_FEATURES,
} from "./format.ts";
import type { SectionName } from "./format.ts";
import { parseCanonicalSteps, runToEnd } from "./parse-canonical.ts";
import { checkReferences } from "./references.ts";
import {
  limitsSection,
  policySection,
  registrySection,
  retentionSection,
  routesSection,
  sourcesSection,
  transformsSection,
  vectorsSection,
} from "./section-decoders.ts";
import { DEFAULT_TENANT } from "./sections.ts";
import type { BundleContent, Digest } from "./sections.ts";

/** Longest the event loop is held while a bundle is decoded in turns, one large parse aside. */
const TURN_MS = 5;

/** `manifest.json`: what the archive holds and what a gateway must be able to do to run it. */
export interface BundleManifest {
  readonly kind: "aegis.bundle";
  readonly formatVersion: number;
  readonly name: string;
  readonly compiler: { readonly version: string };
  /** Features out of `SUPPORTED_FEATURES`. */
  readonly requires: readonly string[];
  /** Every other file of the archive, both directions. */
  readonly files: Readonly<Record<string, { readonly sha256: Digest; readonly size: number }>>;
}

export interface DecodedBundle {
  readonly manifest: BundleManifest;
  readonly content: BundleContent;
}

export interface EncodedBundle {
  readonly bytes: Uint8Array;
  readonly digest: Digest;
  readonly manifest: BundleManifest;
}

/**
 * Packs a bundle. Equal content and compiler version give equal bytes on every machine.
 * The result is decoded again before it is returned: content of a wrong shape throws TrustError BUNDLE_INVALID with
 * the path of the offending member, exactly as a gateway would refuse it.
 */
export function encodeBundle(content: BundleContent, meta: { readonly compilerVersion: string }): Uint8Array {
  return encodeBundleFile(content, meta).bytes;
}

/** As `encodeBundle`, with what decoding the result gave. */
export function encodeBundleFile(
  content: BundleContent,
  meta: { readonly compilerVersion: string },
): EncodedBundle {
  const files = new Map<string, Uint8Array>();
  const listed: Record<string, { sha256: Digest; size: number }> = {};
  for (const section of sectionNames()) {
    const file = SECTION_FILES[section];
    if (content[section] === undefined) continue;
    const data = encodeSection(file, content[section]);
    files.set(file, data);
    listed[file] = { sha256: sha256Hex(data), size: data.length };
  }
  const manifest: BundleManifest = {
    kind: "aegis.bundle",
    formatVersion: BUNDLE_FORMAT_VERSION,
    name: content.name,
    compiler: { version: meta.compilerVersion },
    requires: requiredFeatures(content),
    files: listed,
  };
  files.set(MANIFEST_FILE, encodeSection(MANIFEST_FILE, manifest));
  const bytes = writeArchive(files);
  const bundle = bundleDigest(bytes);
  return { bytes, digest: bundle, manifest: decodeBundleFile(bytes, bundle).manifest };
}

/**
 * Verifies and unpacks a bundle. `expectedDigest` comes from a verified release statement.
 *
 * Throws TrustError: BUNDLE_TOO_LARGE, BUNDLE_DIGEST_MISMATCH (nothing was parsed), BUNDLE_PATH_UNSAFE,
 * BUNDLE_REQUIRES_NEWER, BUNDLE_INVALID (with the path of the offending member).
 */
export function decodeBundle(bytes: Uint8Array, expectedDigest: Digest): BundleContent {
  return decodeBundleFile(bytes, expectedDigest).content;
}

/** As `decodeBundle`, with the manifest. */
export function decodeBundleFile(bytes: Uint8Array, expectedDigest: Digest): DecodedBundle {
  return runToEnd(decodeSteps(bytes, expectedDigest));
}

/**
 * As `decodeBundleFile`, letting other work run every few milliseconds: for a gateway that serves meanwhile.
 * Rejects with the reason of `signal` once it aborts.
 */
export async function decodeBundleInTurns(
  bytes: Uint8Array,
  expectedDigest: Digest,
  signal: AbortSignal,
): Promise<DecodedBundle> {
  const steps = decodeSteps(bytes, expectedDigest);
  const turn = new Turn(TURN_MS, signal);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    if (turn.isOver()) await turn.pause();
  }
}

/** The ordered checks of a bundle. Each `yield` is a place where other work may run. */
function* decodeSteps(bytes: Uint8Array, expectedDigest: Digest): Generator<undefined, DecodedBundle> {
  // Step 1: size, before the cost of hashing.
  if (bytes.length > MAX_BUNDLE_BYTES)
    throw new TrustError("BUNDLE_TOO_LARGE", `${String(bytes.length)} bytes`);
  // Step 2: hash before any byte is parsed.
  const actual = yield* sha256Steps(bytes);
  if (actual !== expectedDigest) {
    throw new TrustError("BUNDLE_DIGEST_MISMATCH", `expected ${expectedDigest}, the bytes hash to ${actual}`);
  }
  yield;
  // Step 3: container.
  const files = readArchive(bytes);
  // Step 4: manifest and what it requires, before any section of a format that may be newer is read.
  const manifest = decodeManifest(files.get(MANIFEST_FILE));
  // Step 5: file list, both directions, and the hash of each.
  yield* checkFileList(manifest, files);
  // Step 6: the shape of each section, then what they say about one another.
  function* section<T>(
    name: SectionName,
    decode: (value: JsonValue, at: string) => Generator<undefined, T>,
  ): Generator<undefined, T> {
    const file = SECTION_FILES[name];
    const value = yield* parseFileSteps(file, files.get(file));
    yield;
    try {
      return yield* decode(value, file);
    } catch (error) {
      throw new TrustError("BUNDLE_INVALID", messageOf(error), { cause: error });
    }
  }
  const content: BundleContent = {
    name: manifest.name,
    registry: yield* section("registry", registrySection),
    policies: yield* section("policies", policySection),
    routes: yield* section("routes", atOnce(routesSection)),
    limits: yield* section("limits", atOnce(limitsSection)),
    transforms: yield* section("transforms", atOnce(transformsSection)),
    sources: yield* section("sources", atOnce(sourcesSection)),
    vectors: yield* section("vectors", atOnce(vectorsSection)),
    ...(files.has(SECTION_FILES.retention)
      ? { retention: yield* section("retention", atOnce(retentionSection)) }
      : {}),
  };
  yield* checkReferences(content);
  return { manifest, content };
}

function atOnce<T>(decode: Decode<T>): (value: JsonValue, at: string) => Generator<undefined, T> {
  return function* decodeAtOnce(value, at) {
    yield;
    return decode(value, at);
  };
}

function sectionNames(): readonly SectionName[] {
  return Object.keys(SECTION_FILES) as SectionName[];
}

function encodeSection(file: string, value: unknown): Uint8Array {
  try {
    return new TextEncoder().encode(canonicalJson(value));
  } catch (error) {
    throw new TrustError("BUNDLE_INVALID", `${file}: ${messageOf(error)}`, { cause: error });
  }
}

function* parseFileSteps(file: string, data: Uint8Array | undefined): Generator<undefined, JsonValue> {
  if (data === undefined) throw new TrustError("BUNDLE_INVALID", `${file} is missing`);
  try {
    return yield* parseCanonicalSteps(
      new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data),
    );
  } catch (error) {
    throw new TrustError("BUNDLE_INVALID", `${file}: ${messageOf(error)}`, { cause: error });
  }
}

const manifestShape = closedObject<BundleManifest>(
  {
    kind: oneOf("aegis.bundle"),
    formatVersion: wholeNumber(1),
    name: nonEmptyText,
    compiler: closedObject<BundleManifest["compiler"]>({ version: nonEmptyText }, {}),
    requires: listOf(nonEmptyText),
    files: mapOf(closedObject<BundleManifest["files"][string]>({ sha256: digest, size: wholeNumber(0) }, {})),
  },
  {},
);

function decodeManifest(data: Uint8Array | undefined): BundleManifest {
  const value = runToEnd(parseFileSteps(MANIFEST_FILE, data));
  if (isJsonObject(value)) refuseNewer(value);
  return decodeWith(manifestShape, value, MANIFEST_FILE, "BUNDLE_INVALID");
}

function refuseNewer(manifest: JsonObject): void {
  const { formatVersion, requires } = manifest;
  if (typeof formatVersion === "number" && formatVersion > BUNDLE_FORMAT_VERSION) {
    throw new TrustError("BUNDLE_REQUIRES_NEWER", `bundle format ${String(formatVersion)}`);
  }
  if (!Array.isArray(requires)) return;
  const unknown = requires.filter(
    (feature) => typeof feature === "string" && !SUPPORTED_FEATURES.has(feature),
  );
  if (unknown.length > 0) throw new TrustError("BUNDLE_REQUIRES_NEWER", unknown.join(", "));
}

function* checkFileList(
  manifest: BundleManifest,
  files: ReadonlyMap<string, Uint8Array>,
): Generator<undefined, void> {
  const unlisted = new Set(files.keys());
  unlisted.delete(MANIFEST_FILE);
  for (const [name, entry] of Object.entries(manifest.files)) {
    const data = name === MANIFEST_FILE ? undefined : files.get(name);
    if (data === undefined) throw new TrustError("BUNDLE_INVALID", `${name} is listed but missing`);
    if (data.length !== entry.size || (yield* sha256Steps(data)) !== entry.sha256) {
      throw new TrustError("BUNDLE_INVALID", `${name} is not the listed file`);
    }
    unlisted.delete(name);
  }
  const [extra] = unlisted;
  if (extra !== undefined) throw new TrustError("BUNDLE_INVALID", `${extra} is not listed in the manifest`);
  const known = new Set<string>(Object.values(SECTION_FILES));
  const foreign = Object.keys(manifest.files).find((name) => !known.has(name));
  if (foreign !== undefined)
    throw new TrustError("BUNDLE_INVALID", `${foreign} is not a section of this format`);
}

function requiredFeatures(content: BundleContent): readonly string[] {
  const { slices } = content.policies;
  const derivations = slices.flatMap((slice) => [
    ...slice.derivations,
    ...(slice.shadowFacts?.derivations ?? []),
  ]);
  const needs: readonly (readonly [feature: string, needed: boolean])[] = [
    ["sections/1", true],
    ["derive-matches/1", derivations.some((derivation) => derivation.kind === "matches")],
    ["derive-sql-postgresql/1", derivations.some((derivation) => derivation.kind === "sql")],
    ["derive-text/1", derivations.some(({ kind }) => kind !== "matches" && kind !== "sql")],
    ["shadow-mode/1", slices.some((slice) => slice.shadow.length > 0)],
    ["redact/1", content.transforms.transforms.length > 0],
    ["limits-sliding-window/1", content.limits.limits.length > 0],
    ["retention/1", content.retention !== undefined],
    ["decision-facts/1", content.retention?.facts !== undefined],
    ["tenants/1", slices.some((slice) => slice.tenant !== DEFAULT_TENANT)],
  ];
  return needs.filter(([, needed]) => needed).map(([feature]) => feature);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : "unreadable";
}
