// `aegis fmt`: order, header, comments; idempotent; meaning never changes.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { formatDocument } from "#compiler";

const TEMPLATE = join(import.meta.dirname, "../../../../policy-repo-template");

function formatted(file: string, text: string, header: "add" | "keep" = "keep"): string {
  const result = formatDocument(file, text, { header });
  expect(result.ok).toBe(true);
  return result.ok ? result.text : "";
}

test("the template is formatted", () => {
  const files = (readdirSync(TEMPLATE, { recursive: true }) as string[]).filter((file) =>
    /\.(?:yaml|cedar)$/u.test(file),
  );
  expect(files.length).toBeGreaterThan(10);
  for (const file of files) {
    const text = readFileSync(join(TEMPLATE, file), "utf8");
    expect(formatted(file, text), file).toBe(text);
  }
});

describe("YAML", () => {
  test("keys take the order of the schema, comments move with them, the header can be added", () => {
    const text = `# about this file

# why these constraints
constraints:\x20\x20
  sql.query: { operations: [SELECT] } # reads only
deny: {tools: [a]}
policy: { evaluator: cedar }
`;
    expect(formatted("policies/x.yaml", text, "add")).toBe(`# about this file

apiVersion: aegis.dev/v1
kind: Policy
policy: { evaluator: cedar }
deny: { tools: [ a ] }
# why these constraints
constraints:
  sql.query: { operations: [ SELECT ] } # reads only
`);
  });

  test("layout that is in order stays the author's own", () => {
    const text = "deny: {tools: [ a,b ]}\nallow:\n    tools:\n    - c\n";
    expect(formatted("policies/x.yaml", text)).toBe(text);
    expect(formatted("policies/x.yaml", text.replaceAll("\n", " \r\n"))).toBe(text);
  });

  test("blanks that belong to a value stay", () => {
    const text = "metadata:\n  description: |\n    two trailing blanks  \n    end\n";
    expect(formatted("policies/x.yaml", text)).toBe(text);
  });

  test("a faulty document is reported, not rewritten", () => {
    expect(formatDocument("policies/x.yaml", "deny: [\n")).toMatchObject({
      ok: false,
      diagnostics: [{ code: "YAML_INVALID", file: "policies/x.yaml" }],
    });
  });

  test("pins and files that are no documents are left alone", () => {
    for (const file of ["registry/pins/a.json", "README.md", "policies/notes.txt"]) {
      expect(formatted(file, "{ }  \n")).toBe("{ }  \n");
    }
  });

  test("twice is once, and the value stays, whatever the order of keys", () => {
    const sections = [
      "policy: { failMode: closed, evaluator: cedar }",
      'deny:\n  # never\n  tools: ["a", b]',
      "allow: { tools: [c] } # yes",
      "constraints:\n  c:\n    arguments: { x: { max: 3, min: 1 } }\n    operations: [SELECT]",
      "metadata:\n  reason: >-\n    folded\n    text\n  name: n",
      "# note\ntransforms:\n\n  c: { redact: [$.response.a] }",
    ];
    const documents = fc.shuffledSubarray(sections).map((parts) => `${parts.join("\n")}\n`);
    fc.assert(
      fc.property(documents, fc.constantFrom("add" as const, "keep" as const), (text, header) => {
        const once = formatted("policies/x.yaml", text, header);
        expect(formatted("policies/x.yaml", once, header)).toBe(once);
        const {
          apiVersion: _apiVersion,
          kind: _kind,
          ...value
        } = (parse(once) ?? {}) as Record<string, unknown>;
        expect(value).toEqual(parse(text) ?? {});
        for (const comment of text.match(/# \w+/gu) ?? []) expect(once).toContain(comment);
      }),
      { numRuns: 150, seed: 7 },
    );
  });
});

describe("Cedar", () => {
  test("is formatted with .matches in place", () => {
    const text = 'permit(principal,action,resource) when {context.target.matches("a")};';
    const once = formatted("policies/p.cedar", text);
    expect(once).toContain('context.target.matches("a")');
    expect(formatted("policies/p.cedar", once)).toBe(once);
  });

  test("a syntax error has its place", () => {
    expect(formatDocument("policies/p.cedar", "permit(principal;\n")).toMatchObject({
      ok: false,
      diagnostics: [{ code: "CEDAR_SYNTAX", file: "policies/p.cedar", line: 1 }],
    });
  });
});
