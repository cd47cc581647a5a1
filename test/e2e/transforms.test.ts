// Each verb of `transforms` at a running gateway before a real MCP server.
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { TransportEntry } from "#bundle";
import type { ProgramEntry } from "#upstream";
import { openLegacy } from "./clients.ts";
import { DEVELOPER, startGatewayWorld } from "./gateway-world.ts";
import type { GatewayWorld } from "./gateway-world.ts";
import { grantingRepository, pinLive } from "./granting-repository.ts";

const ENTRY = join(
  import.meta.dirname,
  "../../node_modules/@modelcontextprotocol/server-everything/dist/index.js",
);
const programs: Readonly<Record<string, ProgramEntry>> = {
  everything: { command: process.execPath, args: [ENTRY, "stdio"] },
};
const POLICY = `
metadata: { name: transforms, reason: what leaves is transformed }
scope: { servers: [everything] }
transforms:
  echo: { detect: [{ path: $.response, detectors: [email, card, key] }] }
  get-sum: { replace: [{ path: $.request.b, value: 1 }] }
  get-structured-content: { hash: [$.response.conditions], redact: [$.response.humidity] }
  get-annotated-message: { truncate: [{ path: $.response, length: 7 }] }
  get-env: { remove: [$.response.PATH] }
  "prompt:args-prompt": { hash: [$.request.city] }
  "resource:demo://resource/dynamic/text/{resourceId}": { replace: [{ path: $.response, value: withheld }] }
`;

let world: GatewayWorld;
let client: Awaited<ReturnType<typeof openLegacy>>;

beforeAll(async () => {
  const transport: TransportEntry = { type: "stdio", program: "everything", args: [] };
  const pinned = await pinLive({ id: "everything", transport }, programs);
  world = await startGatewayWorld({
    workspace: grantingRepository([pinned], { "policies/transforms.yaml": POLICY }),
    transports: { everything: transport },
    programs,
  });
  client = await openLegacy(world.endpoint("everything"), await world.token(DEVELOPER, "everything"));
}, 60_000);

afterAll(async () => {
  await client.close();
  await world.stop();
});

async function call(name: string, args: Record<string, unknown> = {}): Promise<string> {
  return JSON.stringify(await client.callTool({ name, arguments: args }));
}

it("detects in prose, which stays", async () => {
  const message = "mail ada@example.com, card 4111 1111 1111 1111, key AKIAIOSFODNN7EXAMPLE";
  expect(await call("echo", { message })).toContain(
    "Echo: mail [redacted email], card [redacted card], key [redacted key]",
  );
});

it("replaces an argument before the call", async () => {
  expect(await call("get-sum", { a: 2, b: 40 })).toContain("is 3");
});

it("hashes equal values equally and redacts in every copy", async () => {
  const first = await call("get-structured-content", { location: "Chicago" });
  const [hash = ""] = /hmac:[\w-]{22}/u.exec(first) ?? [];
  expect(hash).not.toBe("");
  expect(first.split(hash)).toHaveLength(3);
  expect(first).toContain('"humidity":0');
  expect(await call("get-structured-content", { location: "Chicago" })).toBe(first);
});

it("truncates prose", async () => {
  const result = await client.callTool({
    name: "get-annotated-message",
    arguments: { messageType: "error" },
  });
  const [block] = result.content as readonly { readonly text?: string }[];
  expect(block?.text).toMatch(/^.{7}…$/u);
});

it("removes a member of JSON in text", async () => {
  const result = await call("get-env");
  expect(result).not.toContain('\\"PATH\\"');
  expect(result).not.toContain("[removed");
});

it("transforms the arguments of a prompt", async () => {
  const { messages } = await client.getPrompt({ name: "args-prompt", arguments: { city: "Berlin" } });
  expect(JSON.stringify(messages)).toMatch(/hmac:[\w-]{22}/u);
  expect(JSON.stringify(messages)).not.toContain("Berlin");
});

it("transforms the contents of a resource", async () => {
  const { contents } = await client.readResource({ uri: "demo://resource/dynamic/text/7" });
  expect(contents).toMatchObject([{ text: "withheld" }]);
});
