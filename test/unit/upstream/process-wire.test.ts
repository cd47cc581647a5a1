// The budget of processes, where a program cannot even be started.
import { expect, it } from "vitest";
import { createProcessBudget, processWire } from "../../../runtime/upstream/process-wire.ts";
import type { ProgramEntry } from "../../../runtime/upstream/stdio-process.ts";

const NODE = process.execPath;
const events = {
  onMessage: () => undefined,
  onOversized: () => undefined,
  onClosed: () => undefined,
} as never;

it.each<[string, ProgramEntry]>([
  ["a cwd that is a file", { command: NODE, cwd: import.meta.filename }],
  ["a command below a file", { command: `${import.meta.filename}/server` }],
  ["an environment that is too large", { command: NODE, env: { LONG: "x".repeat(4_000_000) } }],
])("%s costs no place of the budget, and says what it is", (_name, program) => {
  const budget = createProcessBudget(1);
  const open = processWire({ program, args: [], budget, onStderr: () => undefined });
  for (let attempt = 0; attempt < 3; attempt++)
    expect(() => open(events)).toThrowError(/the process could not be run/u);
});
