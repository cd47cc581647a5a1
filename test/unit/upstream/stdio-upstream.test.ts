// Upstreams over stdio: real processes, well behaved and otherwise.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { createProcessBudget, createUpstreamFactory } from "#upstream";
import type { ProgramEntry, ServerUpstream } from "#upstream";
import { LIMITS, MODERN, Recording, callTool, codeOf, legacyChannel, legacyRequest } from "./recording.ts";

const PROGRAM = join(import.meta.dirname, "programs", "scripted-stdio.ts");
const PATIENCE = { silenceMs: 100, answerMs: 400 };
const never = (): AbortSignal => new AbortController().signal;
const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Setup {
  readonly upstream: ServerUpstream;
  readonly recording: Recording;
  readonly stderr: string[];
  readonly clock: { nowMs: number };
}

function setUp(
  mode = "echo",
  program: Partial<ProgramEntry> = {},
  maxProcesses = 8,
  idleMs = 300_000,
): Setup {
  const recording = new Recording();
  const stderr: string[] = [];
  const clock = { nowMs: 0 };
  const entry: ProgramEntry = { command: process.execPath, args: [PROGRAM], ...program };
  const create = createUpstreamFactory({
    programs: new Map([["scripted", entry]]),
    events: recording.events,
    onStderr: (_server, text) => stderr.push(text),
    monotonicMs: () => clock.nowMs,
    budget: createProcessBudget(maxProcesses),
    idleMs,
    patience: PATIENCE,
  });
  const upstream = create(
    { id: "scripted", eras: { modern: {} } },
    { type: "stdio", program: "scripted", args: [mode] },
  );
  cleanups.push(upstream.close);
  return { upstream, recording, stderr, clock };
}

async function resultOf(setup: Setup, name: string, channel = MODERN): Promise<Record<string, unknown>> {
  const request = channel.era === "modern" ? callTool(name) : legacyRequest("tools/call", { name });
  const reply = await setup.upstream.request(channel, request, setup.recording.observer, LIMITS, never());
  if (reply.kind === "error") throw new Error(reply.error.message);
  return reply.result as Record<string, unknown>;
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

describe("processes", () => {
  test("one that nobody calls ends, without a back-off for the next call", async () => {
    const setup = setUp("echo", {}, 1, 20);
    const { pid } = await resultOf(setup, "pid");
    await setup.recording.until(() => setup.recording.closed.length > 0);
    expect(isAlive(pid as number)).toBe(false);
    expect(setup.upstream.describe().openChannels).toBe(0);
    expect((await resultOf(setup, "pid"))["pid"]).not.toBe(pid);
  });

  test("one that nobody waits for any more when it has started ends as well", async () => {
    const { upstream, recording } = setUp("echo", {}, 1, 20);
    const gone = new AbortController();
    const asked = upstream.request(MODERN, callTool("pid"), recording.observer, LIMITS, gone.signal);
    gone.abort();
    expect(await codeOf(asked)).toBe("EXCHANGE_ABORTED");
    expect(upstream.describe().openChannels).toBe(1);
    await expect.poll(() => upstream.describe().openChannels).toBe(0);
  });

  test("one that floods its stderr is read and mostly not heard", async () => {
    const setup = setUp();
    expect(await resultOf(setup, "stderr-flood")).toEqual({ ok: true });
    const heard = setup.stderr.reduce((sum, text) => sum + text.length, 0);
    expect(heard).toBeLessThanOrEqual(128 * 1024);
  });

  test("modern callers share one; each legacy session has its own", async () => {
    const setup = setUp();
    const modern = [await resultOf(setup, "pid"), await resultOf(setup, "pid")];
    const legacy = [
      await resultOf(setup, "pid", legacyChannel("a")),
      await resultOf(setup, "pid", legacyChannel("b")),
    ];
    expect(modern[0]).toEqual(modern[1]);
    expect(new Set([modern[0], ...legacy].map((result) => result?.["pid"])).size).toBe(3);
    expect(setup.upstream.describe().openChannels).toBe(3);
  });

  test("the environment is what the operator wrote and four inherited names; the bundle's arguments come last", async () => {
    vi.stubEnv("AEGIS_TEST_SECRET", "must not leak");
    const setup = setUp("echo", { env: { ALLOWED: "1" } });
    const { names, args } = await resultOf(setup, "environment");
    expect((names as string[]).filter((name) => !["PATH", "HOME", "LANG", "TMPDIR"].includes(name))).toEqual([
      "ALLOWED",
    ]);
    expect(args).toEqual(["echo"]);
  });

  test("the operating system holds a process to its limits", async () => {
    const limits = { memoryBytes: 2_147_483_648, openFiles: 128, cpuSeconds: 600 };
    const { pid } = await resultOf(setUp("echo", { limits }), "pid");
    const held = await readFile(`/proc/${String(pid)}/limits`, "utf8");
    expect(held).toMatch(/Max data size +2147483648 +2147483648/);
    expect(held).toMatch(/Max open files +128 +128/);
    expect(held).toMatch(/Max cpu time +600 +600/);
  });

  test.each([
    [
      "limits that may be why it ended",
      { limits: { memoryBytes: 67_108_864, openFiles: 128 } },
      /^the process ended \(SIG\w+\); it ran under limits.*: memoryBytes 67108864, openFiles 128$/,
    ],
    [
      "a program that is not there, under limits",
      { limits: { openFiles: 128 }, command: "/nonexistent/program" },
      /^the process ended \(exit code 127\), as where prlimit cannot run \/nonexistent\/program$/,
    ],
  ])("the fault names %s", async (_name, program, told) => {
    await expect(resultOf(setUp("echo", program), "pid")).rejects.toMatchObject({
      detail: expect.stringMatching(told) as unknown,
    });
  });

  test("shell characters in an argument are an argument", async () => {
    const { args } = await resultOf(setUp("echo; touch /tmp/aegis-owned $(id)"), "environment");
    expect(args).toEqual(["echo; touch /tmp/aegis-owned $(id)"]);
  });

  test("a program that does not exist is UPSTREAM_UNAVAILABLE; one that is not mapped cannot be created", async () => {
    const setup = setUp("echo", { command: "/nonexistent/program" });
    expect(await codeOf(resultOf(setup, "pid"))).toBe("UPSTREAM_UNAVAILABLE");
    const create = createUpstreamFactory({ programs: new Map(), events: setup.recording.events });
    expect(() => create({ id: "x", eras: {} }, { type: "stdio", program: "sh", args: ["-c", "id"] })).toThrow(
      /no executable is configured/,
    );
  });

  test("a working directory that does not exist is told as such, not as a program", async () => {
    for (const limits of [{}, { openFiles: 128 }])
      await expect(resultOf(setUp("echo", { cwd: "/nonexistent", limits }), "pid")).rejects.toMatchObject({
        detail: "the process could not be run: its cwd /nonexistent is not there, or no directory",
      });
  });

  test("the process budget refuses the next one, unsent", async () => {
    const setup = setUp("echo", {}, 1);
    await resultOf(setup, "pid");
    expect(await codeOf(resultOf(setup, "pid", legacyChannel("a")))).toBe("UPSTREAM_UNAVAILABLE");
    await setup.upstream.release(MODERN);
    expect(await resultOf(setup, "pid", legacyChannel("b"))).toHaveProperty("pid");
  });

  test("a crash fails what is under way and is reported; the next use starts a new process, later ones wait", async () => {
    const setup = setUp();
    const { pid } = await resultOf(setup, "pid");
    expect(await codeOf(resultOf(setup, "crash"))).toBe("UPSTREAM_UNAVAILABLE");
    expect(setup.recording.closed).toEqual([{ channel: MODERN, reason: "the process ended (exit code 9)" }]);
    const next = await resultOf(setup, "pid");
    expect(next["pid"]).not.toBe(pid);
  });

  test("a process that keeps ending is not started again before its back-off", async () => {
    const setup = setUp("dies-at-once");
    expect(await codeOf(resultOf(setup, "pid"))).toBe("UPSTREAM_UNAVAILABLE");
    expect(await codeOf(resultOf(setup, "pid"))).toBe("UPSTREAM_UNAVAILABLE");
    await expect(resultOf(setup, "pid")).rejects.toMatchObject({
      unsent: true,
      detail: expect.stringContaining("keeps ending") as unknown,
    });
    expect(setup.recording.closed).toHaveLength(2);
    setup.clock.nowMs = 10_000;
    await expect(resultOf(setup, "pid")).rejects.toMatchObject({ detail: "the process ended (exit code 3)" });
  });

  describe("the delay before the next start", () => {
    const LONG_MS = 60_000;

    /** Has the program started over and over by `attempt`; the delays, by a clock that moves in steps of 50 ms. */
    async function delaysMs(
      setup: Setup,
      attempt: () => Promise<unknown>,
      starts: number,
    ): Promise<number[]> {
      const startedAtMs: number[] = [];
      while (startedAtMs.length < starts) {
        const fault: unknown = await attempt().catch((error: unknown) => error);
        const detail = fault instanceof Error && "detail" in fault ? String(fault.detail) : "";
        if (detail.startsWith("the process ended")) startedAtMs.push(setup.clock.nowMs);
        else expect(detail).toContain("keeps ending");
        setup.clock.nowMs += 50;
      }
      return startedAtMs.slice(1).map((atMs, n) => atMs - (startedAtMs[n] ?? 0));
    }

    test("grows while it keeps ending, whether channels are released between", async () => {
      const setup = setUp("dies-at-once");
      const attempts: readonly (() => Promise<unknown>)[] = [
        () => resultOf(setup, "pid"),
        // What finds out whether the server is back.
        async () => {
          const channel = legacyChannel("contact");
          await setup.upstream.announce(channel, never()).finally(() => setup.upstream.release(channel));
        },
      ];
      for (const attempt of attempts) expect(await delaysMs(setup, attempt, 5)).toEqual([50, 200, 400, 800]);
      // Another session of the same program waits too.
      await expect(resultOf(setup, "pid", legacyChannel("another"))).rejects.toMatchObject({
        detail: expect.stringContaining("keeps ending") as unknown,
      });
    });

    test("grows where it answers initialize and ends", async () => {
      const setup = setUp("dies-initialized");
      const attempt = async (): Promise<never> => {
        const closed = setup.recording.closed.length;
        await setup.upstream.announce(legacyChannel(), never());
        await setup.recording.until(() => setup.recording.closed.length > closed);
        throw Object.assign(new Error(), { detail: setup.recording.closed.at(-1)?.reason });
      };
      expect(await delaysMs(setup, attempt, 4)).toEqual([50, 200, 400]);
    });

    test("starts anew after one that answered and lived, and only then", async () => {
      const setup = setUp();
      const crash = (): Promise<unknown> => resultOf(setup, "crash");
      expect(await delaysMs(setup, crash, 4)).toEqual([50, 200, 400]);
      setup.clock.nowMs += LONG_MS;
      await resultOf(setup, "pid");
      expect(await delaysMs(setup, crash, 2)).toEqual([1_600]);
      setup.clock.nowMs += LONG_MS;
      await resultOf(setup, "pid");
      setup.clock.nowMs += LONG_MS;
      expect(await delaysMs(setup, crash, 3)).toEqual([50, 200]);
    });

    test("of one client is not that of those that were served, where its name ends the process", async () => {
      const setup = setUp();
      await resultOf(setup, "pid", legacyChannel("known"));
      const info = { name: "deadly", version: "1" };
      const deadly = (session: string) => ({ ...legacyChannel(session), client: { capabilities: {}, info } });
      expect(await delaysMs(setup, () => resultOf(setup, "pid", deadly("a")), 4)).toEqual([50, 200, 400]);
      await expect(resultOf(setup, "pid", deadly("b"))).rejects.toMatchObject({
        detail: expect.stringContaining("keeps ending") as unknown,
      });
      expect(await resultOf(setup, "pid", legacyChannel("c"))).toHaveProperty("pid");
    });

    test("of one session is not that of others, where what it asked for ends its process", async () => {
      const setup = setUp();
      expect(await delaysMs(setup, () => resultOf(setup, "crash", legacyChannel("a")), 3)).toEqual([50, 200]);
      expect(await resultOf(setup, "pid", legacyChannel("b"))).toHaveProperty("pid");
    });
  });

  test.each(["echo", "ignores-signals"])("close leaves no process behind (%s)", async (mode) => {
    const setup = setUp(mode);
    const { pid } = await resultOf(setup, "pid");
    expect(isAlive(pid as number)).toBe(true);
    await setup.upstream.close();
    expect(isAlive(pid as number)).toBe(false);
    expect(setup.recording.closed).toEqual([]);
    expect(await codeOf(resultOf(setup, "pid"))).toBe("UPSTREAM_UNAVAILABLE");
  });

  test.each([
    ["shared", MODERN],
    ["a session's own", legacyChannel()],
  ])("one that hangs, %s, is ended, and the next call has a new one", async (_what, channel) => {
    const setup = setUp();
    const { upstream, recording } = setup;
    const { pid } = await resultOf(setup, "pid", channel);
    const call = (name: string, signal: AbortSignal): Promise<string> => {
      const request = channel.era === "modern" ? callTool(name) : legacyRequest("tools/call", { name });
      return codeOf(upstream.request(channel, request, recording.observer, LIMITS, signal));
    };
    const [given, waiting] = [call("hang", AbortSignal.timeout(50)), call("pid", never())];
    expect(await given).toBe("UPSTREAM_TIMEOUT");
    expect(await waiting).toBe("UPSTREAM_UNAVAILABLE");
    expect((await resultOf(setup, "pid", channel))["pid"]).not.toBe(pid);
    await expect.poll(() => isAlive(pid as number), { timeout: 10_000 }).toBe(false);
    expect(recording.closed).toHaveLength(1);
  });

  test("one whose tool is slow is asked whether it is there, and stays", async () => {
    const setup = setUp();
    const channel = legacyChannel();
    const { pid } = await resultOf(setup, "pid", channel);
    const request = legacyRequest("tools/call", { name: "slow" });
    const { observer } = setup.recording;
    expect(
      await codeOf(setup.upstream.request(channel, request, observer, LIMITS, AbortSignal.timeout(20))),
    ).toBe("UPSTREAM_TIMEOUT");
    await new Promise((resolve) => setTimeout(resolve, PATIENCE.answerMs * 2));
    expect((await resultOf(setup, "pid", channel))["pid"]).toBe(pid);
    expect(setup.recording.closed).toEqual([]);
  });

  test("stderr goes to the logger and means nothing", async () => {
    const setup = setUp();
    await resultOf(setup, "pid");
    await expect.poll(() => setup.stderr.join("")).toContain("started echo");
  });
});

describe("messages", () => {
  test("progress comes back with the caller's token", async () => {
    const { upstream, recording } = setUp();
    await upstream.request(
      MODERN,
      callTool("progress", {}, { progressToken: "mine" }),
      recording.observer,
      LIMITS,
      never(),
    );
    expect(recording.notifications).toEqual([
      { jsonrpc: "2.0", method: "notifications/progress", params: { progressToken: "mine", progress: 1 } },
    ]);
  });

  test("an abort sends notifications/cancelled and the process lives on", async () => {
    const setup = setUp();
    const channel = legacyChannel();
    const { pid } = await resultOf(setup, "pid", channel);
    const caller = new AbortController();
    const code = codeOf(
      setup.upstream.request(
        channel,
        legacyRequest("tools/call", { name: "slow" }),
        setup.recording.observer,
        LIMITS,
        caller.signal,
      ),
    );
    await resultOf(setup, "pid", channel);
    caller.abort();
    expect(await code).toBe("EXCHANGE_ABORTED");
    await setup.recording.until(() => setup.recording.channelNotifications.length === 1);
    expect(JSON.stringify(setup.recording.channelNotifications)).toMatch(/cancelled \d+/);
    expect((await resultOf(setup, "pid", channel))["pid"]).toBe(pid);
  });

  test("a legacy server request is answered on stdin", async () => {
    const setup = setUp();
    setup.recording.reply = { kind: "result", result: { roots: [] } };
    const { roots } = await resultOf(setup, "asks", legacyChannel());
    expect(JSON.parse(roots as string)).toEqual({ jsonrpc: "2.0", id: "srv-1", result: { roots: [] } });
  });

  test("a modern server request is dropped and reported", async () => {
    const { upstream, recording } = setUp();
    const caller = new AbortController();
    const code = codeOf(
      upstream.request(MODERN, callTool("asks"), recording.observer, LIMITS, caller.signal),
    );
    await recording.until(() => recording.violations.length === 1);
    expect(recording.violations[0]).toMatch(/^a server-initiated request/);
    caller.abort();
    expect(await code).toBe("EXCHANGE_ABORTED");
  });

  test("garbage lines and second answers are reported and change nothing", async () => {
    const setup = setUp();
    expect(await resultOf(setup, "garbage")).toEqual({ ok: true });
    expect(await resultOf(setup, "twice")).toEqual({ n: 1 });
    await setup.recording.until(() => setup.recording.violations.length === 3);
    expect(await resultOf(setup, "anything")).toEqual({ ok: true });
  });

  test("a flood of garbage stops the process", async () => {
    const setup = setUp();
    expect(await codeOf(resultOf(setup, "garbage-flood"))).toBe("UPSTREAM_UNAVAILABLE");
    expect(setup.recording.closed).toHaveLength(1);
  });

  test("an answer over the response cap fails its request alone; a line over the line cap ends the process", async () => {
    const setup = setUp();
    const small = { maxResponseBytes: 1_000 };
    const work = setup.upstream.request(MODERN, callTool("big"), setup.recording.observer, small, never());
    expect(await codeOf(work)).toBe("RESULT_TOO_LARGE");
    expect(await resultOf(setup, "pid")).toHaveProperty("pid");
    expect(await codeOf(resultOf(setup, "huge-line"))).toBe("RESULT_TOO_LARGE");
    await setup.recording.until(() => setup.recording.closed.length === 1);
  });
});
