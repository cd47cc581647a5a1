// A hostile tenant's documents: each attempt is refused, or compiles and changes nothing for anyone else.
import { beforeAll, describe, expect, test } from "vitest";
import type { BundleContent } from "#bundle";
import { createCedarPdp } from "#pdp";
import { allowed, ATTACKERS, CALLERS, compileWith, readData, seenByOthers } from "./escape-lab.ts";
import type { Files } from "./escape-lab.ts";

interface Attempt {
  readonly about: string;
  readonly files: Files;
  /** One of these is reported as an error; absent = it compiles. */
  readonly refused?: readonly string[];
}

const ATTEMPTS = readData("attempts.yaml") as readonly Attempt[];
/** Calls that the platform forbids to every caller of the attacker. */
const FORBIDDEN = /(?: drop| wire| reindex)$/u;

let base: BundleContent;
let allowedBefore: readonly string[];

beforeAll(async () => {
  const { content, diagnostics } = await compileWith({});
  expect(diagnostics).toEqual([]);
  if (content === undefined) throw new Error("the base does not compile");
  base = content;
  allowedBefore = await allowed(base, CALLERS);
});

test("the base grants what each tenant's policies say, and nothing to the attacker", async () => {
  expect(allowedBefore).toEqual([
    "default:dana select",
    "default:root select",
    "default:root search",
    "default:root reindex",
    "globex:carl search",
    "globex:anna select",
    "globex:anna reindex",
  ]);
  expect(await allowed(base, ATTACKERS)).toEqual([]);
  expect(await allowed(base, [...CALLERS, ...ATTACKERS], createCedarPdp)).toEqual(allowedBefore);
});

describe("attempts", () => {
  test.each(ATTEMPTS.map((attempt) => [attempt.about, attempt] as const))("%s", async (_about, attempt) => {
    const { content, diagnostics } = await compileWith(attempt.files);
    const errors = diagnostics.filter(({ severity }) => severity === "error").map(({ code }) => code);
    if (attempt.refused !== undefined) {
      expect(content).toBeUndefined();
      expect(
        errors.some((code) => attempt.refused?.includes(code)),
        errors.join(", "),
      ).toBe(true);
      return;
    }
    expect(errors).toEqual([]);
    if (content === undefined) return;
    expect(seenByOthers(content)).toEqual(seenByOthers(base));
    expect(await allowed(content, CALLERS)).toEqual(allowedBefore);
    const gained = await allowed(content, ATTACKERS);
    expect(gained.filter((line) => FORBIDDEN.test(line))).toEqual([]);
  });
});
