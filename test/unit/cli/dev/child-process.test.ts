// Children of the development commands that have children of their own: what they are told before they are killed.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startReadyChild } from "../../../../cli/dev/child-process.ts";
import type { ReadyChildOptions } from "../../../../cli/dev/child-process.ts";

const MODULE = join(import.meta.dirname, "../../../../cli/dev/child-process.ts");
/** Ends by SIGQUIT alone, and then leaves a file where it is given one. */
const CHILD = `
  process.on("SIGTERM", () => {});
  process.on("SIGQUIT", () => {
    if (process.argv[1] !== undefined) require("node:fs").writeFileSync(process.argv[1], "ended");
    process.exit(7);
  });
  setInterval(() => {}, 1_000);
  console.log("ready");
`;

function childOptions(lastSignal?: NodeJS.Signals): ReadyChildOptions<true> {
  return {
    command: process.execPath,
    args: ["-e", CHILD],
    readyOn: "stdout",
    parseReady: (line) => (line === "ready" ? true : undefined),
    ...(lastSignal === undefined ? {} : { lastSignal }),
  };
}

test("one that does not stop in time has its last signal before it is killed", async () => {
  const child = await startReadyChild(childOptions("SIGQUIT"));
  await child.stop(50);
  expect(await child.ended).toBe(7);
});

test("one that has none is killed", async () => {
  const child = await startReadyChild(childOptions());
  await child.stop(50);
  expect(child.process.signalCode).toBe("SIGKILL");
});

test("a parent that exits early gives it the time to end its own", async () => {
  const dir = await mkdtemp(join(tmpdir(), "aegis-child-"));
  try {
    const file = join(dir, "told");
    const script = `
      import { startReadyChild } from ${JSON.stringify(MODULE)};
      const child = await startReadyChild({
        command: process.execPath,
        args: ["-e", ${JSON.stringify(CHILD)}, ${JSON.stringify(file)}],
        readyOn: "stdout",
        parseReady: (line) => (line === "ready" ? true : undefined),
        lastSignal: "SIGQUIT",
      });
      console.log(child.process.pid);
      process.exit(130);
    `;
    const parent = spawn(process.execPath, ["--input-type=module", "-e", script]);
    let pid = "";
    parent.stdout.on("data", (chunk: Buffer) => (pid += chunk.toString("utf8")));
    expect(await once(parent, "close")).toEqual([130, null]);
    expect(await readFile(file, "utf8")).toBe("ended");
    const stat = await readFile(`/proc/${pid.trim()}/stat`, "utf8").catch(() => ") Z ");
    expect(stat).toMatch(/\) Z /u);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});
