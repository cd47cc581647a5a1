// What the numbers were measured on, and what a process has used of it (Linux, /proc).
import { readFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly node: string;
  readonly kernel: string;
}

export function describeMachine(): Machine {
  const all = cpus();
  return {
    cpu: all[0]?.model.trim() ?? "unknown",
    cores: all.length,
    memoryBytes: totalmem(),
    node: process.version,
    kernel: release(),
  };
}

/** 1, 5 and 15 minutes. */
export function loadAverage(): readonly number[] {
  return loadavg().map((value) => Math.round(value * 100) / 100);
}

/** Direct children of a process. */
export function childrenOf(pid: number): readonly number[] {
  const text = readFileSync(`/proc/${String(pid)}/task/${String(pid)}/children`, "latin1");
  return text
    .split(" ")
    .filter((part) => part !== "")
    .map(Number);
}

/** USER_HZ is 100 on every Linux that Node runs on. */
const TICK_MICROS = 10_000;

/** Processor time of a process so far, all its threads, user and system. */
export function cpuMicros(pid: number): number {
  const stat = readFileSync(`/proc/${String(pid)}/stat`, "latin1");
  // The command name may hold spaces; fields are counted after its closing parenthesis. utime and stime are 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_MICROS;
}

export function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${String(pid)}/status`, "latin1");
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? "0") * 1_024;
}
