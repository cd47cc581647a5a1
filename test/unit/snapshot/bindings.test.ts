// Upstreams that the snapshots of a gateway share, and the end of them all.
import { join } from "node:path";
import { expect, test } from "vitest";
import { createPinVerifier, createUpstreamFactory } from "#upstream";
import { systemClock } from "#std";
import { UpstreamBindings } from "../../../runtime/snapshot/bindings.ts";
import { LIMITS, MODERN, Recording, callTool } from "../upstream/recording.ts";

const PROGRAM = join(import.meta.dirname, "..", "upstream", "programs", "scripted-stdio.ts");
const STDIO = { type: "stdio", program: "scripted", args: ["ignores-signals"] } as const;

function createBindings(): UpstreamBindings {
  const createUpstream = createUpstreamFactory({
    programs: new Map([["scripted", { command: process.execPath, args: [PROGRAM] }]]),
    events: new Recording().events,
  });
  return new UpstreamBindings({
    createUpstream,
    createVerifier: (entry, upstream) =>
      createPinVerifier({ servers: [{ entry, upstream }], clock: systemClock, onAlarm: () => undefined }),
    onCloseFault: (fault) => expect.unreachable(String(fault)),
  });
}

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

test("closing all waits for the processes of upstreams that nobody holds any more, and of those in use", async () => {
  const bindings = createBindings();
  const server = { tier: "internal", labels: [], transports: {}, pinMaxAgeMs: 60_000, eras: {}, leaves: [] };
  const pids: number[] = [];
  const held = ["first", "second"].map((id) => bindings.acquire({ ...server, id }, STDIO));
  for (const { upstream } of held) {
    const signal = AbortSignal.timeout(10_000);
    const { observer } = new Recording();
    const reply = await upstream.request(MODERN, callTool("pid"), observer, LIMITS, signal);
    if (reply.kind === "result") pids.push(reply.result["pid"] as number);
  }
  expect(pids.map(isAlive)).toEqual([true, true]);
  held[0]?.release();
  expect(bindings.upstreams()).toHaveLength(1);
  await bindings.closeAll();
  expect(pids.map(isAlive)).toEqual([false, false]);
  held[1]?.release();
});
