// Compares an answer with what a case expects.
import { ERROR_CODES } from "#errors";
import type { CaseExpectation } from "./case-file.ts";
import type { RawResponse } from "./raw-http.ts";

interface RpcMessage {
  readonly result?: unknown;
  readonly error?: RpcError;
}

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

function judgeStatus(expect: CaseExpectation, response: RawResponse): string[] {
  const { status } = response;
  const wanted = expect.status ?? (expect.code === undefined ? undefined : ERROR_CODES[expect.code].http);
  if (wanted !== undefined && status !== wanted) return [`status ${status}, expected ${wanted}`];
  if (expect.accepted === true && (status < 200 || status > 299)) return [`status ${status}, expected 2xx`];
  if (expect.refused === true && status >= 200 && status <= 299 && messageOf(response)?.error === undefined)
    return [`status ${status} without an error, expected a refusal`];
  return [];
}

function judgeError({ code }: CaseExpectation, response: RawResponse): string[] {
  if (code === undefined) return [];
  const reasons: string[] = [];
  const error = messageOf(response)?.error;
  if (error?.code !== ERROR_CODES[code].jsonrpc)
    reasons.push(`JSON-RPC error ${String(error?.code ?? "absent")}, expected ${ERROR_CODES[code].jsonrpc}`);
  const named = error?.data?.["code"];
  if (typeof named === "string" && named !== code) reasons.push(`error.data.code ${named}, expected ${code}`);
  return reasons;
}

/** The JSON-RPC message of a JSON body, or the last one of an event stream; undefined where there is none. */
export function messageOf(response: RawResponse): RpcMessage | undefined {
  const text = textOf(response);
  const data = [...text.matchAll(/^data: ?(.*)$/gmu)].at(-1)?.[1];
  try {
    const message: unknown = JSON.parse(data ?? text);
    return typeof message === "object" && message !== null ? message : undefined;
  } catch {
    return undefined;
  }
}

/** The body without sizes of chunks. */
export function textOf({ headers, body }: RawResponse): string {
  const isChunked = headers.get("transfer-encoding")?.toLowerCase() === "chunked";
  return isChunked ? withoutChunkSizes(body) : body;
}

function withoutChunkSizes(body: string): string {
  const bytes = Buffer.from(body, "utf8");
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const lineEnd = bytes.indexOf("\r\n", at);
    const size = Number.parseInt(bytes.subarray(at, lineEnd).toString("latin1"), 16);
    if (lineEnd === -1 || !(size > 0)) break;
    chunks.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 2 + size + 2;
  }
  return Buffer.concat(chunks).toString("utf8");
}
