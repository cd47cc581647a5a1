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
