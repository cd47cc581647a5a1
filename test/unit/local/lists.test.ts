// Pages of long lists: whole, in order, filtered as they are read, with cursors that serve whom they were made for.
import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { isAegisError } from "#errors";
import { createSealer } from "#sealing";
import type { JsonValue } from "#std";
import { answerList } from "../../../runtime/local/lists.ts";

const ITEMS = 1_234;

interface Asked {
  readonly cursor?: JsonValue;
  readonly bindingKey?: string;
  readonly digest?: string;
  readonly path?: string;
  readonly method?: string;
  /** Whether item `index` is shown. */
  readonly shows?: (index: number) => boolean;
  readonly isReachable?: () => boolean;
}

const clock = { ms: 1_000_000 };
const sealer = createSealer({ key: randomBytes(32), nowMs: () => clock.ms });

interface Page {
  readonly names: readonly string[];
  readonly marks: readonly unknown[];
  readonly nextCursor: string | undefined;
}

function list(asked: Asked): Page {
  const server = { binding: { isReachable: asked.isReachable ?? ((): boolean => true) } };
  const items = Array.from({ length: ITEMS }, (_, index) => ({
    server,
    leaf: { action: `a${index}` },
    definition: { name: `t${index}`, _meta: { own: index } },
  }));
  const name = asked.method === "prompts/list" ? "prompts" : "tools";
  const answer = answerList(
    {
      ...{ method: { method: asked.method ?? "tools/list" }, era: "modern", receivedAtMs: clock.ms },
      message: { kind: "request", params: asked.cursor === undefined ? {} : { cursor: asked.cursor } },
      route: {
        entry: { tenant: "default", path: asked.path ?? "/desk/mcp" },
        lists: { modern: { tools: items, prompts: items } },
      },
      principal: { bindingKey: asked.bindingKey ?? "ada", facts: {}, missingAttributes: [], auth: {} },
      snapshot: {
        digest: asked.digest ?? "d1",
        evaluator: {
          visible: (_tenant: string, action: string) => asked.shows?.(Number(action.slice(1))) ?? true,
        },
      },
      inbound: { remoteAddress: "" },
      protocolVersion: "2026-07-28",
    } as never,
    sealer,
  );
  if (answer.kind !== "result") throw new Error("no result");
  const page = answer.result[name] as unknown as { name: string; _meta: Record<string, unknown> }[];
  return {
    names: page.map((item) => item.name),
    marks: page.map((item) => item._meta["dev.aegis/availability"]),
    nextCursor: answer.result["nextCursor"] as string | undefined,
  };
}

function pages(asked: Asked): readonly (readonly string[])[] {
  const found: (readonly string[])[] = [];
  for (let cursor: string | undefined, first = true; first || cursor !== undefined; first = false) {
    const page = list(cursor === undefined ? asked : { ...asked, cursor });
    found.push(page.names);
    cursor = page.nextCursor;
  }
  return found;
}

describe("pages", () => {
  test("hold everything once, in order", () => {
    const all = pages({});
    expect(all.map((page) => page.length)).toEqual([500, 500, 234]);
    expect(all.flat()).toEqual(Array.from({ length: ITEMS }, (_, index) => `t${index}`));
  });

  test("hold what is visible, and no page after the last visible item", () => {
    const all = pages({ shows: (index) => index % 2 === 0 && index < 1_000 });
    expect(all.map((page) => page.length)).toEqual([500]);
    expect(pages({ shows: () => false })).toEqual([[]]);
  });

  test("what becomes visible between two pages neither repeats nor skips anything", () => {
    const first = list({ shows: (index) => index >= 100 });
    const second = list({ cursor: first.nextCursor ?? "" });
    expect(second.names[0]).toBe("t600");
  });

  test("items of a server that is away say so and keep what else they say", () => {
    expect(new Set(list({ isReachable: () => false }).marks)).toEqual(new Set(["unavailable"]));
    expect(new Set(list({}).marks)).toEqual(new Set([undefined]));
  });
});

describe("a cursor", () => {
  const { nextCursor = "" } = list({});
  const refusal = (asked: Asked): string => {
    try {
      list(asked);
      return "served";
    } catch (fault) {
      return isAegisError(fault) ? fault.code : String(fault);
    }
  };

  test.each([
    ["another caller", { bindingKey: "bob" }],
    ["another release", { digest: "d2" }],
    ["another endpoint", { path: "/other/mcp" }],
    ["another list", { method: "prompts/list" }],
  ] as const)("is refused to %s", (_who, asked) => {
    expect(refusal({ cursor: nextCursor })).toBe("served");
    expect(refusal({ ...asked, cursor: nextCursor })).toBe("CURSOR_INVALID");
  });

  test.each([["", "0", "500", 500, null, {}, `${nextCursor}A`, nextCursor.slice(1)] as const].flat())(
    "%j is none",
    (cursor) => {
      expect(refusal({ cursor })).toBe("CURSOR_INVALID");
    },
  );

  test("is refused after an hour", () => {
    const { nextCursor: cursor = "" } = list({});
    clock.ms += 3_599_000;
    expect(refusal({ cursor })).toBe("served");
    clock.ms += 2_000;
    expect(refusal({ cursor })).toBe("CURSOR_INVALID");
  });
});
