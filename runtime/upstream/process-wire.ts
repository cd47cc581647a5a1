// The stdio transport as a wire: one process for each channel, all processes of a gateway under one budget.
import { startProcess } from "./stdio-process.ts";
import type { StdioProcess } from "./stdio-process.ts";
import type { ProgramEntry } from "./stdio-process.ts";
import { UPSTREAM_CAPS } from "./upstream-caps.ts";
import { UpstreamFault } from "./upstream-fault.ts";
import type { OpenWire } from "./wire.ts";

/** Processes of all stdio upstreams of one gateway, counted against one cap. */
export interface ProcessBudget {
  /** Reserves one process; false at the cap. */
  readonly take: () => boolean;
  readonly give: () => void;
}

export function createProcessBudget(maxProcesses: number = UPSTREAM_CAPS.maxProcesses): ProcessBudget {
  let running = 0;
  return {
    take: () => {
      if (running >= maxProcesses) return false;
      running++;
      return true;
    },
    give: () => {
      running--;
    },
  };
}

export interface ProcessWireOptions {
  readonly program: ProgramEntry;
  /** Arguments of the registry entry, after those of the program. */
  readonly args: readonly string[];
  readonly budget: ProcessBudget;
  readonly onStderr: (text: string) => void;
}

export function processWire({ program, args, budget, onStderr }: ProcessWireOptions): OpenWire {
  return (events) => {
    if (!budget.take())
      throw new UpstreamFault("UPSTREAM_UNAVAILABLE", "too many processes are running", { unsent: true });
    const child = startWithin(budget, program, args, {
      onLine: events.onMessage,
      onOversizedLine: events.onOversized,
      onStderr,
      onExit: (reason) => {
        budget.give();
        events.onClosed(reason);
      },
    });
    return {
      opened: Promise.resolve(),
      send: (text) =>
        new Promise((resolve) => {
          child.write(text);
          resolve();
        }),
      stop: child.stop,
    };
  };
}

/** Some of what keeps a program from being started is thrown at once, and then no end of it is told. */
function startWithin(budget: ProcessBudget, ...start: Parameters<typeof startProcess>): StdioProcess {
  try {
    return startProcess(...start);
  } catch (fault) {
    budget.give();
    throw fault;
  }
}
