// Random well-typed policies. Each is written twice: as an author would, and in plain Cedar as the reference reads it.
import fc from "fast-check";

/** One pattern of the random policies with the path it searches. */
export interface Pattern {
  readonly path: readonly string[];
  readonly pattern: string;
}

export const PATTERNS: readonly Pattern[] = [
  { path: ["context", "arguments", "sql"], pattern: "(?i)^\\s*select" },
  { path: ["principal", "email"], pattern: "@example\\.org$" },
  { path: ["context", "target"], pattern: "^jira" },
  { path: ["resource", "tier"], pattern: "^prod" },
];

export interface Written {
  /** As an author writes it. */
  readonly source: string;
  /** The same meaning without `.matches`, methods as groups. */
  readonly reference: string;
}

function same(text: string): Written {
  return { source: text, reference: text };
}

function matches(index: number): Written {
  const { path, pattern } = PATTERNS[index] ?? { path: [], pattern: "" };
  const receiver = path.join(".");
  const literal = pattern.replaceAll("\\", "\\\\");
  return {
    source: `${receiver}.matches("${literal}")`,
    reference: `(${receiver} like "*" && context._m.p${String(index)})`,
  };
}

function combine(parts: readonly Written[], join: (texts: readonly string[]) => string): Written {
  return {
    source: join(parts.map((part) => part.source)),
    reference: join(parts.map((part) => part.reference)),
  };
}

const certain: readonly Written[] = [
  ...['context.primitive == "tool"', '"prompt" == context.primitive', 'context.target == "sql.query"'].map(
    same,
  ),
  ...['["jira.search", "triage"].contains(context.target)', 'context.server != "jira"'].map(same),
  ...['resource == Server::"sql-prod"', 'resource in [Server::"jira", Server::"sql-prod"]'].map(same),
  ...["resource is Server", 'resource.labels.contains("data")', 'resource.tier like "pro*"'].map(same),
  ...['action == Action::"tools/call:jira/jira.search"', 'action in [Action::"prompts/get"]'].map(same),
  { source: 'action == Action::"tools/call"', reference: 'action in Action::"tools/call"' },
  { source: 'action != Action::"resources/read"', reference: '!(action in Action::"resources/read")' },
  ...["principal.is_external", "principal.is_external == false", 'principal in Role::"Developer"'].map(same),
  ...['principal.email == "a@example.org"', 'principal.teams.containsAny(["core", "data"])'].map(same),
  ...[
    'principal has department && principal.department == "it"',
    "principal has level && principal.level > 2",
  ].map(same),
  ...["context has arguments", "true", "false"].map(same),
  // Overflows for a level above 1, which is an error and denies.
  same("principal has level && principal.level * 9007199254740991 * 9007199254740991 > 0"),
  ...[1, 2, 3].map(matches),
];

const ofSql: readonly Written[] = [
  ...['context.arguments.sql == "select 1"', 'context.arguments.sql like "drop*"'].map(same),
  ...["context.arguments has limit", "context.arguments has limit && context.arguments.limit < 10"].map(same),
  matches(0),
];
const ofJira: readonly Written[] = ["context.arguments.archived", 'context.arguments.jql == "a"'].map(same);
const ofEvery: readonly Written[] = [
  'context.extra.contains("zz")',
  '!(context.extra.containsAll(["zz"]))',
].map(same);

/** Reads arguments only where the target has them. */
function guarded(target: string, atom: Written): Written {
  return combine([atom], ([text = ""]) => `(context.target == "${target}" && (${text}))`);
}

const atom: fc.Arbitrary<Written> = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...certain) },
  { weight: 3, arbitrary: fc.constantFrom(...ofSql).map((item) => guarded("sql.query", item)) },
  { weight: 1, arbitrary: fc.constantFrom(...ofJira).map((item) => guarded("jira.search", item)) },
  { weight: 1, arbitrary: fc.constantFrom(...ofEvery) },
);

const expression: fc.Arbitrary<Written> = fc.letrec<{ readonly node: Written }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    atom,
    fc
      .array(tie("node"), { minLength: 2, maxLength: 6 })
      .map((items) => combine(items, (texts) => row(texts, "&&"))),
    fc
      .array(tie("node"), { minLength: 2, maxLength: 6 })
      .map((items) => combine(items, (texts) => row(texts, "||"))),
    tie("node").map((item) => combine([item], ([text = ""]) => `!(${text})`)),
    fc
      .tuple(tie("node"), tie("node"), tie("node"))
      .map((items) => combine(items, ([a = "", b = "", c = ""]) => `(if ${a} then ${b} else ${c})`)),
    fc
      .tuple(tie("node"), tie("node"))
      .map((items) => combine(items, ([a = "", b = ""]) => `((${a}) == (${b}))`)),
  ),
})).node;

function row(texts: readonly string[], operator: string): string {
  return `(${texts.map((text) => `(${text})`).join(` ${operator} `)})`;
}

const scopes: fc.Arbitrary<readonly [string, string, string, string]> = fc
  .tuple(
    fc.constantFrom(
      "principal",
      'principal in Role::"Developer"',
      'principal == User::"alice"',
      "principal is User",
    ),
    fc.constantFrom<readonly [string, string]>(
      ["action", "action"],
      ['action == Action::"tools/call"', 'action in Action::"tools/call"'],
      [
        'action in [Action::"tools/call:sql-prod/sql.query", Action::"prompts/get"]',
        'action in [Action::"tools/call:sql-prod/sql.query", Action::"prompts/get"]',
      ],
      ['action == Action::"tools/call:jira/jira.search"', 'action == Action::"tools/call:jira/jira.search"'],
    ),
    fc.constantFrom(
      "resource",
      "resource",
      'resource == Server::"sql-prod"',
      'resource in Server::"jira"',
      "resource is Server",
    ),
  )
  .map(([principal, [action, plainAction], resource]) => [principal, action, plainAction, resource]);

/** One policy: effect, scope and up to two conditions. */
export const policy: fc.Arbitrary<Written> = fc
  .record({
    effect: fc.constantFrom("permit", "permit", "forbid"),
    scope: scopes,
    conditions: fc.array(fc.tuple(fc.constantFrom("when", "unless"), expression), { maxLength: 2 }),
  })
  .map(({ effect, scope: [principal, action, plainAction, resource], conditions }) => {
    const clauses = (pick: (written: Written) => string): string =>
      conditions.map(([kind, body]) => `${kind} { ${pick(body)} }`).join(" ");
    return {
      source: `${effect} (${principal}, ${action}, ${resource}) ${clauses((item) => item.source)};`,
      reference: `${effect} (${principal}, ${plainAction}, ${resource}) ${clauses((item) => item.reference)};`,
    };
  });
