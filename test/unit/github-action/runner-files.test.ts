// The formats a runner reads: commands, outputs, Markdown.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { outputFile } from "../../../github-action/step-outputs.ts";
import { cutMarkdown, escapeMarkdown } from "../../../github-action/step-summary.ts";
import { annotationLine, annotationLines, logBlock } from "../../../github-action/workflow-commands.ts";
import { commandsOf, parseOutputs } from "./action-fixture.ts";

const SEED = { seed: 20260101, numRuns: 200 };
const line = fc.string({ unit: "binary", maxLength: 40 });
const nasty = fc.oneof(
  line,
  fc.constantFrom("::error::x", "%0A::warning::y", "a,b:c", "##[error]z", "\n::endgroup::\n"),
);

describe("workflow commands", () => {
  it("escapes what separates properties and lines", () => {
    expect(
      annotationLine({
        level: "error",
        title: "A:B,C%",
        message: "50%\r\nof it: a, b",
        file: "a,b:c%.yaml",
        line: 3,
        column: 7,
        endLine: 3,
        endColumn: 9,
      }),
    ).toBe(
      "::error file=a%2Cb%3Ac%25.yaml,line=3,endLine=3,col=7,endColumn=9,title=A%3AB%2CC%25::50%25%0D%0Aof it: a, b\n",
    );
  });

  it("names no column where the span has several lines", () => {
    const text = annotationLine({
      level: "warning",
      title: "T",
      message: "m",
      file: "f",
      line: 1,
      column: 2,
      endLine: 3,
    });
    expect(text).toBe("::warning file=f,line=1,endLine=3,title=T::m\n");
  });

  it("keeps any message on one line and any log text out of the commands", () => {
    fc.assert(
      fc.property(nasty, nasty, nasty, (title, message, text) => {
        const command = annotationLine({ level: "error", title, message, file: title, line: 1 });
        expect(command.match(/[\r\n]/gu)).toEqual(["\n"]);
        expect(command.indexOf("::", 2)).toBe(command.indexOf("::", command.indexOf("title=")));
        const names = commandsOf(logBlock(title, text)).map((entry) => /^::([\w-]+)/u.exec(entry)?.[1]);
        expect(names).toEqual(["group", "stop-commands", "endgroup"]);
      }),
      SEED,
    );
  });

  it("hides what GitHub would drop, and counts it", () => {
    const many = (level: "error" | "warning", amount: number) =>
      Array.from({ length: amount }, (_, index) => ({ level, title: "T", message: String(index) }));
    const text = annotationLines([
      ...many("warning", 11),
      ...many("error", 13),
      { level: "notice", title: "N", message: "n" },
    ]);
    const lines = text.trimEnd().split("\n");
    expect(lines.slice(0, 10).every((entry) => entry.startsWith("::error"))).toBe(true);
    expect(lines.slice(10, 20).every((entry) => entry.startsWith("::warning"))).toBe(true);
    expect(lines[20]).toContain("3 more errors and 1 more warning not shown here");
    expect(lines).toHaveLength(22);
  });
});

describe("outputs", () => {
  it("come back as they went in, whatever is in them", () => {
    fc.assert(
      fc.property(fc.array(nasty, { maxLength: 4 }), (values) => {
        const outputs = new Map(values.map((value, index) => [`name-${index}`, value.replaceAll("\r", "")]));
        expect(parseOutputs(outputFile(outputs))).toEqual(outputs);
      }),
      SEED,
    );
  });
});

describe("Markdown", () => {
  it("is text, whatever an author writes", () => {
    expect(escapeMarkdown("a|b\n<img src=x> [l](http://x) `c` @team #1 **b** \u202e")).toBe(
      "a\\|b &lt;img src=x&gt; \\[l\\]\\(http://x\\) \\`c\\` &#64;team \\#1 \\*\\*b\\*\\* \ufffd",
    );
  });

  it("is cut at a line, with its folds closed, within the cap", () => {
    const text = `<details>\n\n\`\`\`\n${"é line\n".repeat(1_000)}\`\`\`\n</details>\n`;
    const cut = cutMarkdown(text, 2_000);
    expect(Buffer.byteLength(cut)).toBeLessThan(2_300);
    expect(cut.split("```").length % 2).toBe(1);
    expect(cut.split("<details").length).toBe(cut.split("</details>").length);
    expect(cut).toContain("_Cut here");
    expect(cut).not.toContain("\ufffd");
    expect(cutMarkdown("short\n", 2_000)).toBe("short\n");
  });
});
