// What a request may see: conditions on the request itself are decided, those on arguments hide nothing.
import { describe, expect, test } from "vitest";
import type { PrincipalFacts, RequestFacts } from "#bundle";
import { compile, memoryWorkspace } from "#compiler";
import { createCedarPdp, createEvaluator, UNKNOWN_REQUEST } from "#pdp";
import { baseFiles } from "./case-project.ts";

const SEARCH = "tools/call:jira/jira.search";
const CALLER: PrincipalFacts = {
  ...{ type: "User", id: "u", tenant: "default", roles: ["Developer"], groups: [] },
  attributes: { is_external: false },
};
const SCOPE = 'principal, action == Action::"tools/call:jira/jira.search", resource';
const PLAIN = UNKNOWN_REQUEST;
const MFA: RequestFacts = { ...PLAIN, auth: { ...PLAIN.auth, amr: ["mfa"] } };
const OFFICE: RequestFacts = { ...PLAIN, sourceIp: "10.1.2.3" };
const ELSEWHERE: RequestFacts = { ...PLAIN, sourceIp: "203.0.113.7" };

async function seen(cedar: string, requests: readonly RequestFacts[]): Promise<readonly boolean[]> {
  const files = baseFiles();
  files.set("policies/visibility.cedar", `${cedar}\n`);
  const { content, diagnostics } = await compile({ dir: "memory", workspace: memoryWorkspace(files) });
  expect(diagnostics.filter(({ severity }) => severity === "error")).toEqual([]);
  if (content === undefined) throw new Error("no content");
  const answers = await Promise.all(
    [undefined, createCedarPdp].map(async (createPdp) => {
      const evaluator = await createEvaluator(content, createPdp === undefined ? {} : { createPdp });
      try {
        // Each twice: nothing of one request may answer for another.
        return [...requests, ...requests].map((request) =>
          evaluator.visible("default", SEARCH, CALLER, request),
        );
      } finally {
        evaluator.dispose();
      }
    }),
  );
  const [first] = answers;
  expect(answers[1]).toEqual(first);
  expect(first?.slice(requests.length)).toEqual(first?.slice(0, requests.length));
  return first?.slice(0, requests.length) ?? [];
}

const PERMIT = `permit (${SCOPE});`;

describe("visibility", () => {
  test.each([
    [
      "a forbid without multi-factor authentication",
      `forbid (${SCOPE}) unless { context.auth.mfa };`,
      [PLAIN, MFA],
      [false, true],
    ],
    [
      "a forbid outside a network",
      `forbid (${SCOPE}) unless { context has sourceIp && context.sourceIp.isInRange(ip("10.0.0.0/8")) };`,
      [PLAIN, OFFICE, ELSEWHERE],
      [false, true, false],
    ],
    [
      "a forbid of a client",
      `forbid (${SCOPE}) when { context.client has name && context.client.name like "bad*" };`,
      [PLAIN, { ...PLAIN, client: { name: "bad one" } }],
      [true, false],
    ],
    [
      "a forbid by the clock",
      `forbid (${SCOPE}) when { context.now.toTime() < duration("1h") };`,
      [PLAIN, { ...PLAIN, nowMs: PLAIN.nowMs + 2 * 3_600_000 }],
      [false, true],
    ],
    [
      "a forbid of the request or of arguments",
      `forbid (${SCOPE}) when { !context.auth.mfa || context.arguments.jql == "x" };`,
      [PLAIN, MFA],
      [false, true],
    ],
    [
      "a forbid of the request and of arguments",
      `forbid (${SCOPE}) when { !context.auth.mfa && context.arguments.jql == "x" };`,
      [PLAIN, MFA],
      [true, true],
    ],
    [
      "a guard that stands beside an argument",
      `forbid (${SCOPE}) when { if context.auth has acr && context.arguments.jql == "x" then context.auth.acr == "low" else false };`,
      [PLAIN, MFA],
      [true, true],
    ],
  ] as const)("%s", async (_about, cedar, requests, expected) => {
    expect(await seen(`${PERMIT}\n${cedar}`, requests)).toEqual(expected);
  });

  test("a permit of the request", async () => {
    const cedar = `forbid (${SCOPE}) unless { context.auth.scopes.contains("search") };`;
    const scoped: RequestFacts = { ...PLAIN, auth: { ...PLAIN.auth, scopes: ["search"] } };
    expect(await seen(`${PERMIT}\n${cedar}`, [PLAIN, scoped])).toEqual([false, true]);
  });
});
