// Makes the pictures of docs/plan.md afresh: node test/browser/plan-pictures.ts. Pages are made by the program itself,
// from real edits of the template; the fonts are those of the machine (Inter and JetBrains Mono, where installed).
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { showHidden } from "#compiler";
import { renderPlanHtml, renderPlanText } from "#plan";
import { Chromium } from "./chromium.ts";
import type { PageOptions } from "./chromium.ts";
import { realisticPlan } from "./realistic-plan.ts";

const IMAGES = join(import.meta.dirname, "../../docs/images");

interface Picture {
  readonly name: string;
  readonly file: string;
  readonly options: PageOptions;
  /** Runs in the page before the picture is taken. */
  readonly prepare?: string;
}

const COLORS: Readonly<Record<string, string>> = {
  "1": "font-weight:700;color:#fff",
  "2": "color:#98a4b5",
  "31": "color:#ff9b9b",
  "32": "color:#8be3a9",
  "33": "color:#ffd67a",
};

/** Text with colours of a terminal as a page that looks like one. */
function terminalPage(command: string, text: string): string {
  const escaped = text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  const colored = escaped
    .split(String.fromCharCode(27))
    .map((part, index) => {
      if (index === 0) return part;
      const [, code = "0", rest = ""] = /^\[(\d+)m([\s\S]*)$/u.exec(part) ?? [];
      return code === "0" ? `</span>${rest}` : `<span style="${COLORS[code] ?? ""}">${rest}`;
    })
    .join("");
  return `<!doctype html><meta charset="utf-8"><style>
body{margin:0;background:#0d1117;padding:22px 28px}
pre{margin:0;font:15px/1.5 "JetBrains Mono",ui-monospace,Menlo,Consolas,monospace;color:#dbe2ec;white-space:pre-wrap;overflow-wrap:anywhere}
b{color:#8be3a9}</style><pre><b>$</b> ${command}\n${colored}</pre>`;
}

const OPEN_STORY = `
  const story = document.querySelector('.kind-allowed .story');
  story.open = true;
  document.querySelector('#decisions').scrollIntoView();
`;

const SHOW_EVERYTHING = `
  document.getElementById("show-all").click();
  document.querySelector('#matrix').scrollIntoView();
`;

const plan = await realisticPlan();
const directory = mkdtempSync(join(tmpdir(), "aegis-plan-pictures-"));
try {
  const page = join(directory, "plan.html");
  const terminal = join(directory, "terminal.html");
  writeFileSync(page, renderPlanHtml(plan));
  writeFileSync(
    terminal,
    terminalPage("aegis plan --base main", renderPlanText(plan, { color: true, printable: showHidden })),
  );
  const pictures: readonly Picture[] = [
    { name: "plan-summary", file: page, options: { width: 1440, height: 1130, scheme: "light" } },
    {
      name: "plan-story",
      file: page,
      options: { width: 1440, height: 900, scheme: "dark" },
      prepare: OPEN_STORY,
    },
    {
      name: "plan-matrix",
      file: page,
      options: { width: 1280, height: 860, scheme: "light" },
      prepare: SHOW_EVERYTHING,
    },
    { name: "plan-narrow", file: page, options: { width: 390, height: 844, scheme: "light" } },
    { name: "plan-terminal", file: terminal, options: { width: 1180, height: 100 }, prepare: "0" },
  ];
  mkdirSync(IMAGES, { recursive: true });
  await using browser = Chromium.start();
  for (const { name, file, options, prepare } of pictures) {
    const tab = await browser.open(pathToFileURL(file).href, options);
    if (prepare !== undefined) await tab.value(`(() => { ${prepare} })()`);
    if (name === "plan-terminal") {
      const height = await tab.value<number>("document.querySelector('pre').offsetHeight + 44");
      await tab.resize(options.width, height);
    }
    await tab.settle();
    const bytes = await tab.picture();
    writeFileSync(join(IMAGES, `${name}.png`), bytes);
    process.stdout.write(`docs/images/${name}.png ${Math.round(bytes.length / 1024)} KiB\n`);
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}
