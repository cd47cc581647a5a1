// What the gateway remembers of tasks: how many a caller has open, and under which id it knows them. Nothing is looked
// up here to serve a request; what a restart forgets costs a caller its list and a cap its count, never a task.
import { AegisError } from "#errors";
import type { Era } from "#bundle";
import type { TaskReference } from "./task-ids.ts";
import type { TaskState } from "./task-state.ts";
import { isTerminal } from "./task-state.ts";

export interface TaskCaps {
  /** Tasks of one caller that have not ended, calls that may make one included. */
  readonly openPerPrincipal: number;
  /** Tasks of one caller that are remembered, ended ones included. */
  readonly heldPerPrincipal: number;
  /** Tasks of all callers that are remembered. */
  readonly held: number;
  /** A task that nothing was heard of for this long is forgotten. */
  readonly idleMs: number;
  /** Requests about tasks of one caller in a minute. */
  readonly requestsPerMinute: number;
}

export const TASK_CAPS: TaskCaps = {
  openPerPrincipal: 64,
  heldPerPrincipal: 256,
  held: 50_000,
  idleMs: 3_600_000,
  requestsPerMinute: 1_200,
};

export interface HeldTask {
  /** The id that the client has. */
  readonly id: string;
  readonly reference: TaskReference;
  /** `taskBinding` of the caller. */
  readonly binding: string;
  readonly era: Era;
  state: TaskState;
  seenAtMs: number;
  /** What the log has of its asks, by key: a poll that finds the same is not recorded as another ask. */
  told: ReadonlyMap<string, string>;
}

interface Owned {
  /** Calls under way that may make a task. */
  reserved: number;
  /** By binding, server and upstream id, in order of creation. */
  readonly tasks: Map<string, HeldTask>;
}

export class OpenTasks {
  readonly #owners = new Map<string, Owned>();
  readonly #caps: TaskCaps;
  readonly #nowMs: () => number;
  #held = 0;

  constructor(caps: TaskCaps, nowMs: () => number) {
    this.#caps = caps;
    this.#nowMs = nowMs;
  }

  /** Tasks that are remembered. */
  get size(): number {
    return this.#held;
  }

  /**
   * Room for one task, before the call that may make it. Give it back with the function that is returned, after `add`.
   * @throws {AegisError} TASK_LIMIT
   */
  reserve(owner: string): () => void {
    const owned = this.#owners.get(owner) ?? { reserved: 0, tasks: new Map<string, HeldTask>() };
    this.#forgetIdle(owned);
    let open = owned.reserved;
    for (const task of owned.tasks.values()) if (!isTerminal(task.state.status)) open += 1;
    if (open >= this.#caps.openPerPrincipal)
      throw new AegisError("TASK_LIMIT", `${open} tasks of this caller are open`);
    if (this.#held >= this.#caps.held) this.#forgetAllIdle();
    if (this.#held >= this.#caps.held) throw new AegisError("TASK_LIMIT", `${this.#held} tasks are held`);
    this.#owners.set(owner, owned);
    owned.reserved += 1;
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      owned.reserved -= 1;
      this.#dropIfEmpty(owner, owned);
    };
  }

  add(owner: string, task: Omit<HeldTask, "seenAtMs" | "told">): void {
    const owned = this.#owners.get(owner) ?? { reserved: 0, tasks: new Map<string, HeldTask>() };
    this.#owners.set(owner, owned);
    if (owned.tasks.size >= this.#caps.heldPerPrincipal) this.#forgetOldest(owned);
    const key = keyOf(task.binding, task.reference);
    if (!owned.tasks.has(key)) this.#held += 1;
    owned.tasks.set(key, { ...task, seenAtMs: this.#nowMs(), told: new Map() });
  }

  /** The caller's task under the server's id; other callers' tasks are not found. */
  find(
    owner: string,
    binding: string,
    task: Pick<TaskReference, "server" | "upstreamId">,
  ): HeldTask | undefined {
    return this.#owners.get(owner)?.tasks.get(keyOf(binding, task));
  }

  /** Notes what was heard of a task; one that is not remembered stays so. */
  observe(owner: string, binding: string, task: TaskReference, state: TaskState): void {
    const held = this.find(owner, binding, task);
    if (held === undefined) return;
    held.seenAtMs = this.#nowMs();
    // What has ended stays ended (MCP 2025-11-25, tasks, status).
    if (!isTerminal(held.state.status)) held.state = state;
  }

  /** Forgets a task that its server no longer has. */
  drop(owner: string, binding: string, task: TaskReference): void {
    const owned = this.#owners.get(owner);
    if (owned?.tasks.delete(keyOf(binding, task)) !== true) return;
    this.#held -= 1;
    this.#dropIfEmpty(owner, owned);
  }

  /** The caller's tasks at one endpoint, oldest first. */
  list(owner: string, binding: string): readonly HeldTask[] {
    const owned = this.#owners.get(owner);
    if (owned === undefined) return [];
    this.#forgetIdle(owned);
    this.#dropIfEmpty(owner, owned);
    return [...owned.tasks.values()].filter((task) => task.binding === binding);
  }

  #forgetOldest({ tasks }: Owned): void {
    let oldest: string | undefined;
    for (const [key, task] of tasks) {
      oldest ??= key;
      if (!isTerminal(task.state.status)) continue;
      oldest = key;
      break;
    }
    if (oldest !== undefined && tasks.delete(oldest)) this.#held -= 1;
  }

  #forgetIdle({ tasks }: Owned): void {
    const before = this.#nowMs() - this.#caps.idleMs;
    for (const [key, task] of tasks) {
      if (task.seenAtMs < before && tasks.delete(key)) this.#held -= 1;
    }
  }

  #forgetAllIdle(): void {
    for (const [owner, owned] of this.#owners) {
      this.#forgetIdle(owned);
      this.#dropIfEmpty(owner, owned);
    }
  }

  #dropIfEmpty(owner: string, owned: Owned): void {
    if (owned.reserved === 0 && owned.tasks.size === 0) this.#owners.delete(owner);
  }
}

function keyOf(
  binding: string,
  { server, upstreamId }: Pick<TaskReference, "server" | "upstreamId">,
): string {
  return JSON.stringify([binding, server, upstreamId]);
}
