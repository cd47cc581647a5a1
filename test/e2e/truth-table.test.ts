// The committed truth table {Developer, Employee, external} × {SELECT, drop, jira.search, wire_transfer}, decided in
// four places: by `aegis test`, by `aegis explain`, by a live gateway and by one that decides with cedar-wasm alone. All
// agree in every cell.
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { EXIT, runCli } from "#cli";
import { compile, directoryWorkspace } from "#compiler";
import type { MatrixTest, TestCall, TestPrincipal } from "#compiler";
import type { DemoServerId } from "../../cli/demo/demo-servers.ts";
import { startGatewayWorld } from "./gateway-world.ts";
import type { GatewayWorld } from "./gateway-world.ts";
import { readAuditRecords } from "./audit-records.ts";
import { rawCall } from "./raw-call.ts";
import { TEMPLATE_DIR, startWorld } from "./world.ts";
import type { World } from "./world.ts";

const SUITE = "tests/access_test.yaml";
const PRINCIPALS = ["developer", "employee", "external"];
const CALLS = ["select", "drop", "jira-search", "wire-transfer"];
const ALLOWED = ["developer select", "developer jira-search", "employee jira-search", "external select"];

async function aegis(...args: readonly string[]): Promise<{ exit: number; out: string; err: string }> {
  let out = "";
  let err = "";
  const exit = await runCli(args, {
    out: (text) => void (out += text),
    err: (text) => void (err += text),
    colorOut: false,
    colorErr: false,
    showProgress: false,
    cwd: TEMPLATE_DIR,
    env: {},
  });
  return { exit, out, err };
}

interface Decided {
  readonly decision: "allow" | "deny";
  readonly reasons: readonly string[];
}

let world: World;
let cedarWorld: GatewayWorld;
let table: MatrixTest;

beforeAll(async () => {
  const { model } = await compile({ dir: TEMPLATE_DIR });
  const found = model.suites
    .find((suite) => suite.file === SUITE)
    ?.tests.find((test): test is MatrixTest => test.kind === "matrix");
  if (found === undefined) throw new Error(`no table in ${SUITE}`);
  table = found;
  world = await startWorld();
  const { transports, programs } = world.servers;
  cedarWorld = await startGatewayWorld({
    ...{ workspace: directoryWorkspace(TEMPLATE_DIR), transports, programs },
    gateway: { overrides: { decisions: { engine: "cedar-wasm" } } },
  });
});

afterAll(() => Promise.all([world.stop(), cedarWorld.stop()]));

function cell(principal: string, call: string): { caller: TestPrincipal; what: TestCall } {
  const caller = table.principals.find(({ name }) => name === principal);
  const what = table.calls.find(({ name }) => name === call);
  if (caller === undefined || what === undefined) throw new Error(`no cell ${principal} ${call}`);
  return { caller, what };
}

async function liveDecision(
  { gateway, ...live }: GatewayWorld,
  { facts }: TestPrincipal,
  call: TestCall,
): Promise<Decided> {
  const caller = {
    subject: facts.id,
    roles: facts.roles,
    isExternal: facts.attributes["is_external"] === true,
  };
  const token = await live.token(caller, call.server);
  const before = await world.servers.calls(call.server as DemoServerId);
  const answer = await rawCall(live.endpoint(call.server), token, call.target, call.arguments);
  const reached = (await world.servers.calls(call.server as DemoServerId)) - before;
  expect(reached).toBe(answer.error === undefined ? 1 : 0);
  const decisions = (await readAuditRecords(gateway.auditDir)).filter(
    ({ ev, body }) => ev === "decision" && body["target"] === call.action,
  );
  const last = decisions.at(-1)?.body;
  expect(last?.["effect"]).toBe(answer.error === undefined ? "allow" : "deny");
  return {
    decision: answer.error === undefined ? "allow" : "deny",
    reasons: last?.["policies"] as readonly string[],
  };
}

it("is the table that is committed", () => {
  expect(table.principals.map(({ name }) => name)).toEqual(PRINCIPALS);
  expect(table.calls.map(({ name }) => name)).toEqual(CALLS);
  expect(table.allow.map(({ principal, call }) => `${principal} ${call}`)).toEqual(ALLOWED);
});

describe.each(PRINCIPALS)("%s", (principal) => {
  it.each(CALLS)("%s: explain and the live gateways decide alike, for the same policies", async (call) => {
    const { caller, what } = cell(principal, call);
    const explained = await aegis(
      "explain",
      ".",
      "--principal",
      principal,
      "--call",
      call,
      "--format",
      "json",
    );
    expect(explained).toMatchObject({ exit: EXIT.ok, err: "" });
    const { decision, reasons } = JSON.parse(explained.out) as Decided;
    expect(await liveDecision(world, caller, what)).toEqual({ decision, reasons });
    expect(await liveDecision(cedarWorld, caller, what)).toEqual({ decision, reasons });
    expect(decision).toBe(ALLOWED.includes(`${principal} ${call}`) ? "allow" : "deny");
  });
});

describe("aegis test", () => {
  it("passes with the committed table", async () => {
    expect(await aegis("test", ".", "--filter", "access")).toMatchObject({ exit: EXIT.ok });
  });

  it("fails in every cell when the table says the opposite", async () => {
    const dir = await mkdtemp(join(tmpdir(), "aegis-table-"));
    try {
      await cp(TEMPLATE_DIR, dir, { recursive: true });
      const path = join(dir, SUITE);
      const text = await readFile(path, "utf8");
      const opposite = PRINCIPALS.flatMap((principal) =>
        CALLS.filter((call) => !ALLOWED.includes(`${principal} ${call}`)).map(
          (call) => `      - [${principal}, ${call}]`,
        ),
      );
      await writeFile(
        path,
        text.replace(/ {4}allow:\n(?: {6}- .*\n)+/, `    allow:\n${opposite.join("\n")}\n`),
      );
      const run = await aegis("test", dir, "--filter", "access", "--format", "json");
      expect(run.exit).toBe(EXIT.testsFailed);
      for (const principal of PRINCIPALS)
        for (const call of CALLS) expect(run.out).toContain(`${principal} calls ${call}`);
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });
});
