import { expect, test } from "vitest";
import { createRestartBackOffs } from "../../../runtime/upstream/restart-back-off.ts";
import { UPSTREAM_CAPS } from "../../../runtime/upstream/upstream-caps.ts";

test("delays are remembered for each handshake, up to a cap, those used last", () => {
  const after = createRestartBackOffs(() => 0);
  const failTwice = (way: string): void => {
    for (let n = 0; n < 2; n++) after(way).begin().failed();
  };
  failTwice("first");
  for (let n = 1; n < UPSTREAM_CAPS.maxRestartDelays; n++) {
    failTwice(`other ${String(n)}`);
    expect(after("first").isDue(), String(n)).toBe(false);
  }
  expect(after("other 1").isDue()).toBe(false);
  failTwice("one too many");
  expect(after("first").isDue()).toBe(false);
  expect(after("other 2").isDue()).toBe(true);
});
