// The process groups of programs that run now, and the last net under them: whatever ends this process while its `exit`
// event is still told, none of them stays behind. SIGKILL of this process tells nothing; its programs then see their
// input end.

/** Ids of the groups, which are those of the processes that lead them. */
const groups = new Set<number>();

function killAll(): void {
  for (const group of groups) signalGroup(group, "SIGKILL");
}

/** Signals everything in the group. One that is empty is no fault. */
export function signalGroup(group: number, signal: "SIGTERM" | "SIGKILL"): void {
  try {
    process.kill(-group, signal);
  } catch {
    // ESRCH: nothing is left of it.
  }
}

/** Keeps a group until `endGroup`. @param group from a process that was started as the leader of a group of its own */
export function keepGroup(group: number): void {
  if (groups.size === 0) process.on("exit", killAll);
  groups.add(group);
}

/** Its leader has ended: what the leader started and left is killed. */
export function endGroup(group: number): void {
  if (!groups.delete(group)) return;
  signalGroup(group, "SIGKILL");
  if (groups.size === 0) process.off("exit", killAll);
}
