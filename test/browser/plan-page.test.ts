// The HTML form of a plan in a real browser: what it asks for, what its filters do, by mouse and by keyboard, how it
// copes with much, and that nothing in a plan runs.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LeafAction } from "#bundle";
import { renderPlanHtml } from "#plan";
import type { Plan } from "#plan";
import { decision, largePlan, planOf } from "../unit/compiler/plan-html/made-up-plan.ts";
import { Chromium } from "./chromium.ts";
import type { Page, PageOptions } from "./chromium.ts";
import { realisticPlan } from "./realistic-plan.ts";

const DESKTOP: PageOptions = { width: 1440, height: 900 };
const SHOWN_ROWS =
  "[...document.querySelectorAll('.matrix tr.leaf')].filter((row) => row.offsetParent !== null).length";
const SHOWN_STORIES =
  "[...document.querySelectorAll('.story')].filter((story) => story.offsetParent !== null).length";

const directory = mkdtempSync(join(tmpdir(), "aegis-plan-page-"));
let browser: Chromium;
let realistic: Plan;
let files = 0;

beforeAll(async () => {
  browser = Chromium.start();
  realistic = await realisticPlan();
});

afterAll(async () => {
  await browser[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

async function open(plan: Plan, options: PageOptions = DESKTOP): Promise<Page> {
  files += 1;
  const file = join(directory, `plan-${files}.html`);
  writeFileSync(file, renderPlanHtml(plan));
  return browser.open(pathToFileURL(file).href, options);
}

async function click(page: Page, selector: string): Promise<void> {
  await page.value(`document.querySelector(${JSON.stringify(selector)}).click()`);
  await page.settle();
}

describe("the page", () => {
  it("asks for nothing but itself, and its own policy refuses nothing of it", async () => {
    const page = await open(realistic);
    expect(page.requests).toHaveLength(1);
    expect(page.complaints).toEqual([]);
    expect(await page.value("document.documentElement.className")).toBe("js");
    expect(await page.value("getComputedStyle(document.querySelector('.verdict')).display")).toBe("grid");
  });

  it("runs nothing that a plan holds", async () => {
    const text = `</script><script>window.ran = 1</script><img src=x onerror="window.ran = 1">" onfocus="window.ran = 1" autofocus`;
    const page = await open(
      planOf([
        decision({
          principal: text,
          action: `tools/call:jira/${text}` as LeafAction,
          witness: { ...decision().witness, arguments: { [text]: text } },
        }),
        {
          kind: "pin-changed",
          evidence: "structural",
          subject: text,
          before: { description: text },
          after: { description: `${text} now` },
        },
      ]),
    );
    await click(page, ".matrix td a");
    expect(await page.value("window.ran === undefined && document.querySelectorAll('img').length")).toBe(0);
    expect(await page.value("document.querySelectorAll('script').length")).toBe(1);
    expect(page.requests).toHaveLength(1);
    expect(await page.value("JSON.parse(document.querySelector('.story pre').textContent)")).toEqual({
      [text]: text,
    });
  });

  it.each([360, 768, 1440, 3840])("is no wider than a window of %i pixels", async (width) => {
    const page = await open(realistic, { width, height: 900 });
    await page.value("document.querySelectorAll('details').forEach((box) => { box.open = true; })");
    await page.settle();
    expect(await page.value("document.documentElement.scrollWidth <= innerWidth")).toBe(true);
    await page.close();
  });

  it("can be read without its script", async () => {
    const page = await open(realistic, { ...DESKTOP, isScripted: false });
    const { root } = (await page.send("DOM.getDocument")) as { readonly root: { readonly nodeId: number } };
    const visibleText = async (selector: string): Promise<number> => {
      const { nodeId } = await page.send("DOM.querySelector", { nodeId: root.nodeId, selector });
      const box = await page.send("DOM.getBoxModel", { nodeId }).catch(() => ({}));
      return "model" in box ? (box["model"] as { readonly height: number }).height : 0;
    };
    for (const selector of [".verdict", ".matrix td a", ".story summary", "#show-allowed"])
      expect(await visibleText(selector)).toBeGreaterThan(0);
    // What only a script can do is not offered.
    expect(await visibleText("#find")).toBe(0);
  });

  it("does not move while it loads", async () => {
    const page = await open(realistic);
    const shift = await page.value<number>(
      "new Promise((done) => { let sum = 0; new PerformanceObserver((list) => { for (const entry of list.getEntries()) sum += entry.value; }).observe({ type: 'layout-shift', buffered: true }); setTimeout(() => done(sum), 200); })",
    );
    expect(shift).toBeLessThan(0.01);
  });

  it("prints everything that stands closed", async () => {
    const page = await open(realistic, { ...DESKTOP, media: "print" });
    expect(
      await page.value(
        "[...document.querySelectorAll('.kind-allowed pre, .kind-denied pre, .item pre')].every((block) => block.offsetHeight > 0)",
      ),
    ).toBe(true);
    expect(await page.value("getComputedStyle(document.querySelector('nav.bar')).display")).toBe("none");
  });
});

describe("the filters", () => {
  it("show changes alone, and everything when asked", async () => {
    const page = await open(realistic);
    const { leaves = [] } = realistic.matrix ?? {};
    const changed = leaves.filter(({ cells }) => /[ABD]/u.test(cells)).length;
    expect(await page.value(SHOWN_ROWS)).toBe(changed);
    await click(page, "#show-all");
    expect(await page.value(SHOWN_ROWS)).toBe(leaves.length);
    await click(page, "#show-all");
    await click(page, "#show-allowed");
    expect(await page.value(SHOWN_ROWS)).toBe(leaves.filter(({ cells }) => /[BD]/u.test(cells)).length);
    expect(await page.value("document.getElementById('newly-allowed').offsetParent")).toBeNull();
  });

  it("find by text", async () => {
    const page = await open(realistic);
    const before = await page.value<number>(SHOWN_STORIES);
    await page.press("/");
    await page.send("Input.insertText", { text: "wire" });
    await page.value(
      "new Promise((done) => { const look = () => document.getElementById('found').textContent === '' ? requestAnimationFrame(look) : done(true); look(); })",
    );
    expect(await page.value(SHOWN_STORIES)).toBeLessThan(before);
    expect(await page.value("document.getElementById('found').textContent")).toMatch(/^\d+ of \d+ stories$/u);
    await page.press("Escape");
    expect(await page.value(SHOWN_STORIES)).toBe(before);
  });
});

describe("by keyboard", () => {
  it("goes from cell to cell, and from a cell to its story", async () => {
    const page = await open(realistic);
    const focused = "document.activeElement.getAttribute('href')";
    await page.value("document.querySelector('.matrix td a[tabindex=\"0\"]').focus()");
    const first = await page.value<string>(focused);
    await page.press("ArrowRight");
    const second = await page.value<string>(focused);
    expect(second).not.toBe(first);
    await page.press("ArrowLeft");
    expect(await page.value(focused)).toBe(first);
    expect(await page.value("getComputedStyle(document.activeElement).outlineStyle")).toBe("solid");
    await page.press("Enter");
    await page.settle();
    expect(await page.value("location.hash")).toBe(first);
    expect(await page.value("document.activeElement.tagName")).toBe("SUMMARY");
    expect(await page.value(`document.querySelector(${JSON.stringify(first)}).closest('details').open`)).toBe(
      true,
    );
    // The whole matrix is one stop of the tab key.
    expect(await page.value("document.querySelectorAll('.matrix td a[tabindex=\"0\"]').length")).toBe(1);
  });

  it("names every control and every part of a table", async () => {
    const page = await open(realistic);
    const { nodes } = (await page.send("Accessibility.getFullAXTree")) as {
      readonly nodes: readonly {
        readonly role?: { readonly value: string };
        readonly name?: { readonly value: string };
        readonly ignored?: boolean;
      }[];
    };
    const controls = new Set([
      "link",
      "button",
      "checkbox",
      "searchbox",
      "columnheader",
      "rowheader",
      "table",
    ]);
    const nameless = nodes.filter(
      ({ role, name, ignored }) =>
        ignored !== true && controls.has(role?.value ?? "") && (name?.value ?? "") === "",
    );
    expect(nameless.filter(({ role }) => role?.value !== "table")).toEqual([]);
    const names = nodes.filter(({ role }) => role?.value === "link").map(({ name }) => name?.value);
    expect(names).toContain("newly allowed");
  });
});

describe("500 definitions, 30 callers, 1,000 rows", () => {
  it("opens, filters and unfolds without freezing", { timeout: 120_000 }, async () => {
    const page = await open(largePlan(500, 30, 1_000));
    const loadMs = await page.value<number>(
      "performance.timing.loadEventEnd - performance.timing.navigationStart",
    );
    const timed = async (action: string): Promise<number> =>
      page.value(
        `(async () => { const startedMs = performance.now(); ${action}; await new Promise((done) => requestAnimationFrame(() => setTimeout(done))); return performance.now() - startedMs; })()`,
      );
    const everythingMs = await timed("document.getElementById('show-all').click()");
    expect(await page.value(SHOWN_ROWS)).toBe(500);
    const filterMs = await timed(
      "const find = document.getElementById('find'); find.value = 'number_77'; find.dispatchEvent(new Event('input')); await new Promise((done) => setTimeout(done, 100))",
    );
    expect(await page.value(SHOWN_ROWS)).toBeLessThan(60);
    const openMs = await timed("document.querySelector('[data-open=true]').click()");
    process.stdout.write(
      `load ${loadMs} ms, everything ${Math.round(everythingMs)} ms, filter ${Math.round(filterMs)} ms, open ${Math.round(openMs)} ms\n`,
    );
    expect(loadMs).toBeLessThan(10_000);
    // Wide bounds: the machine may be busy with other tests. Alone it takes a fifth of them.
    expect(everythingMs).toBeLessThan(10_000);
    expect(filterMs).toBeLessThan(5_000);
    expect(openMs).toBeLessThan(5_000);
  });
});
