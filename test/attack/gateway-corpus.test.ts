// The attack corpora against a whole gateway: each case is answered as its file says, and none that is refused moves
// the upstream's call counter. The transport attacks also against the operator's port.
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startEchoWorld } from "../e2e/echo-world.ts";
import type { EchoWorld } from "../e2e/echo-world.ts";
import { DEVELOPER } from "../e2e/gateway-world.ts";
import { runCorpus } from "./run-corpus.ts";
import { runScripts } from "./run-scripts.ts";

const DATA = join(import.meta.dirname, "..", "data", "attack");
const TOOL = "echo";
const PATH = "/echo/mcp";
/** Host, Origin, target form, framing: what every HTTP port must refuse, whatever it serves. */
const TRANSPORT_CASES = /^T0[1-58]/;

let world: EchoWorld;
let token: string;

beforeAll(async () => {
  world = await startEchoWorld({ listen: { allowedOrigins: ["https://good.example"] } });
  token = await world.token(DEVELOPER, "echo");
});

afterAll(() => world.stop());

/** The gateway's endpoint, as a target of the corpus in this file. */
const targetOf = (file: string, offers: readonly string[]) => ({
  host: "127.0.0.1",
  port: Number(new URL(world.gateway.url).port),
  path: PATH,
  token,
  file: join(DATA, file),
  offers,
});

const CALL = { tool: TOOL, arguments: JSON.stringify({ text: "x" }) };

/** The scripts that a target with these offers is told to pass, and the ids of those that wait for another offer. */
async function scriptsAt(
  offers: readonly string[],
): Promise<{ readonly passed: number; readonly waiting: readonly string[] }> {
  const otherToken = await world.token({ ...DEVELOPER, subject: "mallory" }, "echo");
  const results = await runScripts({
    ...targetOf("scripts.yaml", [...offers, "streams", "slowTool", "otherToken"]),
    variables: { ...CALL, slowTool: "wait", otherToken },
  });
  expect(results.filter(({ outcome }) => outcome === "fail")).toEqual([]);
  return {
    passed: results.filter(({ outcome }) => outcome === "pass").length,
    waiting: results.filter(({ outcome }) => outcome === "not-applicable").map(({ id }) => id),
  };
}

describe.each(["http", "json"])("%s.yaml", (name) => {
  it("is answered as stated by the gateway, and what is refused never arrives", async () => {
    const before = world.echo.counters().total;
    const results = await runCorpus({
      ...targetOf(`${name}.yaml`, ["modern", "legacy", "goodOrigin", "routes", "paramHeaders"]),
      variables: { ...CALL, toolBase64: Buffer.from(TOOL).toString("base64"), paramTool: "regional" },
      upstreamCalls: () => world.echo.counters().total,
    });
    expect(results.filter((result) => result.outcome !== "pass")).toEqual([]);
    expect(results.length).toBeGreaterThan(50);
    // The well-formed cases of the file do arrive, so the counter is the right one.
    expect(world.echo.counters().total).toBeGreaterThan(before);
    expect(world.log.filter((line) => line.includes("fault"))).toEqual([]);
  });
});

describe.each(["http", "json"])("%s.yaml, towards a target of 2025-11-25 alone", (name) => {
  it("is answered as stated, in a session", async () => {
    const results = await runCorpus({
      ...targetOf(`${name}.yaml`, ["legacy", "goodOrigin", "routes"]),
      variables: CALL,
      upstreamCalls: () => world.echo.counters().total,
    });
    expect(results.filter(({ outcome }) => outcome === "fail")).toEqual([]);
    const waiting = results.filter(({ outcome }) => outcome === "not-applicable").map(({ id }) => id);
    // Headers that mirror the body, and the envelope: the modern era has them alone.
    expect(
      waiting.filter((id) => !/^(?:T00-modern|T06|T1[1-9]|T20-session|T35|J06-token)/u.test(id)),
    ).toEqual([]);
  });
});

/** They wait for limits; T25-unread is played where slow readers are tested. */
const PATIENT = ["T24-head", "T24-body", "T24-silent", "T25-unread"];

it("scripted attacks towards a target of 2025-11-25 alone end as stated", async () => {
  const { waiting } = await scriptsAt(["legacy"]);
  expect(waiting).toEqual([...PATIENT, "T31-collision", "T36-forged", "T38-task", "T38-undeclared"]);
});

it("scripted attacks end as stated", async () => {
  const { passed, waiting } = await scriptsAt(["modern", "legacy"]);
  expect(passed).toBeGreaterThan(15);
  expect(waiting).toEqual(PATIENT);
  // Mirrored arguments may be secrets: they are in no log line.
  expect(world.log.filter((line) => line.includes("mirrored-canary"))).toEqual([]);
});

it("transport attacks are refused by the operator's port, and none of them reloads", async () => {
  const lastAttempt = async (): Promise<number> => {
    const response = await fetch(`${world.gateway.adminUrl}/status`);
    return ((await response.json()) as { release: { lastAttemptMs: number } }).release.lastAttemptMs;
  };
  const results = await runCorpus({
    ...targetOf("http.yaml", ["modern"]),
    port: Number(new URL(world.gateway.adminUrl).port),
    path: "/-/reload",
    variables: { tool: TOOL, toolBase64: Buffer.from(TOOL).toString("base64") },
    upstreamCalls: lastAttempt,
  });
  const transport = results.filter(
    ({ id, outcome }) => TRANSPORT_CASES.test(id) && outcome !== "not-applicable",
  );
  expect(transport.filter((result) => result.outcome !== "pass")).toEqual([]);
  expect(transport.length).toBeGreaterThan(20);
});
