import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readArchive, writeArchive } from "#bundle";
import { readFileSync } from "node:fs";

interface HeaderEdit {
  readonly name: string;
  readonly code: string;
  readonly file?: string;
  readonly offset?: number;
  readonly text?: string;
  /** Leaves the checksum as it was. */
  readonly keepChecksum?: boolean;
}

const cases = JSON.parse(
  readFileSync(new URL("../../data/trust/archive-headers.json", import.meta.url), "utf8"),
) as readonly HeaderEdit[];

const BLOCK = 512;
const data = new TextEncoder().encode("hello");

function codeOf(bytes: Uint8Array): string {
  try {
    readArchive(bytes);
  } catch (error) {
    return (error as { code?: string }).code ?? `not a TrustError: ${String(error)}`;
  }
  return "accepted";
}

function repairChecksum(archive: Uint8Array, header = 0): void {
  archive.fill(0x20, header + 148, header + 156);
  let sum = 0;
  for (const byte of archive.subarray(header, header + BLOCK)) sum += byte;
  archive.set(new TextEncoder().encode(`${sum.toString(8).padStart(6, "0")}\0 `), header + 148);
}

function put(archive: Uint8Array, offset: number, text: string): void {
  archive.set(Buffer.from(text, "latin1"), offset);
}

describe("archive", () => {
  it("packs and unpacks, sorted, and tar reads it", () => {
    const packed = writeArchive(
      new Map([
        ["b.txt", data],
        ["a/x.txt", new Uint8Array()],
      ]),
    );
    expect([...readArchive(packed).keys()]).toEqual(["a/x.txt", "b.txt"]);
    const listing = execFileSync("tar", ["-tf", "-"], { input: packed }).toString();
    expect(listing).toBe("a/x.txt\nb.txt\n");
    expect(execFileSync("tar", ["-xOf", "-", "b.txt"], { input: packed }).toString()).toBe("hello");
  });

  it("has one encoding for one set of files", () => {
    const files = fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), fc.uint8Array({ maxLength: 1100 }), {
      maxKeys: 5,
    });
    fc.assert(
      fc.property(files, (entries) => {
        const packed = writeArchive(new Map(Object.entries(entries)));
        expect(writeArchive(readArchive(packed))).toEqual(packed);
      }),
      { seed: 3, numRuns: 100 },
    );
  });

  it.each(cases)("refuses $name", ({ code, file = "a.txt", offset, text, keepChecksum = false }) => {
    const archive = writeArchive(new Map([[file, data]]));
    if (offset !== undefined && text !== undefined) put(archive, offset, text);
    if (!keepChecksum) repairChecksum(archive);
    expect(codeOf(archive)).toBe(code);
  });

  it.each(["../x", "/etc/passwd", "a/../b", "a//b", "a\\b", "a\0b", "é", "", ".", "a/", "x".repeat(101)])(
    "refuses to write the name %j",
    (name) => {
      expect(() => writeArchive(new Map([[name, data]]))).toThrow("BUNDLE_PATH_UNSAFE");
    },
  );

  it("refuses duplicates, case-fold twins, wrong order and too many files", () => {
    const pair = (first: string, second: string): Uint8Array => {
      const archive = writeArchive(
        new Map([
          ["aaa", data],
          ["bbb", data],
        ]),
      );
      put(archive, 0, first);
      repairChecksum(archive);
      put(archive, 2 * BLOCK, second);
      repairChecksum(archive, 2 * BLOCK);
      return archive;
    };
    expect(codeOf(pair("aaa", "bbb"))).toBe("accepted");
    expect(codeOf(pair("aaa", "aaa"))).toBe("BUNDLE_PATH_UNSAFE");
    expect(codeOf(pair("AAA", "aaa"))).toBe("BUNDLE_PATH_UNSAFE");
    expect(codeOf(pair("bbb", "aaa"))).toBe("BUNDLE_INVALID");
    const many = new Map(Array.from({ length: 65 }, (_, index) => [`f${String(index)}`, data] as const));
    expect(() => writeArchive(many)).toThrow("BUNDLE_TOO_LARGE");
    const file = writeArchive(new Map([["a", new Uint8Array()]])).subarray(0, BLOCK);
    expect(
      codeOf(Buffer.concat([...Array.from({ length: 65 }, () => file), Buffer.alloc(2 * BLOCK)])),
    ).toMatch(/^BUNDLE_/);
  });

  it("refuses trailing data, a second archive, garbage in padding and in the end", () => {
    const archive = writeArchive(new Map([["a", data]]));
    expect(codeOf(Buffer.concat([archive, new Uint8Array(BLOCK)]))).toBe("BUNDLE_INVALID");
    expect(codeOf(Buffer.concat([archive, archive]))).toBe("BUNDLE_INVALID");
    const dirtyPadding = Uint8Array.from(archive);
    dirtyPadding[BLOCK + data.length] = 1;
    expect(codeOf(dirtyPadding)).toBe("BUNDLE_INVALID");
    const dirtyEnd = Uint8Array.from(archive);
    dirtyEnd[archive.length - 1] = 1;
    expect(codeOf(dirtyEnd)).toBe("BUNDLE_INVALID");
  });

  it("refuses an archive above the size limit before it reads one header", () => {
    expect(codeOf(new Uint8Array(64 * 1024 * 1024 + BLOCK))).toBe("BUNDLE_TOO_LARGE");
  });
});
