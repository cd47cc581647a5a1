import { createHash } from "node:crypto";
import { describe, expect, it, test } from "vitest";
import { renderPlanHtml } from "#plan";
import type { LeafAction, PolicyId } from "#bundle";
import type { Plan } from "#plan";
import { decision, largePlan, planOf } from "./made-up-plan.ts";

const HOSTILE = [
  "</script><script>alert(1)</script>",
  "</style><img src=x onerror=alert(1)>",
  `" onmouseover="alert(1)`,
  "' autofocus onfocus='alert(1)",
  "<!-- -->",
  "`${alert(1)}`",
  "&lt;b&gt;",
  "javascript:alert(1)",
] as const;

/** The page without its own style and script. */
function body(page: string): string {
  return page.replace(/<style>.*?<\/style>/su, "").replace(/<script>.*?<\/script>/su, "");
}

function hostilePlan(text: string): Plan {
  const id = text as PolicyId;
  const row = decision({
    principal: text,
    action: `tools/call:${text}/${text}` as LeafAction,
    before: { effect: "deny", reasons: [id], code: text },
    after: { effect: "allow", reasons: [id] },
    witness: {
      principal: {
        ...decision().witness.principal,
        id: text,
        roles: [text],
        groups: [text],
        attributes: { [text]: text },
      },
      arguments: { [text]: text },
      read: { [text]: text },
      recorded: { id: text, at: text, withheld: [text] },
    },
  });
  return planOf(
    [
      row,
      {
        kind: "pin-changed",
        evidence: "structural",
        subject: text,
        before: { description: `${text} a`, [`m ${text}`]: [text] },
        after: { description: `${text} b`, [`m ${text}`]: { [text]: text } },
        details: [text],
      },
    ],
    {
      base: { kind: "git", ref: text, digest: "a".repeat(64) as Plan["head"]["digest"] },
      gates: [{ name: text, result: "violated", message: text, rows: [0, 1], side: "head", label: text }],
      sources: [{ policy: id, side: "head", file: text, line: 1, column: 1, reason: text, excerpt: text }],
      matrix: {
        principals: [text],
        leaves: [{ action: row.action, server: text, cells: "A" }],
      },
      replay: {
        ...{ records: 1, unchanged: 0, changed: 1, indeterminate: 0, skipped: 0, from: text, to: text },
        missingFacts: [{ fact: text, records: 1 }],
      },
      symbolic: { asked: 1, proved: 0, found: 0, notAnalysed: [{ action: row.action, reason: text }] },
    },
  );
}

const HARMLESS = body(renderPlanHtml(hostilePlan("harm less")));

describe("hostile text", () => {
  it.each(HOSTILE)("%s stays text wherever a plan holds it", (text) => {
    const page = body(renderPlanHtml(hostilePlan(text)));
    // Every element, and each attribute of it, is one that the page also has for harmless text.
    const shapes = (html: string): readonly string[] =>
      [...html.matchAll(/<([^\s>]*)([^>]*)/gu)].flatMap(([, tag = "", attributes = ""]) => [
        tag,
        ...[...attributes.replaceAll(/"[^"]*"/gu, "").matchAll(/[^\s=]+/gu)].map(
          ([name]) => `${tag} ${name}`,
        ),
      ]);
    const known = new Set([...shapes(HARMLESS), "details open", "bdi class", "span class"]);
    expect(shapes(page).filter((shape) => !known.has(shape))).toEqual([]);
    expect(page).not.toMatch(/href="(?!#)/u);
  });

  it("shows characters that cannot be seen by number, and leaves emoji whole", () => {
    const page = body(renderPlanHtml(hostilePlan("a\u202Eb\u200Bc\u{E0041}\u00A0 👩‍👩‍👧 ❤️")));
    for (const shown of ["U+202E", "U+200B", "U+E0041", "U+00A0"]) expect(page).toContain(shown);
    expect(page).not.toMatch(/[\u202E\u200B\u00A0]|\u{E0041}/u);
    expect(page).toContain("👩‍👩‍👧");
    expect(page).toContain("❤️");
  });

  it("shows 10,000 characters, and says how many it cut off a longer value", () => {
    const tenThousand = "y".repeat(10_000);
    const withArguments = (text: string): string =>
      renderPlanHtml(planOf([decision({ witness: { ...decision().witness, arguments: { text } } })]));
    expect(withArguments(tenThousand)).toContain(tenThousand);
    const longer = withArguments("z".repeat(50_000));
    expect(longer).not.toContain("z".repeat(20_001));
    expect(longer).toMatch(/… 30,?0\d\d more characters: the JSON plan has them/u);
  });
});

describe("the file", () => {
  const page = renderPlanHtml(hostilePlan("plain"));
  const meta =
    /Content-Security-Policy"\s+content="([^"]*)"/u.exec(page)?.[1]?.replaceAll("&#39;", "'") ?? "";

  it("lets its own style and script apply, by hash, and nothing else", () => {
    const hash = (tag: string): string => {
      const text = new RegExp(`<${tag}>(.*?)</${tag}>`, "su").exec(page)?.[1] ?? "";
      return `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
    };
    expect(meta).toBe(
      `default-src 'none'; style-src ${hash("style")}; script-src ${hash("script")}; base-uri 'none'; form-action 'none'`,
    );
  });

  it("names no address of anything outside", () => {
    expect(page).not.toMatch(/https?:|\/\/[a-z]|url\(|@import|\ssrc=|<link|<iframe|<object|<form|\sstyle=/iu);
  });

  it("is the same for an equal plan", () => {
    expect(renderPlanHtml(structuredClone(hostilePlan("plain")))).toBe(page);
  });

  it("keeps headings in order and every id once", () => {
    const levels = [...page.matchAll(/<h([1-6])[ >]/gu)].map(([, level]) => Number(level));
    expect(levels[0]).toBe(1);
    expect(levels.every((level, at) => at === 0 || level <= (levels[at - 1] ?? 0) + 1)).toBe(true);
    const ids = [...body(page).matchAll(/\sid="([^"]*)"/gu)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const [, target] of body(page).matchAll(/href="#([^"]*)"/gu)) expect(ids).toContain(target);
  });

  it("stays small for 500 tools, 30 callers and 1,000 rows", () => {
    const startedMs = performance.now();
    const large = renderPlanHtml(largePlan(500, 30, 1_000));
    expect(performance.now() - startedMs).toBeLessThan(5_000);
    expect(large.length).toBeLessThan(6_000_000);
  });
});

describe("what it says", () => {
  const text = (plan: Plan): string =>
    body(renderPlanHtml(plan))
      .replace(/<[^>]*>/gu, " ")
      .replace(/\s+/gu, " ");

  test.each([
    [
      "equal sides",
      planOf([], { head: { digest: "a".repeat(64) as Plan["head"]["digest"] } }),
      "No change: both sides compile to the same bundle.",
    ],
    ["nothing found", planOf([]), "No change was found. That is a search, not a proof"],
    ["allowed", planOf([decision()]), "1 pair of caller and definition is newly allowed."],
    [
      "denied",
      planOf([decision({ kind: "newly-denied" })]),
      "1 pair of caller and definition is newly denied.",
    ],
    [
      "both",
      planOf([decision(), decision({ kind: "newly-denied" })]),
      "1 pair of caller and definition is newly allowed, 1 newly denied.",
    ],
    [
      "a violated gate",
      planOf([decision()], {
        gates: [{ name: "g", result: "violated", message: "m", rows: [0], side: "base" }],
      }),
      "Blocked: 1 gate is violated.",
    ],
  ] as const)("%s", (_, plan, sentence) => {
    expect(text(plan)).toContain(sentence);
  });

  it("says so where there is no matrix, no replay and no proof", () => {
    const shown = text(planOf([decision()]));
    expect(shown).toContain("The plan has no full matrix");
    expect(shown).toContain("No audit log was replayed");
    expect(shown).toContain("No solver was asked");
  });

  it("tells callers whose decision changes alike in one story", () => {
    const page = renderPlanHtml(planOf([decision(), decision({ principal: "tester" })]));
    expect(body(page).match(/class="story"/gu)).toHaveLength(1);
    expect(page).toMatch(/id="c0"[\s\S]*id="c1"/u);
  });
});
