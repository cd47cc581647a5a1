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

describe.each(["http", "json"])("%s.yaml", (name) => {
  it("is answered as stated by the gateway, and what is refused never arrives", async () => {
    const before = world.echo.counters().total;
    const results = await runCorpus({
      host: "127.0.0.1",
      port: Number(new URL(world.gateway.url).port),
      path: PATH,
      token,
      file: join(DATA, `${name}.yaml`),
      variables: {
        tool: TOOL,
        toolBase64: Buffer.from(TOOL).toString("base64"),
        paramTool: "regional",
        arguments: JSON.stringify({ text: "x" }),
      },
      offers: ["modern", "legacy", "goodOrigin", "routes", "paramHeaders"],
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
      host: "127.0.0.1",
      port: Number(new URL(world.gateway.url).port),
      path: PATH,
      token,
      file: join(DATA, `${name}.yaml`),
      variables: { tool: TOOL, arguments: JSON.stringify({ text: "x" }) },
      offers: ["legacy", "goodOrigin", "routes"],
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

it("scripted attacks towards a target of 2025-11-25 alone end as stated", async () => {
  const results = await runScripts({
    host: "127.0.0.1",
    port: Number(new URL(world.gateway.url).port),
    path: PATH,
    token,
    file: join(DATA, "scripts.yaml"),
    variables: {
      tool: TOOL,
      arguments: JSON.stringify({ text: "x" }),
      slowTool: "wait",
      otherToken: await world.token({ ...DEVELOPER, subject: "mallory" }, "echo"),
    },
    offers: ["legacy", "streams", "slowTool", "otherToken"],
  });
  expect(results.filter(({ outcome }) => outcome === "fail")).toEqual([]);
  const waiting = results.filter(({ outcome }) => outcome === "not-applicable").map(({ id }) => id);
  const patient = ["T24-head", "T24-body", "T24-silent", "T25-unread"];
  expect(waiting).toEqual([...patient, "T31-collision", "T36-forged", "T38-task", "T38-undeclared"]);
});

it("scripted attacks end as stated", async () => {
  const results = await runScripts({
    host: "127.0.0.1",
    port: Number(new URL(world.gateway.url).port),
    path: PATH,
    token,
    file: join(DATA, "scripts.yaml"),
    variables: {
      tool: TOOL,
      arguments: JSON.stringify({ text: "x" }),
      slowTool: "wait",
      otherToken: await world.token({ ...DEVELOPER, subject: "mallory" }, "echo"),
    },
    offers: ["modern", "legacy", "streams", "slowTool", "otherToken"],
  });
  expect(results.filter(({ outcome }) => outcome === "fail")).toEqual([]);
  expect(results.filter(({ outcome }) => outcome === "pass").length).toBeGreaterThan(15);
  const waiting = results.filter(({ outcome }) => outcome === "not-applicable");
  expect(waiting.map(({ id }) => id)).toEqual(["T24-head", "T24-body", "T24-silent", "T25-unread"]);
  // Mirrored arguments may be secrets: they are in no log line.
  expect(world.log.filter((line) => line.includes("mirrored-canary"))).toEqual([]);
});

it("transport attacks are refused by the operator's port, and none of them reloads", async () => {
  const lastAttempt = async (): Promise<number> => {
    const response = await fetch(`${world.gateway.adminUrl}/status`);
    return ((await response.json()) as { release: { lastAttemptMs: number } }).release.lastAttemptMs;
  };
  const results = await runCorpus({
    host: "127.0.0.1",
    port: Number(new URL(world.gateway.adminUrl).port),
    path: "/-/reload",
    token,
    file: join(DATA, "http.yaml"),
    variables: { tool: TOOL, toolBase64: Buffer.from(TOOL).toString("base64") },
    offers: ["modern"],
    upstreamCalls: lastAttempt,
  });
  const transport = results.filter(
    ({ id, outcome }) => TRANSPORT_CASES.test(id) && outcome !== "not-applicable",
  );
  expect(transport.filter((result) => result.outcome !== "pass")).toEqual([]);
  expect(transport.length).toBeGreaterThan(20);
});
