// The runner of stages: what counts as proceeding, and that nothing a stage does or omits gets past it.
import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { AegisError } from "#errors";
import { pipeline } from "../../../runtime/pipeline/pipeline.ts";
import type { Stage } from "../../../runtime/pipeline/pipeline.ts";
import { deny, proceed } from "../../../runtime/pipeline/verdict.ts";

interface Counted {
  readonly steps: number;
}

const step: Stage<Counted, Counted> = { name: "step", run: ({ steps }) => proceed({ steps: steps + 1 }) };
const later: Stage<Counted, Counted> = {
  name: "later",
  run: async ({ steps }) => {
    await Promise.resolve();
    return proceed({ steps: steps + 1 });
  },
};

function stage(name: string, run: () => unknown): Stage<Counted, Counted> {
  return { name, run: run as Stage<Counted, Counted>["run"] };
}

const unreadable = {
  get message(): string {
    throw new Error("no message");
  },
  toString: () => {
    throw new Error("no text");
  },
};

async function run(broken: Stage<Counted, Counted>, controller = new AbortController()) {
  const names: string[] = [];
  const built = pipeline<Counted>().stage(step).stage(later).stage(broken).stage(later).build();
  const outcome = await built.run({ steps: 0 }, controller.signal, (name) => void names.push(name));
  return { outcome, names, listeners: getEventListeners(controller.signal, "abort").length };
}

describe("the runner of stages", () => {
  it("carries the exchange through stages that answer at once and later", async () => {
    const { outcome, names, listeners } = await run(step);
    expect(outcome).toEqual({ kind: "proceed", exchange: { steps: 4 } });
    expect(names).toEqual(["step", "later", "step", "later"]);
    expect(listeners).toBe(0);
  });

  it.each([
    [
      "throws",
      () => {
        throw new Error("boom");
      },
      "STAGE_FAULT",
    ],
    ["rejects", () => Promise.reject(new AegisError("UPSTREAM_TIMEOUT", "slow")), "UPSTREAM_TIMEOUT"],
    [
      "throws what cannot be read",
      () => {
        throw unreadable as unknown as Error;
      },
      "STAGE_FAULT",
    ],
    ["rejects with what cannot be read", () => Promise.reject(unreadable as unknown as Error), "STAGE_FAULT"],
    ["returns nothing", () => undefined, "STAGE_FAULT"],
    ["resolves to nothing", () => Promise.resolve(), "STAGE_FAULT"],
    ["returns a look-alike", () => ({ kind: "proceed", exchange: { steps: 9 } }), "STAGE_FAULT"],
    ["denies", () => deny({ code: "POLICY_DENIED", detail: "" }), "POLICY_DENIED"],
  ])("denies where a stage %s", async (_what, broken, code) => {
    const { outcome, names, listeners } = await run(stage("broken", broken));
    expect(outcome).toMatchObject({
      kind: "denial",
      stage: "broken",
      denial: { code },
      reached: { steps: 2 },
    });
    expect(names).toEqual(["step", "later", "broken"]);
    expect(listeners).toBe(0);
  });

  it("denies a stage that hangs as soon as the exchange is aborted", async () => {
    const controller = new AbortController();
    const hanging = stage("hanging", () => new Promise(() => undefined));
    const running = run(hanging, controller);
    setImmediate(() => controller.abort(new AegisError("EXCHANGE_DEADLINE", "too long")));
    const { outcome, listeners } = await running;
    expect(outcome).toMatchObject({
      kind: "denial",
      stage: "hanging",
      denial: { code: "EXCHANGE_DEADLINE" },
    });
    expect(listeners).toBe(0);
  });

  it("denies where a stage aborts its own exchange and then hangs", async () => {
    const controller = new AbortController();
    const aborting = stage("aborting", () => {
      controller.abort(new AegisError("EXCHANGE_ABORTED", "gone"));
      return new Promise(() => undefined);
    });
    const { outcome } = await run(aborting, controller);
    expect(outcome).toMatchObject({ kind: "denial", denial: { code: "EXCHANGE_ABORTED" } });
  });

  it("starts no stage once the exchange is aborted", async () => {
    const controller = new AbortController();
    controller.abort(new AegisError("EXCHANGE_ABORTED", "gone"));
    const { outcome } = await run(step, controller);
    expect(outcome).toMatchObject({ kind: "denial", stage: "step", reached: { steps: 0 } });
  });
});
