// Whatever is malformed is named exactly, and leaves nothing behind. The cases are data.
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { RELEASE, ROOT, createDesk, prepareRelease } from "./cli-fixture.ts";
import type { Desk } from "./cli-fixture.ts";

interface Case {
  readonly name: string;
  readonly append?: Readonly<Record<string, string>>;
  readonly write?: Readonly<Record<string, string>>;
  /** Base64. */
  readonly writeBytes?: Readonly<Record<string, string>>;
  readonly commands: readonly string[];
  readonly exit: number;
  readonly error: string;
}

const cases = parse(readFileSync(join(ROOT, "test/data/cli/malformed.yaml"), "utf8")) as readonly Case[];

let seed: Desk;
let desk: Desk;
beforeAll(async () => {
  seed = createDesk("template");
  await prepareRelease(seed);
  await seed.ok(...RELEASE);
});
afterAll(() => seed.remove());
beforeEach(() => {
  desk = createDesk();
  cpSync(seed.dir, desk.dir, { recursive: true });
});
afterEach(() => desk.remove());

describe("malformed input", () => {
  it("is tried in many forms", () => {
    expect(cases.length).toBeGreaterThan(15);
  });

  it.each(cases.map((entry) => [entry.name, entry] as const))("%s", async (_name, entry) => {
    for (const [file, text] of Object.entries(entry.append ?? {})) {
      writeFileSync(desk.path(file), readFileSync(desk.path(file), "utf8") + text);
    }
    for (const [file, text] of Object.entries(entry.write ?? {})) {
      writeFileSync(desk.path(file), text, { mode: 0o600 });
    }
    for (const [file, text] of Object.entries(entry.writeBytes ?? {})) {
      writeFileSync(desk.path(file), Buffer.from(text, "base64"));
    }
    const before = desk.listing();
    for (const command of entry.commands) {
      const { code, out, err } = await desk.run(...command.split(" "));
      // Exact lines: a message that drifts is noticed here.
      const errors = err
        .replaceAll(desk.dir, "<dir>")
        .split("\n")
        .filter((line) => /^(?:\S+: )?error\b/u.test(line));
      expect({ command, code, out }).toEqual({ command, code: entry.exit, out: "" });
      expect(errors).toContain(entry.error);
      expect(desk.listing(), command).toEqual(before);
    }
  });
});
