// A plan as one HTML file for a browser: no request leaves it, nothing in it but its own style and script applies, and
// equal plans give equal bytes.
import { planDigest } from "#plan";
import type { Plan } from "#plan";
import { decisionsSection } from "./decisions-section.ts";
import { replaySection, searchSection, symbolicSection } from "./evidence-section.ts";
import { gatesSection } from "./gates-section.ts";
import { hashed, markup, markupText } from "./markup.ts";
import type { Markup } from "./markup.ts";
import { matrixSection } from "./matrix-section.ts";
import { PAGE_SCRIPT } from "./page-script.ts";
import { pageStyle } from "./page-style.ts";
import { indexSources, sourcesSection } from "./sources-section.ts";
import { structureSection } from "./structure-section.ts";
import { sidesOf, summarySection, verdictOf } from "./summary-section.ts";

interface Section {
  readonly id: string;
  readonly title: string;
  readonly content: Markup | undefined;
}

/**
 * The plan as one self-contained HTML file, to be read from a disk, a CI artifact or a server. It makes no request: its
 * content security policy allows its own style and script by hash and nothing else. All data is escaped, and characters
 * that cannot be seen are shown by code point. At most 2,000 stories and 20,000 characters of a value.
 */
export function renderPlanHtml(plan: Plan): string {
  const sections = sectionsOf(plan).filter(({ content }) => content !== undefined);
  const style = hashed("style", pageStyle());
  const script = hashed("script", PAGE_SCRIPT);
  const policy = `default-src 'none'; style-src ${style.source}; script-src ${script.source}; base-uri 'none'; form-action 'none'`;
  const page = markup`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${policy}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="referrer" content="no-referrer" />
        <meta name="robots" content="noindex" />
        <title>Policy plan: ${verdictOf(plan).sentence}</title>
        ${style.element} ${script.element}
      </head>
      <body>
        <a class="skip" href="#main">Skip to the content</a>
        <div class="wrap">
          <header class="top">
            <div class="crumbs">
              <h1 class="brand">${logo()}Policy plan</h1>
              ${sidesOf(plan)}
            </div>
            ${summarySection(plan)}
          </header>
          <nav class="bar" aria-label="Sections">
            <ul>
              ${sections.map(({ id, title }) => markup`<li><a href="#${id}">${title}</a></li>`)}
            </ul>
          </nav>
          <main id="main">${sections.map(({ content }) => content)}</main>
          ${footer(plan)}
        </div>
      </body>
    </html> `;
  return markupText(page);
}

function sectionsOf(plan: Plan): readonly Section[] {
  const sources = indexSources(plan);
  return [
    { id: "gates", title: "Gates", content: gatesSection(plan) },
    { id: "matrix", title: "Matrix", content: matrixSection(plan) },
    { id: "decisions", title: "Decisions", content: decisionsSection(plan, sources) },
    { id: "structure", title: "Structure", content: structureSection(plan) },
    { id: "search", title: "Search", content: searchSection(plan) },
    { id: "replay", title: "Replay", content: replaySection(plan) },
    { id: "symbolic", title: "Proof", content: symbolicSection(plan) },
    { id: "policies", title: "Policies", content: sourcesSection(plan) },
  ];
}

function logo(): Markup {
  return markup`<svg
    viewBox="0 0 24 24"
    fill="none"
    stroke="currentColor"
    stroke-width="2"
    stroke-linejoin="round"
    aria-hidden="true"
  >
    <path d="M12 2.5 4 5.6v5.9c0 4.8 3.3 8.3 8 10 4.7-1.7 8-5.2 8-10V5.6z" />
    <path d="m8.4 12 2.5 2.5 4.8-5" stroke-linecap="round" />
  </svg>`;
}

function footer(plan: Plan): Markup {
  return markup`<footer>
    <p>Base <code>${plan.base.digest}</code></p>
    <p>Head <code>${plan.head.digest}</code></p>
    <p>Plan <code>${planDigest(plan)}</code>, the sha-256 of its JSON form</p>
  </footer>`;
}
