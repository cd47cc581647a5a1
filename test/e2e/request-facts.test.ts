// What policies read of a request beside its arguments, at a running gateway: address, client, era, token. And methods
// that follow from a permit: completion and subscriptions can be forbidden. Clients of both SDK generations.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connectLegacy, connectModern, openLegacy, openModern } from "./clients.ts";
import { editedTemplate } from "./edited-template.ts";
import { rawRequest } from "./raw-call.ts";
import { DEVELOPER, EMPLOYEE, startWorld } from "./world.ts";
import type { World } from "./world.ts";

const GRANTS = {
  "policies/jira.yaml": (text: string): string =>
    text.replace(
      'tools: ["jira.search"]',
      [
        'tools: ["jira.search"]',
        '  resources: ["jira/jira://projects/*", "jira/jira://tickets/OPS-*", "jira/file:///shared/**"]',
        '  prompts: ["jira.summarise"]',
      ].join("\n"),
    ),
};

function repository(cedar: string): ReturnType<typeof editedTemplate> {
  return editedTemplate({ ...GRANTS, "policies/finance.cedar": (text) => `${text}\n${cedar}\n` });
}

let world: World;

beforeAll(async () => {
  world = await startWorld({ workspace: repository("") });
});

afterAll(() => world.stop());

async function searchAs(sdk: "1.x" | "2.x"): Promise<string> {
  const connect = sdk === "1.x" ? connectLegacy : connectModern;
  const client = await connect(world.endpoint("jira"), await world.token(EMPLOYEE, "jira"));
  try {
    const outcome = await client.callTool("jira.search", { jql: "project = OPS" });
    return outcome.kind === "result" ? "allowed" : String(outcome.data?.["code"]);
  } finally {
    await client.close();
  }
}

const FORBID = 'forbid (principal, action == Action::"tools/call", resource)';

describe("request facts", () => {
  it.each([
    [
      "the address of the peer",
      `${FORBID} when { context has sourceIp && context.sourceIp.isLoopback() };`,
      [],
      [],
    ],
    [
      "an address that is not the peer's",
      `${FORBID} unless { context has sourceIp && context.sourceIp.isInRange(ip("10.0.0.0/8")) };`,
      [],
      [],
    ],
    [
      "the name a client gives itself",
      `${FORBID} when { context.client has name && context.client.name == "aegis-test" };`,
      [],
      [],
    ],
    [
      "another name",
      `${FORBID} when { context.client has name && context.client.name == "other" };`,
      ["1.x", "2.x"],
      [],
    ],
    ["the era", `${FORBID} when { context.protocol.era == "legacy" };`, ["2.x"], []],
    ["the revision", `${FORBID} when { context.protocol.version like "2026-*" };`, ["1.x"], []],
    [
      "the age of the token",
      `${FORBID} when { context.auth.tokenAge > duration("1h") || context.auth.tokenAge < duration("-1m") };`,
      ["1.x", "2.x"],
      [],
    ],
    ["multi-factor authentication", `${FORBID} unless { context.auth.mfa };`, [], []],
    ["the clock", `${FORBID} when { context.now < datetime("2020-01-01") };`, ["1.x", "2.x"], []],
  ])("%s", async (_about, cedar, allowed) => {
    await world.release(repository(cedar));
    const outcomes = { "1.x": await searchAs("1.x"), "2.x": await searchAs("2.x") };
    for (const sdk of ["1.x", "2.x"] as const) {
      expect([sdk, outcomes[sdk]]).toEqual([
        sdk,
        (allowed as readonly string[]).includes(sdk) ? "allowed" : "POLICY_DENIED",
      ]);
    }
  });
});

describe("resources by pattern", () => {
  async function read(uri: string): Promise<string> {
    const token = await world.token(EMPLOYEE, "jira");
    const answer = await rawRequest(world.endpoint("jira"), {
      method: "resources/read",
      params: { uri },
      name: uri,
      token,
    });
    return answer.error === undefined ? "read" : String(answer.error.data?.code ?? answer.error.code);
  }

  it("reads what the patterns cover, in one spelling", async () => {
    await world.release(
      repository(
        'forbid (principal, action == Action::"resources/read", resource) when { context.arguments.uri like "file:///shared/keys/*" };',
      ),
    );
    expect(await read("jira://tickets/OPS-17")).toBe("read");
    expect(await read("jira://tickets/SEC-1")).toBe("POLICY_DENIED");
    expect(await read("file:///shared/keys/id")).toBe("POLICY_DENIED");
    expect(await read("file:///shared/%6Beys/id")).toBe("TARGET_UNKNOWN");
    expect(await read("file:///shared/a/../keys/id")).toBe("TARGET_UNKNOWN");
    expect(await read("file:///etc/passwd")).toBe("TARGET_UNKNOWN");
    // Permitted and sent on: the server has no such resource.
    expect(await read("file:///shared/readme.md")).not.toMatch(/POLICY_DENIED|TARGET_UNKNOWN/u);
  });
});

describe("methods that follow from a permit", () => {
  it("completes and subscribes, until a policy forbids the method", async () => {
    const complete = async (): Promise<string> => {
      const client = await openModern(world.endpoint("jira"), await world.token(EMPLOYEE, "jira"));
      const ref = { type: "ref/prompt" as const, name: "jira.summarise" };
      try {
        await client.complete({ ref, argument: { name: "key", value: "O" } });
        return "completed";
      } catch (fault) {
        return String((fault as { data?: { code?: string } }).data?.code ?? (fault as Error).message);
      } finally {
        await client.close();
      }
    };
    const subscribe = async (): Promise<string> => {
      const client = await openLegacy(world.endpoint("jira"), await world.token(DEVELOPER, "jira"));
      try {
        await client.subscribeResource({ uri: "jira://projects/OPS" });
        return "subscribed";
      } catch (fault) {
        return String((fault as { data?: { code?: string } }).data?.code ?? (fault as Error).message);
      } finally {
        await client.close();
      }
    };
    await world.release(repository(""));
    expect(await complete()).not.toBe("POLICY_DENIED");
    expect(await subscribe()).not.toBe("POLICY_DENIED");
    await world.release(
      repository(
        'forbid (principal, action in [Action::"completion/complete", Action::"resources/subscribe"], resource);',
      ),
    );
    expect(await complete()).toBe("POLICY_DENIED");
    expect(await subscribe()).toBe("POLICY_DENIED");
    // What a forbid of the request denies whatever the arguments, it denies to a completion of it.
    const targets = '[Action::"resources/read", Action::"prompts/get"]';
    await world.release(
      repository(`forbid (principal, action in ${targets}, resource) unless { context.auth.mfa };`),
    );
    expect(await complete()).toBe("POLICY_DENIED");
  });
});
