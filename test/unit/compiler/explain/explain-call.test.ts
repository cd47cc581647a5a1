import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { BundleContent } from "#bundle";
import { compile } from "#compiler";
import type { CompileResult } from "#compiler";
import {
  AskError,
  explainCall,
  findCall,
  findCaller,
  findRequest,
  namedCall,
  renderExplanationText,
} from "#explain";
import type { Explanation } from "#explain";
import { UNKNOWN_REQUEST, createEvaluator } from "#pdp";
import { editedTemplate } from "../../../e2e/edited-template.ts";

const TEMPLATE = join(import.meta.dirname, "../../../../policy-repo-template");
const template = compile({ dir: TEMPLATE });

function contentOf(result: CompileResult): BundleContent {
  if (result.content === undefined) throw new Error(JSON.stringify(result.diagnostics));
  return result.content;
}

async function explain(principal: string, call: string): Promise<Explanation> {
  const result = await template;
  const caller = findCaller(principal, result.model.suites, result.model.attributes);
  const { action, arguments: args } = namedCall(result.model.suites, call);
  return explainCall(contentOf(result), { caller, action, arguments: args });
}

/** Explains a call of sql.query under one Cedar policy that takes the place of the template's. */
async function explainSql(policy: string, args: Explanation["call"]["arguments"]): Promise<Explanation> {
  const workspace = editedTemplate({
    "policies/sql-prod.cedar": () => policy,
    // Its last test names a policy of that file.
    "tests/access_test.yaml": (text) => text.slice(0, text.indexOf("  - name: external staff")),
  });
  const content = contentOf(await compile({ dir: "", workspace }));
  const caller = findCaller(
    '{"roles":["Developer"],"attrs":{"is_external":true}}',
    [],
    [{ name: "is_external", type: "Bool", required: true }],
  );
  return explainCall(content, { caller, action: "tools/call:sql-prod/sql.query", arguments: args });
}

function termsOf(explanation: Explanation, id: string): readonly string[] {
  const policy = explanation.policies.find((candidate) => candidate.id === id);
  return (policy?.clauses ?? []).flatMap(({ kind, terms }) =>
    terms.map(({ text, outcome }) => `${kind} ${outcome}: ${text}`),
  );
}

describe("the template's truth table", () => {
  const calls = ["select", "drop", "jira-search", "wire-transfer"];
  const cells = ["developer", "employee", "external"].flatMap((who) =>
    calls.map((call) => [who, call] as const),
  );
  test.each(cells)("%s %s is explained as it is decided", async (who, call) => {
    const explanation = await explain(who, call);
    const { vectors } = contentOf(await template).vectors;
    const vector = vectors.find(({ name }) => name.endsWith(`truth table: ${who} ${call}`));
    expect({ effect: explanation.decision, reasons: explanation.reasons }).toEqual(vector?.expect);
    const satisfied = explanation.policies.filter(({ outcome }) => outcome === "satisfied");
    const forbids = satisfied.filter(({ effect }) => effect === "forbid");
    const deciding = (forbids.length > 0 ? forbids : satisfied).map(({ id }) => id).sort();
    expect(deciding).toEqual(explanation.reasons);
  });
});

describe("terms", () => {
  test("a derived fact reads as it was written, and what follows a false term is not reached", async () => {
    const explanation = await explain("employee", "select");
    expect(termsOf(explanation, "policies/sql-prod.cedar#0")).toEqual([
      'scope false: principal in Role::"Developer"',
      'when not-reached: context.arguments.sql.matches("(?i)^\\\\s*SELECT\\\\s")',
    ]);
    expect(
      termsOf(await explain("developer", "drop"), "policies/baseline.yaml#/constraints/sql.query/operations"),
    ).toEqual([
      "unless false: context.arguments.sql.sql().ok",
      'unless not-reached: ["SELECT"].containsAll(context.arguments.sql.sql().operations)',
    ]);
  });

  test("rows of && stop at the first false term; an unless of || at the first true one", async () => {
    const policy = `permit (principal, action == Action::"tools/call", resource == Server::"sql-prod")
      when { context.target == "sql.query" && principal.is_external && context.arguments.sql == "x" && principal.is_external }
      unless { context.arguments.sql == "y" || principal.is_external };`;
    const explanation = await explainSql(policy, { sql: "z" });
    expect(termsOf(explanation, "policies/sql-prod.cedar#0")).toEqual([
      "when true: principal.is_external",
      'when false: context.arguments.sql == "x"',
      "when not-reached: principal.is_external",
      'unless not-reached: context.arguments.sql == "y"',
      "unless not-reached: principal.is_external",
    ]);
    const reached = await explainSql(policy, { sql: "x" });
    expect(termsOf(reached, "policies/sql-prod.cedar#0").slice(-2)).toEqual([
      'unless false: context.arguments.sql == "y"',
      "unless true: principal.is_external",
    ]);
    expect(reached.policies[0]?.outcome).toBe("not-satisfied");
  });

  test("an overflow is an error of its term and its policy, and denies", async () => {
    const policy = `permit (principal in Role::"Developer", action == Action::"tools/call", resource == Server::"sql-prod")
      when { context.extra.contains("a") || 9007199254740991 * (if principal.is_external then 9007199254740991 else 0) > 0 };`;
    const explanation = await explainSql(policy, { sql: "SELECT 1" });
    expect(explanation.decision).toBe("deny");
    expect(explanation.errors.map(({ policy: id }) => id)).toEqual(["policies/sql-prod.cedar#0"]);
    const [explained] = explanation.policies;
    expect(explained?.outcome).toBe("error");
    expect(explained?.clauses.map(({ outcome }) => outcome)).toEqual(["true", "error"]);
  });
});

describe("refusals", () => {
  test("arguments that the schema refuses, and a caller without a required attribute, never reach a policy", async () => {
    const result = await template;
    const action = "tools/call:sql-prod/sql.query";
    const caller = findCaller('{"roles":["Developer"]}', [], result.model.attributes);
    const invalid = await explainCall(contentOf(result), { caller, action, arguments: {} });
    expect(invalid.refusal?.code).toBe("ARGUMENTS_INVALID");
    expect(invalid.context).toBeUndefined();
    const missing = await explainCall(contentOf(result), { caller, action, arguments: { sql: "SELECT 1" } });
    expect(missing).toMatchObject({
      decision: "deny",
      refusal: { code: "PRINCIPAL_ATTRIBUTE_MISSING" },
      policies: [],
    });
    const text = renderExplanationText(missing, { color: false, printable: (value) => value });
    expect(text).toContain("the caller has no value for is_external, which identity.yaml requires");
  });
});

describe("what people type", () => {
  test.each([
    ["externl", "no principal of the tests is named", 'did you mean "external"?'],
    ['{"role":[]}', 'unknown member "role"', 'did you mean "roles"?'],
    ['{"attrs":{"is_externl":true}}', 'attribute "is_externl"', 'did you mean "is_external"?'],
    ['{"attrs":{"is_external":"yes"}}', "is_external must be of type Bool", undefined],
    ['{"roles":["Developr"]}', 'no role is named "Developr"', 'did you mean "Developer"?'],
    ['{"tenant":"defualt"}', 'no tenant is named "defualt"', 'did you mean "default"?'],
    ['{"roles":"Developer"}', "roles must be an array of strings", undefined],
    ["{id", "--principal is not JSON: Expected property name", undefined],
  ])("--principal %s", async (text, message, help) => {
    const { suites, attributes, roles } = (await template).model;
    const ask = (): unknown => findCaller(text, suites, attributes, roles, ["default"]);
    expect(ask).toThrow(AskError);
    expect(ask).toThrow(message);
    try {
      ask();
    } catch (fault) {
      expect(fault instanceof AskError ? fault.help : "").toBe(help);
    }
  });

  test("leaves by name, with the nearest one where there is none", async () => {
    const content = contentOf(await template);
    const find = (server: string, kind: "tool" | "resource" | "prompt", name: string): string =>
      findCall(content, { server, [kind]: name }).action;
    expect(find("jira", "resource", "jira://tickets/{key}")).toBe("resources/read:jira/jira://tickets/{key}");
    expect(find("jira", "prompt", "jira.summarise")).toBe("prompts/get:jira/jira.summarise");
    expect(() => find("jra", "tool", "jira.search")).toThrow('no server is named "jra"');
    expect(() => find("jira", "tool", "jira.serch")).toThrow('jira has no pinned tool named "jira.serch"');
  });

  test("calls of methods as tests write them", async () => {
    const content = contentOf(await template);
    const find = (shape: object): object => findCall(content, { server: "jira", ...shape });
    expect(find({ sampling: { maxTokens: 9, messages: [] } })).toMatchObject({
      action: "sampling/createMessage:jira",
      arguments: { maxTokens: 9, messageCount: 0 },
    });
    expect(find({ root: "file:///home" })).toMatchObject({ action: "roots/list:jira" });
    expect(find({ logging: "debug" })).toEqual({
      action: "logging/setLevel:jira",
      arguments: { level: "debug" },
    });
    expect(find({ task: "cancel" })).toMatchObject({ action: "tasks/cancel:jira" });
    expect(find({ resource: "jira://tickets/OPS-1" })).toEqual({
      action: "resources/read:jira/jira://tickets/{key}",
      arguments: { uri: "jira://tickets/OPS-1" },
    });
    expect(() => find({ resource: "jira://tickets/../x" })).toThrow("no URI in canonical form");
    expect(() => find({ sampling: { messages: 1 } })).toThrow("sampling: params.messages");
  });

  test("a request, over what the caller states", () => {
    const base = { ...UNKNOWN_REQUEST, sourceIp: "10.0.0.1" };
    const given = {
      now: "2026-02-01T00:00:00Z",
      client: { id: "ci" },
      auth: { amr: ["mfa"], tokenAge: "5m" },
    };
    const nowMs = Date.UTC(2026, 1, 1);
    expect(findRequest(given, base)).toEqual({
      ...base,
      nowMs,
      client: { id: "ci" },
      auth: { issuer: "", amr: ["mfa"], scopes: [], issuedAtMs: nowMs - 300_000 },
    });
    expect(findRequest({}, base)).toEqual(base);
    expect(() => findRequest({ sourceIP: "10.0.0.1" })).toThrow("sourceIP");
    expect(() => findRequest({ sourceIp: "10.0.0" })).toThrow("expected an IPv4 or IPv6 address");
    expect(() => findRequest({ auth: { tokenAge: "1y" } })).toThrow("--request");
  });

  test("request facts that policies read are shown, and who an agent of a tenant is", async () => {
    const workspace = editedTemplate({
      "policies/mfa.cedar": () =>
        'permit (principal is Agent, action == Action::"tools/call:jira/jira.search", resource) when { context.auth.mfa && context has sourceIp };',
    });
    const result = await compile({ dir: "", workspace });
    const caller = findCaller(
      '{"type":"Agent","id":"bot","attrs":{"is_external":false}}',
      [],
      result.model.attributes,
    );
    const request = findRequest({ sourceIp: "10.0.0.7", auth: { amr: ["mfa"] } });
    const call = findCall(contentOf(result), {
      server: "jira",
      tool: "jira.search",
      arguments: { jql: "x" },
    });
    const explanation = await explainCall(contentOf(result), { caller: { ...caller, request }, ...call });
    expect(explanation.decision).toBe("allow");
    const text = renderExplanationText(explanation, { color: false, printable: (shown) => shown });
    expect(text).toContain("caller     bot (agent; no roles");
    expect(text).toContain('context.sourceIp = ip("10.0.0.7")');
    expect(text).toContain('"mfa":true');
  });
});

test("the evaluator that explains is the gateway's", async () => {
  const content = contentOf(await template);
  const explanation = await explain("external", "wire-transfer");
  const evaluator = await createEvaluator(content);
  try {
    const result = await template;
    const { facts } = findCaller("external", result.model.suites, result.model.attributes);
    const { action, arguments: args } = explanation.call;
    const prepared = await evaluator.prepare({
      tenant: "default",
      action: action,
      arguments: args,
      principal: facts,
      request: UNKNOWN_REQUEST,
      signal: AbortSignal.timeout(5_000),
    });
    expect(prepared.ok && prepared.query.context).toEqual(explanation.context);
  } finally {
    evaluator.dispose();
  }
});
