// The `requestState` that a client carries between the rounds of a call (MCP 2026-07-28, multi round-trip requests): the
// server's own state and what was asked, sealed for one caller, one call and ten minutes.
import { createHash } from "node:crypto";
import { canonicalJson } from "#bundle";
import type { ServerId } from "#bundle";
import { AegisError } from "#errors";
import type { Sealer } from "#sealing";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { askArguments, isAskMethod } from "./ask.ts";
import type { Ask } from "./ask.ts";

export const REQUEST_STATE_TTL_MS = 10 * 60_000;
/** UTF-16 code units of a server's own state. */
export const MAX_UPSTREAM_STATE_CHARS = 32_768;
/** Of everything that is sealed, in UTF-8: what a gateway opens again has a cap too. */
const MAX_PAYLOAD_BYTES = 90_000;

/** One entry of `inputRequests`, as far as its answer is judged by it. */
export interface RememberedAsk {
  /** Decision id. */
  readonly id: string;
  readonly ask: Ask;
  /** What it was decided by; absent for roots. */
  readonly arguments: JsonObject | undefined;
}

/** The call that the state belongs to, as the client sent it. */
export interface StatedCall {
  readonly server: ServerId;
  readonly method: string;
  readonly params: JsonObject;
}

export interface RequestState {
  /** The server's own, byte for byte; absent where it gave none. */
  readonly upstream: string | undefined;
  readonly asks: ReadonlyMap<string, RememberedAsk>;
}

/** @throws {AegisError} RESULT_TOO_LARGE for more than a client can be made to carry */
export function sealRequestState(
  sealer: Sealer,
  /** The caller and the endpoint. */
  binding: string,
  call: StatedCall,
  { upstream, asks }: RequestState,
): string {
  const remembered = [...asks].map(([key, { id, ask, arguments: args }]): JsonValue => {
    const isForm = ask.method === "elicitation/create";
    const { mode, url, requestedSchema } = ask.params;
    const shape = { mode, url, requestedSchema };
    const kept = Object.entries(shape).filter(([, value]) => isForm && value !== undefined);
    return [key, id, ask.method, Object.fromEntries(kept) as JsonObject, isForm ? null : (args ?? null)];
  });
  const payload: JsonObject = { ...identityOf(call), upstream: upstream ?? null, asks: remembered };
  if (Buffer.byteLength(JSON.stringify(payload)) > MAX_PAYLOAD_BYTES)
    throw new AegisError("RESULT_TOO_LARGE", "what the server asks is too long to be carried by a client");
  return sealer.seal("request-state", binding, payload, REQUEST_STATE_TTL_MS);
}

/** @throws {AegisError} REQUEST_STATE_INVALID for whatever was not sealed here for this caller and this very call */
export function openRequestState(
  sealer: Sealer,
  binding: string,
  call: StatedCall,
  sealed: JsonValue,
): RequestState {
  if (typeof sealed !== "string") throw invalid("not a string");
  const payload = sealer.open("request-state", binding, sealed);
  if (payload === undefined) throw invalid("not sealed here for this caller, or too old");
  const expected = identityOf(call);
  if (Object.entries(expected).some(([key, value]) => payload[key] !== value))
    throw invalid("it belongs to another call");
  const { upstream, asks } = payload;
  if (!Array.isArray(asks)) throw invalid("without asks");
  const remembered = (asks as readonly JsonValue[]).map(readRemembered);
  return { upstream: typeof upstream === "string" ? upstream : undefined, asks: new Map(remembered) };
}

function readRemembered(entry: JsonValue): readonly [string, RememberedAsk] {
  if (!Array.isArray(entry)) throw invalid("a malformed ask");
  const [key, id, method, params, args] = entry as readonly JsonValue[];
  if (typeof key !== "string" || typeof id !== "string" || !isAskMethod(method) || !isJsonObject(params))
    throw invalid("a malformed ask");
  const ask = { method, params };
  return [key, { id, ask, arguments: isJsonObject(args) ? args : askArguments(ask) }];
}

/** What makes a retry the same call: where it goes, what it names, and every argument. */
function identityOf({ server, method, params }: StatedCall): Record<string, JsonValue> {
  const target = params["name"] ?? params["uri"] ?? null;
  const args = params["arguments"] ?? null;
  try {
    const digest = createHash("sha256").update(canonicalJson({ target, args })).digest("base64url");
    return { server, method, digest };
  } catch {
    throw invalid("the arguments have no canonical form");
  }
}

function invalid(detail: string): AegisError {
  return new AegisError("REQUEST_STATE_INVALID", detail);
}
