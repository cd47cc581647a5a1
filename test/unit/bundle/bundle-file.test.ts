import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  bundleDigest,
  canonicalJson,
  decodeBundle,
  decodeBundleFile,
  decodeBundleInTurns,
  encodeBundle,
  readArchive,
  sha256Hex,
  writeArchive,
} from "#bundle";
import { rawNumber } from "#std";
import { sampleContent } from "../snapshot/trust-lab.ts";

const content = sampleContent();
const bytes = encodeBundle(content, { compilerVersion: "0.1.0" });
const digest = bundleDigest(bytes);

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    return (error as { code?: string }).code ?? `not a TrustError: ${String(error)}`;
  }
  return "accepted";
}

/** Rebuilds the archive with one section replaced, and a manifest that agrees with it. */
function withSection(file: string, edit: (section: Record<string, unknown>) => unknown): Uint8Array {
  const files = readArchive(bytes);
  const parse = (name: string): Record<string, unknown> =>
    JSON.parse(Buffer.from(files.get(name) ?? []).toString()) as Record<string, unknown>;
  const data = new TextEncoder().encode(canonicalJson(edit(parse(file))));
  files.set(file, data);
  if (file !== "manifest.json") {
    const manifest = parse("manifest.json") as { files: Record<string, unknown> };
    manifest.files[file] = { sha256: sha256Hex(data), size: data.length };
    files.set("manifest.json", new TextEncoder().encode(canonicalJson(manifest)));
  }
  return writeArchive(files);
}

function outcome(changed: Uint8Array): string {
  try {
    decodeBundle(changed, bundleDigest(changed));
  } catch (error) {
    return error instanceof Error ? error.message : "";
  }
  return "accepted";
}

describe("bundle file", () => {
  it("gives back the content it was made from, and equal bytes for equal content", () => {
    expect(decodeBundle(bytes, digest)).toEqual(content);
    const again = encodeBundle(structuredClone(content), { compilerVersion: "0.1.0" });
    expect(bundleDigest(again)).toBe(digest);
    expect(decodeBundleFile(bytes, digest).manifest.requires).toEqual([
      "sections/1",
      "derive-matches/1",
      "derive-sql-postgresql/1",
      "redact/1",
      "limits-sliding-window/1",
    ]);
  });

  it("decodes in turns to the same content, lets timers run meanwhile, and stops with its signal", async () => {
    const server = content.registry.servers[0];
    const leaf = server?.leaves[0];
    if (server === undefined || leaf === undefined) throw new Error("the sample has a leaf");
    const leaves = Array.from({ length: 3000 }, (_, index) => ({
      ...leaf,
      action: `${leaf.action}-${String(index)}`,
    }));
    const registry = { servers: [{ ...server, leaves: [leaf, ...leaves] }] };
    const large = encodeBundle({ ...content, registry }, { compilerVersion: "0.1.0" });
    let turns = 0;
    const timer = setInterval(() => (turns += 1), 0);
    const decoded = await decodeBundleInTurns(large, bundleDigest(large), AbortSignal.timeout(60_000));
    clearInterval(timer);
    expect(decoded.content).toEqual(decodeBundle(large, bundleDigest(large)));
    expect(turns).toBeGreaterThan(2);
    const reason = new Error("enough");
    await expect(decodeBundleInTurns(large, bundleDigest(large), AbortSignal.abort(reason))).rejects.toBe(
      reason,
    );
    await expect(decodeBundleInTurns(large, digest, AbortSignal.timeout(60_000))).rejects.toMatchObject({
      code: "BUNDLE_DIGEST_MISMATCH",
    });
  });

  it("keeps numbers that a double cannot carry", () => {
    const big = rawNumber("9223372036854775807");
    const definition = { name: "query", inputSchema: { maximum: big } };
    const server = content.registry.servers[0];
    const leaf = server?.leaves[0];
    if (server === undefined || leaf === undefined) throw new Error("the sample has a leaf");
    const definitions = [
      { eras: ["modern" as const], digest: sha256Hex(canonicalJson(definition)), definition },
    ];
    const registry = { servers: [{ ...server, leaves: [{ ...leaf, definitions }] }] };
    const packed = encodeBundle({ ...content, registry }, { compilerVersion: "0.1.0" });
    const read = decodeBundle(packed, bundleDigest(packed)).registry.servers[0]?.leaves[0]?.definitions[0];
    expect(JSON.stringify(read?.definition)).toContain('"maximum":9223372036854775807');
  });

  it("hashes before it parses: any other digest is BUNDLE_DIGEST_MISMATCH, also for what is no archive", () => {
    expect(codeOf(() => decodeBundle(bytes, "0".repeat(64)))).toBe("BUNDLE_DIGEST_MISMATCH");
    expect(codeOf(() => decodeBundle(new Uint8Array([1, 2, 3]), digest))).toBe("BUNDLE_DIGEST_MISMATCH");
  });

  it("refuses a truncation at every byte, also under the digest of what is left", () => {
    for (let length = 0; length < bytes.length; length++) {
      const cut = bytes.subarray(0, length);
      expect(codeOf(() => decodeBundle(cut, digest))).toBe("BUNDLE_DIGEST_MISMATCH");
      if (length % 7 === 0 || length % 512 === 0) {
        expect(codeOf(() => decodeBundle(cut, bundleDigest(cut)))).toBe("BUNDLE_INVALID");
      }
    }
  });

  it("refuses every flipped bit under the statement's digest, and never crashes under its own", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: bytes.length * 8 - 1 }), (bit) => {
        const flipped = Uint8Array.from(bytes);
        flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(codeOf(() => decodeBundle(flipped, digest))).toBe("BUNDLE_DIGEST_MISMATCH");
        // The manifest's hashes and the one encoding of the archive leave no bit without a meaning.
        expect(codeOf(() => decodeBundle(flipped, bundleDigest(flipped)))).toMatch(
          /^(BUNDLE_[A-Z_]+|accepted)$/,
        );
      }),
      { seed: 7, numRuns: 600 },
    );
  });

  it.each([
    [
      "an unknown member",
      "limits.json",
      (s: object) => ({ ...s, extra: 1 }),
      'limits.json: unknown member "extra"',
    ],
    ["a misspelt member", "limits.json", () => ({ limit: [] }), 'did you mean "limits"?'],
    ["a missing member", "limits.json", () => ({}), 'member "limits" is missing'],
    ["a wrong type", "vectors.json", () => ({ vectors: {} }), "vectors.json.vectors: expected an array"],
    ["null", "sources.json", () => null, "sources.json: expected an object"],
    [
      "a node that does not exist",
      "registry.json",
      (s: object) => JSON.parse(JSON.stringify(s).replace('"root":0', '"root":3')) as unknown,
      "argumentsProgram.root: node 3 does not exist",
    ],
    [
      "a definition that is not the digested one",
      "registry.json",
      (s: object) => JSON.parse(JSON.stringify(s).replace('"title":"sample"', '"title":"other"')) as unknown,
      "definition of tools/call:sql/query does not resolve",
    ],
    [
      "a residual under another address",
      "policies.json",
      (s: object) => JSON.parse(JSON.stringify(s).replace('"permit"', '"forbid"')) as unknown,
      "policies.json: residual",
    ],
    [
      "a route to a server that does not exist",
      "routes.json",
      (s: object) => JSON.parse(JSON.stringify(s).replace('["sql"]', '["nosuch"]')) as unknown,
      "server nosuch of /sql/mcp",
    ],
    [
      "a file URL",
      "routes.json",
      (s: object) =>
        JSON.parse(JSON.stringify(s).replace("https://idp.example/jwks", "file:///etc/passwd")) as unknown,
      "expected an http or https URL",
    ],
  ])("refuses %s in %s with the path", (_label, file, edit, message) => {
    const text = outcome(withSection(file, edit));
    expect(text).toMatch(/^BUNDLE_INVALID: /);
    expect(text).toContain(message);
  });

  it("refuses a bundle that needs more than it has, before it reads any section", () => {
    const newer = withSection("manifest.json", (m) => ({ ...m, formatVersion: 2, anything: "else" }));
    expect(outcome(newer)).toMatch(/^BUNDLE_REQUIRES_NEWER: bundle format 2/);
    const feature = withSection("manifest.json", (m) => ({ ...m, requires: ["sections/1", "quantum/1"] }));
    expect(outcome(feature)).toMatch(/^BUNDLE_REQUIRES_NEWER: quantum\/1/);
  });

  it("refuses a file that the manifest lacks, one that the archive lacks, and one of another bundle", () => {
    const repack = (change: (files: Map<string, Uint8Array>) => void): string => {
      const files = readArchive(bytes);
      change(files);
      return outcome(writeArchive(files));
    };
    expect(repack((files) => files.set("x.json", new Uint8Array(2)))).toContain("x.json is not listed");
    expect(repack((files) => files.delete("limits.json"))).toContain("limits.json is listed but missing");
    expect(repack((files) => files.delete("manifest.json"))).toContain("manifest.json is missing");
    // A label of the same length: the file sizes agree, only the content does not.
    const other = readArchive(encodeBundle(sampleContent("simple"), { compilerVersion: "0.1.0" }));
    const registry = other.get("registry.json") ?? new Uint8Array();
    expect(repack((files) => files.set("registry.json", registry))).toContain(
      "registry.json is not the listed file",
    );
  });

  it("treats __proto__ and constructor as plain names", () => {
    const hostile = withSection(
      "sources.json",
      () =>
        JSON.parse(
          '{"policies":{"__proto__":{"file":"a","line":1,"column":1,"effect":"permit"},"constructor":{"file":"b","line":1,"column":1,"effect":"permit"}}}',
        ) as unknown,
    );
    const { policies } = decodeBundle(hostile, bundleDigest(hostile)).sources;
    expect(Object.keys(policies)).toEqual(["__proto__", "constructor"]);
    expect(policies["__proto__"]?.file).toBe("a");
    expect(policies["toString"]).toBeUndefined();
    const section = withSection(
      "limits.json",
      () => JSON.parse('{"limits":[],"__proto__":{"x":1}}') as unknown,
    );
    expect(outcome(section)).toContain('unknown member "__proto__"');
  });

  it("refuses to encode what a gateway would refuse", () => {
    const limits = { limits: [{ id: "x", per: ["principal"], limit: -1, windowMs: 1 }] } as never;
    expect(codeOf(() => encodeBundle({ ...content, limits }, { compilerVersion: "1" }))).toBe(
      "BUNDLE_INVALID",
    );
    const undefinedMember = { ...content, sources: { policies: undefined } } as never;
    expect(codeOf(() => encodeBundle(undefinedMember, { compilerVersion: "1" }))).toBe("BUNDLE_INVALID");
  });
});
