// The MCP Inspector's command line as a client: what an administrator has at hand to look at an endpoint.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { DEVELOPER, EMPLOYEE, startWorld } from "./world.ts";
import type { Caller, World } from "./world.ts";

const INSPECTOR = join(import.meta.dirname, "..", "..", "node_modules", ".bin", "mcp-inspector");
const TIMEOUT_MS = 30_000;

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.stop());

interface Run {
  readonly exit: number;
  readonly out: string;
  readonly err: string;
}

async function inspect(caller: Caller, server: string, ...args: readonly string[]): Promise<Run> {
  const token = await world.token(caller, server);
  const command = [
    "--cli",
    world.endpoint(server).href,
    "--transport",
    "http",
    "--header",
    `Authorization: Bearer ${token}`,
    ...args,
  ];
  return new Promise((resolve) => {
    execFile(INSPECTOR, command, { timeout: TIMEOUT_MS, cwd: world.dir }, (fault, out, err) => {
      const exit = fault === null ? 0 : typeof fault.code === "number" ? fault.code : -1;
      resolve({ exit, out, err });
    });
  });
}

it("lists the tools a caller may reach", async () => {
  const run = await inspect(DEVELOPER, "sql-prod", "--method", "tools/list");
  expect(run).toMatchObject({ exit: 0 });
  const { tools } = JSON.parse(run.out) as { tools: { name: string }[] };
  expect(tools.map((tool) => tool.name)).toEqual(["sql.query"]);
});

it("calls a tool that is allowed", async () => {
  const before = await world.servers.calls("sql-prod");
  const call = ["--method", "tools/call", "--tool-name", "sql.query", "--tool-arg"];
  const run = await inspect(DEVELOPER, "sql-prod", ...call, "sql=SELECT name FROM customers WHERE id = 3");
  expect(run).toMatchObject({ exit: 0 });
  expect(run.out).toContain("Konrad Zuse");
  expect(await world.servers.calls("sql-prod")).toBe(before + 1);
});

it("shows why a call is denied", async () => {
  const before = await world.servers.calls("sql-prod");
  const call = [
    "--method",
    "tools/call",
    "--tool-name",
    "sql.query",
    "--tool-arg",
    "sql=drop table customers",
  ];
  const run = await inspect(DEVELOPER, "sql-prod", ...call);
  expect(run.exit).not.toBe(0);
  expect(run.out + run.err).toContain("Denied by policy");
  expect(await world.servers.calls("sql-prod")).toBe(before);
});

it("redacts for this client too", async () => {
  const call = ["--method", "tools/call", "--tool-name", "jira.search", "--tool-arg", "jql=OPS-17"];
  const run = await inspect(EMPLOYEE, "jira", ...call);
  expect(run.out).toContain("[redacted]");
  expect(run.out).not.toContain("grace.hopper@example.com");
});
