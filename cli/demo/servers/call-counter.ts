// Counts the calls that really reached a demo server. It is read outside MCP, so that a denial can be proved by the
// counter standing still.
import { appendFileSync } from "node:fs";

export interface CallCounter {
  readonly count: (tool: string) => void;
  readonly read: () => { readonly total: number; readonly tools: Readonly<Record<string, number>> };
}

/** @param file where each call is also appended as one JSON line; several processes may share it. */
export function createCallCounter(file?: string): CallCounter {
  const tools = new Map<string, number>();
  let total = 0;
  return {
    count: (tool) => {
      total++;
      tools.set(tool, (tools.get(tool) ?? 0) + 1);
      if (file !== undefined) appendFileSync(file, `${JSON.stringify({ tool, pid: process.pid })}\n`);
    },
    read: () => ({ total, tools: Object.fromEntries(tools) }),
  };
}
