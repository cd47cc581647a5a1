// Plays a file of attack cases against a listener, be it a bare one in a unit test or a whole gateway.
import { ERROR_CODES } from "#errors";
import { DEFAULT_VARIABLES, readCaseFile, requestBytes } from "./case-file.ts";
import type { AttackCase, Variables } from "./case-file.ts";
import { exchangeRaw } from "./raw-http.ts";
import type { RawResponse } from "./raw-http.ts";

export interface CorpusOptions {
  readonly host: string;
  readonly port: number;
  /** MCP endpoint, e.g. `/sql-prod/mcp`. */
  readonly path: string;
  readonly token: string;
  /** YAML file of cases. */
  readonly file: string;
  /** Overrides of template variables: `tool` and `arguments` must name a call that the target allows. */
  readonly variables?: Variables;
  /** What the target offers beyond the basics; cases that need something else are reported as not applicable. */
  readonly offers?: readonly string[];
  /** Calls the upstream has seen so far. A case that is not accepted must not move it. */
  readonly upstreamCalls?: () => number | Promise<number>;
  readonly timeoutMs?: number;
}

export interface CorpusResult {
  readonly id: string;
  readonly title: string;
  readonly outcome: "pass" | "fail" | "not-applicable";
  readonly status: number;
  /** Why it failed; empty otherwise. */
  readonly reason: string;
}

export async function runCorpus(options: CorpusOptions): Promise<readonly CorpusResult[]> {
  const file = readCaseFile(options.file);
  const endpoint = {
    host: options.host,
    port: String(options.port),
    path: options.path,
    token: options.token,
  };
  const variables: Variables = { ...DEFAULT_VARIABLES, ...endpoint, ...options.variables };
  const results: CorpusResult[] = [];
  for (const attack of file.cases) {
    const { id, title } = attack;
    if (attack.needs !== undefined && options.offers?.includes(attack.needs) !== true) {
      results.push({ id, title, outcome: "not-applicable", status: 0, reason: `needs ${attack.needs}` });
      continue;
    }
    const before = await options.upstreamCalls?.();
    const target = { host: options.host, port: options.port, timeoutMs: options.timeoutMs ?? 10_000 };
    const response = await exchangeRaw(target, requestBytes(file, attack, variables));
    const after = await options.upstreamCalls?.();
    const reasons = judge(attack, response);
    if (attack.expect.accepted !== true && before !== after) reasons.push("reached the upstream");
    results.push({
      id,
      title,
      outcome: reasons.length === 0 ? "pass" : "fail",
      status: response.status,
      reason: reasons.join("; "),
    });
  }
  return results;
}

function judge(attack: AttackCase, response: RawResponse): string[] {
  const { expect } = attack;
  const reasons: string[] = [];
  const entry = expect.code === undefined ? undefined : ERROR_CODES[expect.code];
  const status = expect.status ?? entry?.http;
  if (status !== undefined && response.status !== status)
    reasons.push(`status ${response.status}, expected ${status}`);
  if (expect.accepted === true && (response.status < 200 || response.status > 299))
    reasons.push(`status ${response.status}, expected 2xx`);
  if (entry !== undefined && expect.code !== undefined) {
    const error = errorOf(response.body);
    if (error?.code !== entry.jsonrpc)
      reasons.push(`JSON-RPC error ${error?.code ?? "absent"}, expected ${entry.jsonrpc}`);
    const named = error?.data?.["code"];
    if (typeof named === "string" && named !== expect.code)
      reasons.push(`error.data.code ${named}, expected ${expect.code}`);
  }
  for (const name of expect.absentHeaders ?? []) {
    if (response.headers.has(name.toLowerCase())) reasons.push(`response has ${name}`);
  }
  if (expect.absentText !== undefined && response.body.includes(expect.absentText))
    reasons.push(`response holds ${expect.absentText}`);
  if (reasons.length > 0) reasons.push(`body ${JSON.stringify(response.body.slice(0, 200))}`);
  return reasons;
}

function errorOf(body: string): { code?: unknown; data?: Record<string, unknown> } | undefined {
  try {
    return (JSON.parse(body) as { error?: { code?: unknown; data?: Record<string, unknown> } }).error;
  } catch {
    return undefined;
  }
}
