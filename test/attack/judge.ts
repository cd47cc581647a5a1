// Compares an answer with what a case expects.
import { ERROR_CODES } from "#errors";
import type { CaseExpectation } from "./case-file.ts";
import type { RawResponse } from "./raw-http.ts";

interface RpcError {
  readonly code?: unknown;
  readonly data?: Readonly<Record<string, unknown>>;
}

/** What differs; empty where the answer is as expected. */
export function judge(expect: CaseExpectation, response: RawResponse): string[] {
  const reasons = [...judgeStatus(expect, response), ...judgeError(expect, response)];
  for (const name of expect.absentHeaders ?? []) {
    if (response.headers.has(name.toLowerCase())) reasons.push(`response has ${name}`);
  }
  if (expect.absentText !== undefined && response.body.includes(expect.absentText))
    reasons.push(`response holds ${expect.absentText}`);
  if (expect.text !== undefined && !response.body.includes(expect.text))
    reasons.push(`response lacks ${expect.text}`);
  if (reasons.length > 0) reasons.push(`body ${JSON.stringify(response.body.slice(0, 200))}`);
  return reasons;
}

function judgeStatus(expect: CaseExpectation, { status, body }: RawResponse): string[] {
  const wanted = expect.status ?? (expect.code === undefined ? undefined : ERROR_CODES[expect.code].http);
  if (wanted !== undefined && status !== wanted) return [`status ${status}, expected ${wanted}`];
  if (expect.accepted === true && (status < 200 || status > 299)) return [`status ${status}, expected 2xx`];
  if (expect.refused === true && status >= 200 && status <= 299 && errorOf(body) === undefined)
    return [`status ${status} without an error, expected a refusal`];
  return [];
}

function judgeError({ code }: CaseExpectation, { body }: RawResponse): string[] {
  if (code === undefined) return [];
  const reasons: string[] = [];
  const error = errorOf(body);
  if (error?.code !== ERROR_CODES[code].jsonrpc)
    reasons.push(`JSON-RPC error ${String(error?.code ?? "absent")}, expected ${ERROR_CODES[code].jsonrpc}`);
  const named = error?.data?.["code"];
  if (typeof named === "string" && named !== code) reasons.push(`error.data.code ${named}, expected ${code}`);
  return reasons;
}

/** The JSON-RPC error of a JSON body, or of the last message of an event stream. */
function errorOf(body: string): RpcError | undefined {
  const data = [...body.matchAll(/^data: ?(.*)$/gmu)].at(-1)?.[1];
  try {
    return (JSON.parse(data ?? body) as { error?: RpcError }).error;
  } catch {
    return undefined;
  }
}
