// Hostile YAML documents.
import { KIB, filled, policy, many, ALIAS_BOMB } from "./planting.ts";
import type { HostileRepository } from "./planting.ts";

export const HOSTILE_DOCUMENTS: readonly HostileRepository[] = [
  policy("open brackets", () => filled("["), "YAML_INVALID", true),
  policy("open braces", () => filled("{"), "YAML_INVALID"),
  policy("nested sequences", () => filled("- "), "YAML_INVALID"),
  policy("nested keys", () => filled("? "), "YAML_INVALID"),
  policy("nested maps", () => many(600, (level) => `${" ".repeat(level)}a:`), "YAML_INVALID"),
  policy("quotes", () => filled('"'), "YAML_INVALID"),
  policy("alias bomb", () => ALIAS_BOMB, "YAML_INVALID", true),
  policy("merge keys", () => "a: &a { x: 1 }\nb: { <<: *a }\n", "YAML_INVALID"),
  policy("merge key list", () => `a: { <<: [${filled("{x: 1}, ", 100 * KIB)}] }\n`, "YAML_INVALID"),
  policy("tags", () => "deny: !!js/function 'x'\n", "YAML_INVALID"),
  policy("huge flow", () => `deny: { tools: [${many(20_000, (index) => `t${index}`, ",")}] }\n`),
  policy(
    "4,000 unknown names",
    () => `deny:\n  tools:\n${many(4_000, (index) => `    - t${index}`)}\n`,
    "NAME_UNKNOWN",
    true,
  ),
  policy("duplicate keys", () => filled("deny: 1\n", 60_000), "YAML_INVALID"),
  policy("many keys", () => many(4_000, (index) => `k${index}: 1`), "DOCUMENT_UNKNOWN_KEY"),
  policy("prototype keys", () => "__proto__: { allow: 1 }\n", "YAML_INVALID"),
  policy("NUL", () => "deny: \u0000\n", "SOURCE_HIDDEN_CHARACTER"),
  policy("not UTF-8", () => new Uint8Array([0xff, 0xfe, 0x00, 0xd8]), "SOURCE_ENCODING", true),
  policy("17 MiB", () => "#".repeat(17 * KIB * KIB), "SOURCE_LIMIT", true),
  policy("257 KiB", () => "#".repeat(257 * KIB), "SOURCE_LIMIT"),
  policy("one long word", () => `# ${filled("x")}`),
  policy("token heads", () => `# ${filled("-eyJ")}`),
  policy("URL heads", () => `# ${filled("a.")}`),
  policy("key heads", () => `# ${filled("-----BEGIN A ")}`),
  policy("argument heads", () => `# ${filled("--token ")}`),
  policy("invisible characters", () => `# ${filled("\u200b", 80_000)}`, "SOURCE_HIDDEN_CHARACTER"),
  policy("mixed words", () => `# ${filled("a\u0430 ", 80_000)}`, "SOURCE_MIXED_SCRIPT"),
  policy(
    "regex bomb in a constraint",
    () =>
      'constraints: { jira.search: { arguments: { jql: { pattern: "(((a{1,1000}){1,1000}){1,1000})" } } } }\n',
    undefined,
    true,
  ),
  policy(
    "nested quantifiers",
    () => 'constraints: { jira.search: { arguments: { jql: { pattern: "^(((a+)+)+)+$" } } } }\n',
  ),
  policy(
    "9,000 choices",
    () =>
      `constraints: { jira.search: { arguments: { jql: { enum: [${many(9_000, (index) => `v${index}`, ",")}] } } } }\n`,
  ),
  policy(
    "9,000 hosts",
    () =>
      `constraints: { jira.search: { arguments: { jql: { host: [${many(9_000, (index) => `"*.h${index}.com"`, ",")}] } } } }\n`,
  ),
  policy(
    "9,000 tables",
    () => `constraints: { sql.query: { tables: [${many(9_000, (index) => `"t${index}*"`, ",")}] } }\n`,
  ),
  policy(
    "9,000 resource patterns",
    () =>
      `scope: { principals: any }\nallow: { resources: [${many(9_000, (index) => `"jira/jira://a${index}/**"`, ",")}] }\n`,
  ),
  policy(
    "patterns of stars",
    () => `scope: { principals: any }\nallow: { resources: ["jira/jira://${"*a".repeat(450)}"] }\n`,
  ),
  policy(
    "9,000 redactions",
    () =>
      `transforms: { jira.search: { redact: [${many(9_000, (index) => `"$.response.a${index}"`, ",")}] } }\n`,
  ),
  policy(
    "deep transform path",
    () => `transforms: { jira.search: { redact: ["$.response${".a".repeat(450)}"] } }\n`,
  ),
  policy(
    "transform path of stars",
    () => `transforms: { jira.search: { redact: ["$.response${".*".repeat(450)}"] } }\n`,
  ),
];
