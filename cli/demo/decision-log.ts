// The decisions in an audit log that is still being written.
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { isJsonObject } from "#std";

export interface RecordedDecision {
  readonly id: string;
  readonly effect: string;
  readonly method: string | null;
  readonly server: string | null;
  readonly policies: readonly string[];
}

/** The last recorded decision about a `tools/call` at a server. The record is durable before the call is sent. */
export async function lastCallDecision(
  auditDir: string,
  server: string,
): Promise<RecordedDecision | undefined> {
  const names = (await readdir(auditDir)).filter((name) => /^segment-\d+\.jsonl$/u.test(name)).sort();
  for (const name of names.reverse()) {
    const text = await readFile(join(auditDir, name), "utf8");
    // The last piece may be a line that is half written.
    const lines = text.split("\n").slice(0, -1).reverse();
    for (const line of lines) {
      const decision = readDecision(line);
      if (decision?.method === "tools/call" && decision.server === server) return decision;
    }
  }
  return undefined;
}

function readDecision(line: string): RecordedDecision | undefined {
  const record: unknown = JSON.parse(line);
  if (!isJsonObject(record) || record["ev"] !== "decision") return undefined;
  const body = record["body"];
  if (!isJsonObject(body)) return undefined;
  const { id, effect, method, server, policies } = body;
  if (typeof id !== "string" || typeof effect !== "string") return undefined;
  return {
    id,
    effect,
    method: typeof method === "string" ? method : null,
    server: typeof server === "string" ? server : null,
    policies: Array.isArray(policies) ? policies.filter((item) => typeof item === "string") : [],
  };
}
