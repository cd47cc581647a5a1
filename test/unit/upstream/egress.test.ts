// Where connections to servers may go. Addresses that must not be reached have a listener behind them, which stays silent.
import { lookup as resolveName } from "node:dns";
import { createServer } from "node:net";
import type { AddressInfo, Server } from "node:net";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { TransportEntry } from "#bundle";
import { createUpstreamFactory } from "#upstream";
import { createEgressGuard } from "../../../runtime/upstream/egress.ts";
import {
  LIMITS,
  MODERN,
  Recording,
  codeOf,
  legacyChannel,
  legacyRequest,
  modernRequest,
} from "./recording.ts";

vi.mock("node:dns", () => ({ lookup: vi.fn() }));

/** What the resolver answers, by name. */
const NAMES: Readonly<Record<string, readonly string[]>> = {
  "rebound.example": ["127.0.0.1"],
  "mixed.example": ["93.184.215.14", "10.0.0.7"],
  "mapped.example": ["::ffff:a9fe:a9fe"],
  "corp.example": ["10.1.2.3"],
  "cloud.example": ["169.254.169.254"],
  "public.example": ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"],
  localhost: ["127.0.0.1"],
};

function answer(
  host: string,
  _options: unknown,
  callback: (error: Error | null, found: unknown) => void,
): void {
  const found = NAMES[host] ?? [];
  callback(
    null,
    found.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
  );
}

function resolve(allow: readonly string[] | undefined, host: string): Promise<string> {
  const guard = createEgressGuard({ allow });
  return new Promise((settle) => {
    guard.lookup(host, { all: true }, (error, found) => {
      if (error !== null) settle(String("code" in error ? error.code : error));
      else settle(JSON.stringify(found));
    });
  });
}

let listener: Server;
let connections = 0;
let port: number;
beforeAll(async () => {
  vi.mocked(resolveName).mockImplementation(answer as never);
  listener = createServer((socket) => {
    connections += 1;
    socket.destroy();
  }).listen(0, "127.0.0.1");
  await new Promise((ready) => listener.once("listening", ready));
  port = (listener.address() as AddressInfo).port;
});
afterAll(() => void listener.close());

describe("names are judged by every address they have", () => {
  test.each([
    ["rebound.example", undefined],
    ["mixed.example", undefined],
    ["mapped.example", undefined],
    ["corp.example", undefined],
    ["corp.example", ["10.9.0.0/16"]],
    ["cloud.example", ["cloud.example"]],
    ["localhost", []],
    ["nowhere.example", undefined],
  ])("%s with %o is refused", async (host, allow) => {
    expect(await resolve(allow, host)).toBe("EGRESS_DENIED");
  });

  test.each([
    ["public.example", undefined],
    ["localhost", undefined],
    ["corp.example", ["10.0.0.0/8"]],
    ["corp.example", ["corp.example"]],
    ["cloud.example", ["169.254.0.0/16"]],
  ])("%s with %o is reached", async (host, allow) => {
    expect(await resolve(allow, host)).toContain(NAMES[host]?.[0]);
  });
});

describe("addresses that stand in the URL itself", () => {
  const refused = [
    "10.0.0.1",
    "169.254.169.254",
    "[fd00:ec2::254]",
    "[::ffff:a9fe:a9fe]",
    "[64:ff9b::a9fe:a9fe]",
    "[2002:a9fe:a9fe::]",
    "0.0.0.0",
    "100.100.100.200",
  ];
  test.each(refused)("%s is refused", (host) => {
    expect(() => createEgressGuard({}).requireLiteral(host)).toThrow(/egress.allow/u);
  });
  test("loopback is reached where nothing is named, and refused where something is", () => {
    expect(() => createEgressGuard({}).requireLiteral("127.0.0.1")).not.toThrow();
    expect(() => createEgressGuard({}).requireLiteral("[::1]")).not.toThrow();
    expect(() => createEgressGuard({ allow: ["10.0.0.0/8"] }).requireLiteral("127.0.0.1")).toThrow();
    expect(() => createEgressGuard({ allow: ["127.0.0.1"] }).requireLiteral("127.0.0.1")).not.toThrow();
  });
});

describe("no upstream connects", () => {
  const never = (): AbortSignal => AbortSignal.timeout(5_000);
  test.each<[string, string, readonly string[] | undefined]>([
    ["http", "rebound.example", undefined],
    ["sse", "rebound.example", undefined],
    ["ws", "rebound.example", undefined],
    ["http", "127.0.0.1", []],
    ["sse", "127.0.0.1", []],
    ["ws", "127.0.0.1", []],
  ])("%s to %s", async (kind, host, allow) => {
    const recording = new Recording();
    const create = createUpstreamFactory({
      programs: new Map(),
      events: recording.events,
      egress: { allow },
    });
    const transports: Readonly<Record<string, TransportEntry>> = {
      http: { type: "streamable-http", url: `http://${host}:${String(port)}/mcp` },
      sse: { type: "sse", url: `http://${host}:${String(port)}/sse` },
      ws: { type: "websocket", url: `ws://${host}:${String(port)}/` },
    };
    const transport = transports[kind];
    if (transport === undefined) throw new Error(kind);
    const upstream = create({ id: "s", eras: { modern: {}, legacy: {} } }, transport);
    const modern = upstream.request(MODERN, modernRequest("tools/list"), recording.observer, LIMITS, never());
    expect(await codeOf(modern)).toBe("EGRESS_DENIED");
    const legacy = upstream.request(
      legacyChannel(),
      legacyRequest("tools/list"),
      recording.observer,
      LIMITS,
      never(),
    );
    expect(await codeOf(legacy)).toMatch(/EGRESS_DENIED|UPSTREAM_UNAVAILABLE/u);
    await upstream.close();
    expect(connections).toBe(0);
  });
});

test("what is named is connected to", async () => {
  const recording = new Recording();
  const create = createUpstreamFactory({
    programs: new Map(),
    events: recording.events,
    egress: { allow: ["127.0.0.0/8"] },
  });
  const url = `http://rebound.example:${String(port)}/mcp`;
  const upstream = create({ id: "s", eras: { modern: {} } }, { type: "streamable-http", url });
  const signal = AbortSignal.timeout(5_000);
  const asked = upstream.request(MODERN, modernRequest("tools/list"), recording.observer, LIMITS, signal);
  expect(await codeOf(asked)).toBe("UPSTREAM_UNAVAILABLE");
  expect(connections).toBe(1);
  await upstream.close();
});
