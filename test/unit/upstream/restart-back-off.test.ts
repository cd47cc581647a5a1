import { describe, expect, test } from "vitest";
import { createHandshakeDelays } from "../../../runtime/upstream/restart-back-off.ts";
import { UPSTREAM_CAPS } from "../../../runtime/upstream/upstream-caps.ts";

function setUp() {
  const clock = { ms: 0 };
  const delays = createHandshakeDelays(() => clock.ms);
  return {
    clock,
    isDue: (handshake: string): boolean => delays(handshake).isDue(),
    /** Opened, and answered. */
    serve: (handshake: string) => {
      const attempt = delays(handshake).begin();
      attempt.greeted();
      attempt.answered();
      return attempt;
    },
    fail: (handshake: string, times: number): void => {
      for (let n = 0; n < times; n++) delays(handshake).begin().failed();
    },
  };
}

describe("the delay of a handshake", () => {
  test("that was never answered is that of all such handshakes", () => {
    const { fail, isDue } = setUp();
    fail("first", 1);
    fail("second", 1);
    expect([isDue("first"), isDue("second"), isDue("third")]).toEqual([false, false, false]);
  });

  test("that was answered is its own", () => {
    const { serve, fail, isDue } = setUp();
    serve("known");
    fail("deadly", 4);
    expect([isDue("known"), isDue("deadly")]).toEqual([true, false]);
    serve("other");
    fail("known", 2);
    expect([isDue("known"), isDue("other")]).toEqual([false, true]);
  });

  test("counts the end of the process that first answered it", () => {
    const { serve, fail, isDue } = setUp();
    serve("known").failed();
    expect(isDue("stranger")).toBe(true);
    fail("known", 1);
    expect(isDue("known")).toBe(false);
  });

  test("of strangers grows, whatever they are called", () => {
    const { clock, fail, isDue } = setUp();
    for (let n = 0; n < 20; n++) {
      clock.ms += UPSTREAM_CAPS.backOffMaxMs;
      expect(isDue(`name ${String(n)}`)).toBe(true);
      fail(`name ${String(n)}`, 1);
    }
    clock.ms += UPSTREAM_CAPS.backOffMaxMs - 1;
    expect(isDue("another")).toBe(false);
  });

  test("is remembered for those opened last", () => {
    const { serve, fail, isDue } = setUp();
    for (let n = 0; n < UPSTREAM_CAPS.maxKnownHandshakes; n++) serve(`known ${String(n)}`);
    serve("known 0");
    serve("one too many");
    fail("deadly", 2);
    expect([isDue("known 0"), isDue("known 1"), isDue("known 2")]).toEqual([true, false, true]);
  });
});
