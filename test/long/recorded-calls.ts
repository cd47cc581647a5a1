// The audit log as an index from the arguments of a call to what was recorded of it. The fingerprint of arguments
// cannot be inverted, but who has the node's key and the arguments can compute it.
import { createReadStream } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DEFAULT_TENANT } from "#bundle";
import { loadAuditKeys } from "../../runtime/audit/audit-keys.ts";

export interface RecordedDecision {
  readonly id: string;
  readonly effect: "allow" | "deny";
  readonly code: string | undefined;
  readonly bundleDigest: string;
  readonly sequence: number;
  /** A result of this decision is in the log. */
  readonly hasResult: boolean;
}

export interface RecordedCalls {
  readonly of: (args: object) => readonly RecordedDecision[];
  /** Decisions about calls with arguments. */
  readonly total: number;
}

interface Line {
  readonly ev?: string;
  readonly body?: {
    readonly id: string;
    readonly effect?: "allow" | "deny";
    readonly code?: string;
    readonly argumentsHash?: string | null;
    readonly bundle?: { readonly digest: string; readonly sequence: number };
  };
}

export async function readRecordedCalls(auditDir: string, stateDir: string): Promise<RecordedCalls> {
  const { fingerprint } = loadAuditKeys(stateDir);
  const byHash = new Map<string, Omit<RecordedDecision, "hasResult">[]>();
  const concluded = new Set<string>();
  let total = 0;
  const names = (await readdir(auditDir)).filter((name) => /^segment-\d+\.jsonl$/u.test(name));
  for (const name of names.sort()) {
    for await (const text of createInterface({ input: createReadStream(join(auditDir, name)) })) {
      const { ev, body } = JSON.parse(text) as Line;
      if (body === undefined) continue;
      if (ev === "result") concluded.add(body.id);
      const { argumentsHash, effect, bundle } = body;
      if (ev !== "decision" || typeof argumentsHash !== "string") continue;
      if (effect === undefined || bundle === undefined) throw new Error(`not a decision: ${text}`);
      total += 1;
      const { digest, sequence } = bundle;
      const decision = { id: body.id, effect, code: body.code, bundleDigest: digest, sequence };
      byHash.set(argumentsHash, [...(byHash.get(argumentsHash) ?? []), decision]);
    }
  }
  return {
    total,
    of: (args) =>
      (byHash.get(fingerprint(DEFAULT_TENANT, JSON.stringify(args))) ?? []).map((decision) => ({
        ...decision,
        hasResult: concluded.has(decision.id),
      })),
  };
}
