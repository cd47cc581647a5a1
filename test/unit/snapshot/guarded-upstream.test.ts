// A server that cannot be reached costs its callers one failed connection now and then, not one each.
import { describe, expect, test } from "vitest";
import { AegisError } from "#errors";
import { UpstreamFault } from "#upstream";
import type { ServerUpstream } from "#upstream";
import { guardUpstream } from "../../../runtime/snapshot/guarded-upstream.ts";

const refused = (): Error =>
  new UpstreamFault("UPSTREAM_UNAVAILABLE", "the connection failed (ECONNREFUSED)", {
    unsent: true,
    cause: new Error("ECONNREFUSED"),
  });

function setUp() {
  const clock = { ms: 0 };
  const state: { attempts: number; fault: (() => Error) | undefined } = { attempts: 0, fault: undefined };
  const inner = {
    server: "s",
    request: () => {
      state.attempts += 1;
      return state.fault === undefined
        ? Promise.resolve({ kind: "result", result: {} })
        : Promise.reject(state.fault());
    },
  } as unknown as ServerUpstream;
  const { upstream, isReachable } = guardUpstream(inner, () => clock.ms);
  const call = async (): Promise<string> => {
    const never = new AbortController().signal;
    const request = { method: "x", params: undefined, paramHeaders: {} };
    try {
      await upstream.request({ era: "modern" }, request, {} as never, { maxResponseBytes: 1 }, never);
      return "result";
    } catch (fault) {
      return (fault as AegisError).code;
    }
  };
  return { clock, state, call, isReachable };
}

describe("a server that refuses connections", () => {
  test("is asked by three calls, then by one every two seconds", async () => {
    const { clock, state, call, isReachable } = setUp();
    expect(isReachable()).toBe(true);
    state.fault = refused;
    for (let attempt = 1; attempt <= 3; attempt++) {
      expect(await call()).toBe("UPSTREAM_UNAVAILABLE");
      expect(isReachable()).toBe(false);
    }
    expect(await call()).toBe("UPSTREAM_UNAVAILABLE");
    expect(state.attempts).toBe(3);
    clock.ms += 2_000;
    // Of many that come at once one tries.
    expect(new Set(await Promise.all(Array.from({ length: 20 }, call)))).toEqual(
      new Set(["UPSTREAM_UNAVAILABLE"]),
    );
    expect(state.attempts).toBe(4);
    clock.ms += 1_999;
    await call();
    expect(state.attempts).toBe(4);
  });

  test("is there again with the first call that gets through", async () => {
    const { clock, state, call, isReachable } = setUp();
    state.fault = refused;
    for (let attempt = 0; attempt < 3; attempt++) await call();
    state.fault = undefined;
    expect(await call()).toBe("UPSTREAM_UNAVAILABLE");
    clock.ms += 2_000;
    expect(await call()).toBe("result");
    expect(isReachable()).toBe(true);
    expect(await call()).toBe("result");
  });
});

test.each([
  [
    "an answer of status 503",
    new UpstreamFault("UPSTREAM_UNAVAILABLE", "x", { unsent: true, httpStatus: 503 }),
  ],
  ["too many calls of one caller", new UpstreamFault("UPSTREAM_UNAVAILABLE", "x", { unsent: true })],
  ["a connection that broke", new UpstreamFault("UPSTREAM_UNAVAILABLE", "x", { cause: new Error("reset") })],
  ["a caller that went away", new AegisError("EXCHANGE_ABORTED", "x")],
  ["a slow answer", new UpstreamFault("UPSTREAM_TIMEOUT", "x")],
])("%s closes the server to nobody", async (_what, fault) => {
  const { state, call, isReachable } = setUp();
  state.fault = () => fault;
  for (let attempt = 0; attempt < 10; attempt++) await call();
  expect(state.attempts).toBe(10);
  expect(isReachable()).toBe(true);
});

describe("a server that does not answer", () => {
  const timeout = (): Error => new AegisError("UPSTREAM_TIMEOUT", "silent");
  const settled = async (): Promise<void> => {
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
  };

  function hanging(announce: () => Promise<unknown>) {
    const clock = { ms: 0 };
    const state = { attempts: 0, checks: 0, fault: timeout as (() => Error) | undefined, takesMs: 30_000 };
    const inner = {
      server: "s",
      request: (...[, , observer]: Parameters<ServerUpstream["request"]>) => {
        state.attempts += 1;
        clock.ms += state.takesMs;
        if (state.fault === undefined) return Promise.resolve({ kind: "result", result: {} });
        if (state.takesMs === 1) observer.onNotification({ method: "notifications/progress" });
        return Promise.reject(state.fault());
      },
      announce: () => {
        state.checks += 1;
        return announce();
      },
    } as unknown as ServerUpstream;
    const channel = { era: "modern" } as const;
    const guarded = guardUpstream(inner, () => clock.ms, { channel, timeoutMs: 5_000 });
    const call = async (): Promise<string> => {
      const request = { method: "x", params: undefined, paramHeaders: {} };
      const observer = { onNotification: () => undefined } as never;
      const never = new AbortController().signal;
      return guarded.upstream.request(channel, request, observer, { maxResponseBytes: 1 }, never).then(
        () => "result",
        (fault: unknown) => (fault as AegisError).code,
      );
    };
    return { clock, state, call, isReachable: guarded.isReachable };
  }

  test("is marked after a call that ran out of time, and away once it leaves the gateway's own question unanswered", async () => {
    let isHung = true;
    const own = Promise.withResolvers<unknown>();
    const { clock, state, call, isReachable } = hanging(() => (isHung ? own.promise : Promise.resolve({})));
    expect(await call()).toBe("UPSTREAM_TIMEOUT");
    expect(isReachable()).toBe(false);
    // Calls that come meanwhile wait for what the question comes to, not for their own deadline.
    const waiting = [call(), call()];
    own.reject(new UpstreamFault("UPSTREAM_TIMEOUT", "silent"));
    expect(await Promise.all(waiting)).toEqual(["UPSTREAM_UNAVAILABLE", "UPSTREAM_UNAVAILABLE"]);
    expect(await call()).toBe("UPSTREAM_UNAVAILABLE");
    expect(state).toMatchObject({ attempts: 1, checks: 1 });
    isHung = false;
    state.fault = undefined;
    clock.ms += 2_000;
    expect(await call()).toBe("result");
    expect(isReachable()).toBe(true);
    expect(state.checks).toBe(2);
  });

  test.each([
    ["answers", () => Promise.resolve({})],
    ["refuses", () => Promise.reject(new UpstreamFault("UPSTREAM_UNAVAILABLE", "x", { httpStatus: 401 }))],
  ])(
    "a slow tool of a server that %s the gateway's own question closes it to nobody",
    async (_what, says) => {
      const { state, call, isReachable } = hanging(says);
      for (let attempt = 1; attempt <= 5; attempt++) {
        expect(await call()).toBe("UPSTREAM_TIMEOUT");
        await settled();
        expect(isReachable()).toBe(true);
      }
      expect(state.attempts).toBe(5);
    },
  );

  test("one that sent progress meanwhile is not even asked", async () => {
    const { state, call, isReachable } = hanging(() => Promise.reject(timeout()));
    state.takesMs = 1;
    expect(await call()).toBe("UPSTREAM_TIMEOUT");
    await settled();
    expect([state.checks, isReachable()]).toEqual([0, true]);
  });

  test("one that answers is asked again only after a while, whatever its callers run into", async () => {
    const ended = (): Error => new UpstreamFault("UPSTREAM_UNAVAILABLE", "exit", { gone: true });
    const { clock, state, call, isReachable } = hanging(() => Promise.resolve({}));
    Object.assign(state, { fault: ended, takesMs: 0 });
    for (let attempt = 1; attempt <= 5; attempt++) {
      await call();
      await settled();
    }
    expect(state).toMatchObject({ attempts: 5, checks: 1 });
    clock.ms += 2_000;
    await call();
    await settled();
    expect(state).toMatchObject({ attempts: 6, checks: 2 });
    expect(isReachable()).toBe(true);
  });

  test("a call that a delay refuses is no reason to ask", async () => {
    const refusal = { unsent: true, gone: true };
    const { state, call, isReachable } = hanging(() => Promise.resolve({}));
    state.fault = () => new UpstreamFault("UPSTREAM_UNAVAILABLE", "not yet", refusal);
    await call();
    await settled();
    expect([state.checks, isReachable()]).toEqual([0, true]);
  });

  test("one whose process keeps ending is away at once", async () => {
    const ended = (): Error => new UpstreamFault("UPSTREAM_UNAVAILABLE", "ENOENT", { gone: true });
    const { state, call, isReachable } = hanging(() => Promise.reject(ended()));
    state.fault = ended;
    expect(await call()).toBe("UPSTREAM_UNAVAILABLE");
    await settled();
    expect(isReachable()).toBe(false);
    await call();
    expect(state.attempts).toBe(1);
  });
});
