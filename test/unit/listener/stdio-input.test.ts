// Lines of standard input, batches of one body, and the token of a local server.
import { chmodSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { splitBatch } from "../../../runtime/listener/batch.ts";
import { createLineSplitter } from "../../../runtime/listener/connection/line-splitter.ts";
import { createTokenSource } from "../../../runtime/listener/index.ts";

const CAP = 16;

function split(chunks: readonly Buffer[]): { readonly lines: string[]; readonly tooLong: number } {
  const lines: string[] = [];
  let tooLong = 0;
  const splitter = createLineSplitter(
    CAP,
    (line) => lines.push(line.toString("latin1")),
    () => (tooLong += 1),
  );
  for (const chunk of chunks) splitter.push(chunk);
  splitter.finish();
  return { lines, tooLong };
}

describe("lines", () => {
  it("are the same in whatever portions they come", () => {
    const text = fc.array(fc.stringMatching(/^[ab \r]{0,24}$/), { maxLength: 8 });
    fc.assert(
      fc.property(text, fc.array(fc.nat({ max: 40 }), { maxLength: 10 }), (parts, cuts) => {
        const whole = Buffer.from(parts.join("\n"));
        const at = [...cuts.map((cut) => Math.min(cut, whole.length)), 0, whole.length].sort((a, b) => a - b);
        const chunks = at.slice(1).map((end, index) => whole.subarray(at[index], end));
        const expected = parts.join("\n").split("\n");
        expect(split(chunks)).toEqual({
          lines: expected.filter((line) => line.length <= CAP && /[^ \r]/u.test(line)),
          tooLong: expected.filter((line) => line.length > CAP).length,
        });
      }),
      { numRuns: 200, seed: 7 },
    );
  });
});

describe("a batch", () => {
  it("is told from a message by its first byte, and keeps numbers as they were written", () => {
    expect(splitBatch(Buffer.from(' {"a":1}'))).toBeUndefined();
    expect(splitBatch(Buffer.from("7"))).toBeUndefined();
    const [element] = splitBatch(Buffer.from('\n [{"n":12345678901234567890}]')) ?? [];
    expect(Buffer.from(element ?? []).toString("utf8")).toBe('{"n":12345678901234567890}');
  });
});

describe("the token of a local server", () => {
  const dir = mkdtempSync(join(tmpdir(), "aegis-token-"));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));
  const path = join(dir, "token");

  it("is read again when its file changes, and gone when the file is", () => {
    const token = createTokenSource({ kind: "file", path });
    expect(token()).toBeUndefined();
    writeFileSync(path, "one\n", { mode: 0o600 });
    expect(token()).toBe("one");
    writeFileSync(path, "two\n");
    utimesSync(path, 1, 1);
    expect(token()).toBe("two");
    writeFileSync(path, "x".repeat(100_000));
    expect(token()).toBeUndefined();
    rmSync(path);
    expect(token()).toBeUndefined();
  });

  it.each([0o604, 0o640, 0o622])("is refused from a file that others may use: mode %o", (mode) => {
    writeFileSync(path, "one\n");
    chmodSync(path, mode);
    expect(() => createTokenSource({ kind: "file", path })).toThrow(
      `stdio.token: ${path} can be read or written by other users; run chmod 600 on it`,
    );
    chmodSync(path, 0o600);
    const refused: string[] = [];
    const token = createTokenSource({ kind: "file", path }, (reason) => void refused.push(reason));
    expect(token()).toBe("one");
    chmodSync(path, mode);
    expect([token(), token()]).toEqual([undefined, undefined]);
    expect(refused).toEqual([expect.stringContaining("chmod 600")]);
    chmodSync(path, 0o400);
    expect(token()).toBe("one");
    rmSync(path, { force: true });
  });

  it("is that of the environment as it was", () => {
    expect(createTokenSource({ kind: "env", name: "T", value: "t" })()).toBe("t");
    expect(createTokenSource({ kind: "env", name: "T", value: undefined })()).toBeUndefined();
  });
});
