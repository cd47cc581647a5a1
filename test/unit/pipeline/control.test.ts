// The deadline of an exchange: one timer that is looked at again where the route allows longer than the admission.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { isAegisError } from "#errors";
import { createControl } from "../../../runtime/pipeline/control.ts";
import type { OwnedControl } from "../../../runtime/pipeline/control.ts";

interface Client {
  readonly onClosed: (listener: () => void) => void;
  readonly leave: () => void;
}

function client(): Client {
  const listeners: (() => void)[] = [];
  return {
    onClosed: (listener) => void listeners.push(listener),
    leave: () => listeners.forEach((listener) => listener()),
  };
}

function endOf({ signal }: OwnedControl): string | undefined {
  const reason: unknown = signal.reason;
  return isAegisError(reason) ? reason.code : undefined;
}

describe("the control of an exchange", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it.each([
    ["without a route's deadline", undefined, 1_000],
    ["a shorter deadline", 400, 400],
    ["a longer deadline", 2_500, 2_500],
    ["the same deadline", 1_000, 1_000],
  ])("ends at its deadline: %s", (_what, deadlineMs, endsAtMs) => {
    const control = createControl(client(), { admissionDeadlineMs: 1_000 });
    vi.advanceTimersByTime(100);
    if (deadlineMs !== undefined) control.setDeadline(deadlineMs);
    vi.advanceTimersByTime(endsAtMs - 100 - 2);
    expect(control.signal.aborted).toBe(false);
    vi.advanceTimersByTime(4);
    expect(endOf(control)).toBe("EXCHANGE_DEADLINE");
  });

  it("says whose time it was that ran out", () => {
    const control = createControl(client(), { admissionDeadlineMs: 1_000 });
    const stop = [control.waitForServer(), control.waitForServer()];
    for (const end of [...stop, ...stop]) end();
    control.waitForServer();
    vi.advanceTimersByTime(1_002);
    expect(endOf(control)).toBe("UPSTREAM_TIMEOUT");
  });

  it("ends at once where the deadline is over before it is set", () => {
    const control = createControl(client(), { admissionDeadlineMs: 1_000 });
    vi.advanceTimersByTime(500);
    control.setDeadline(300);
    vi.advanceTimersByTime(1);
    expect(endOf(control)).toBe("EXCHANGE_DEADLINE");
  });

  it("tells every deadline that is set", () => {
    const told: number[] = [];
    const control = createControl(client(), { onDeadline: (deadlineMs) => void told.push(deadlineMs) });
    control.setDeadline(500);
    control.setDeadline(700);
    expect(told).toEqual([500, 700]);
  });

  it("leaves no timer and follows nobody after its release", () => {
    const caller = client();
    const control = createControl(caller, { admissionDeadlineMs: 1_000 });
    control.release();
    expect(vi.getTimerCount()).toBe(0);
    caller.leave();
    expect(control.signal.aborted).toBe(false);
  });

  it("ends with its client, unless a dropped connection is no cancel", () => {
    const caller = client();
    const [ended, kept] = [createControl(caller), createControl(caller)];
    kept.keepAfterDisconnect();
    caller.leave();
    expect(endOf(ended)).toBe("EXCHANGE_ABORTED");
    expect(kept.signal.aborted).toBe(false);
  });
});

it("lets go of its release with the exchange, although a stream keeps the control", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const hold = (): { control: OwnedControl; release: WeakRef<object> } => {
    const release = { large: true };
    const control = createControl(client(), { onDeadline: () => void release });
    control.release();
    return { control, release: new WeakRef(release) };
  };
  const { control, release } = hold();
  // A WeakRef keeps what it names for the rest of its own turn.
  await new Promise((resolve) => setImmediate(resolve));
  collect();
  expect(release.deref()).toBeUndefined();
  expect(control.signal.aborted).toBe(false);
});
