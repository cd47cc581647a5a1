// A program that cannot be run, that ends before it says anything, or that never says anything, is a server that cannot be reached.
import { expect, test } from "vitest";
import { createUpstreamFactory } from "#upstream";
import type { ChannelKey, ProgramEntry } from "#upstream";
import { guardUpstream } from "../../../runtime/snapshot/guarded-upstream.ts";
import { LIMITS, MODERN, Recording, callTool, codeOf, legacyChannel } from "../upstream/recording.ts";

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
