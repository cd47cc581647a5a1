// A program that cannot be run, that ends before it says anything, or that never says anything, is a server that cannot be reached.
import { join } from "node:path";
import { expect, test } from "vitest";
import { createUpstreamFactory } from "#upstream";
import type { ChannelKey, ProgramEntry } from "#upstream";
import { guardUpstream } from "../../../runtime/snapshot/guarded-upstream.ts";
import {
  LIMITS,
  MODERN,
  Recording,
  callTool,
  codeOf,
  legacyChannel,
  legacyRequest,
} from "../upstream/recording.ts";

const PROGRAMS: Readonly<Record<string, ProgramEntry>> = {
  missing: { command: "/nonexistent/program" },
  silent: { command: process.execPath, args: ["-e", "setInterval(() => undefined, 1_000)"] },
  ending: { command: process.execPath, args: ["-e", "process.exit(3)"] },
};
const CHANNELS: Readonly<Record<string, ChannelKey>> = { modern: MODERN, legacy: legacyChannel("own") };

test.each(Object.keys(PROGRAMS).flatMap((name) => Object.keys(CHANNELS).map((era) => [name, era] as const)))(
  "a program that is %s, %s",
  async (name, era) => {
    const program = PROGRAMS[name];
    const channel = CHANNELS[era];
    if (program === undefined || channel === undefined) throw new Error("no such case");
    const recording = new Recording();
    const create = createUpstreamFactory({ programs: new Map([["p", program]]), events: recording.events });
    const inner = create({ id: "s", eras: {} }, { type: "stdio", program: "p", args: [] });
    const check = {
      channel: channel.era === "modern" ? MODERN : legacyChannel("contact"),
      timeoutMs: name === "silent" ? 1_000 : 10_000,
    };
    const giveUpMs = name === "silent" ? 1_000 : 10_000;
    const { upstream, isReachable } = guardUpstream(inner, () => performance.now(), check);
    try {
      const call = (): Promise<unknown> =>
        upstream.request(
          channel,
          callTool("echo"),
          recording.observer,
          LIMITS,
          AbortSignal.timeout(giveUpMs),
        );
      expect(await codeOf(call())).toBe(name === "silent" ? "UPSTREAM_TIMEOUT" : "UPSTREAM_UNAVAILABLE");
      await expect.poll(isReachable, { timeout: 5_000 }).toBe(false);
      await expect.poll(async () => codeOf(call()), { timeout: 5_000 }).toBe("UPSTREAM_UNAVAILABLE");
      const startedMs = performance.now();
      expect(await codeOf(call())).toBe("UPSTREAM_UNAVAILABLE");
      expect(performance.now() - startedMs).toBeLessThan(50);
    } finally {
      await upstream.close();
    }
  },
);

test.each([
  ["one name", () => "deadly"],
  ["ever new names", (n: number) => `deadly ${String(n)}`],
])(
  "a client on whose name the program ends, with %s, has it started a few times only",
  async (_what, nameOf) => {
    const program = join(import.meta.dirname, "..", "upstream", "programs", "scripted-stdio.ts");
    const recording = new Recording();
    const starts: string[] = [];
    const create = createUpstreamFactory({
      programs: new Map([["p", { command: process.execPath, args: [program, "echo"] }]]),
      events: recording.events,
      onStderr: (_server, text) => starts.push(text),
    });
    const inner = create({ id: "s", eras: {} }, { type: "stdio", program: "p", args: [] });
    const check = { channel: legacyChannel("contact"), timeoutMs: 10_000 };
    const { upstream, isReachable } = guardUpstream(inner, () => performance.now(), check);
    const call = (channel: ChannelKey): Promise<string> => {
      const request = legacyRequest("tools/call", { name: "pid" });
      const signal = AbortSignal.timeout(10_000);
      return codeOf(upstream.request(channel, request, recording.observer, LIMITS, signal));
    };
    try {
      expect(await call(legacyChannel("honest"))).toBe("no error");
      for (let n = 0; n < 200; n++) {
        const client = { capabilities: {}, info: { name: nameOf(n), version: "1" } };
        const channel = { ...legacyChannel(`session ${String(n)}`), client };
        expect(await call(channel)).toBe("UPSTREAM_UNAVAILABLE");
        await upstream.release(channel);
      }
      // The first two ends cost no delay worth speaking of; each end may start one check.
      expect(starts.length).toBeLessThan(10);
      expect(isReachable()).toBe(true);
      expect(await call(legacyChannel("honest"))).toBe("no error");
      expect(await call(legacyChannel("another"))).toBe("no error");
    } finally {
      await upstream.close();
    }
  },
);
