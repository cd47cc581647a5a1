// Where the payload stands in the messages of MCP, and which parts of them are the protocol's own.
import { isJsonObject, setMember } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { parseJsonContainer } from "./json-text.ts";

/** JSON that was carried in a string and goes back into one. */
export class CarriedJson {
  readonly value: Marked;
  constructor(value: Marked) {
    this.value = value;
  }
}

/** A value whose members are data, not protocol. */
export class Payload {
  readonly value: Marked;
  /** It stands where the payload does not belong: all of it is searched by the detectors. */
  readonly isForeign: boolean;
  constructor(value: Marked, isForeign = false) {
    this.value = value;
    this.isForeign = isForeign;
  }
}

/** A value that a policy wrote or a hash made: nothing of it is from the server, so it is not scrubbed. */
export class Final {
  readonly value: JsonValue;
  constructor(value: JsonValue) {
    this.value = value;
  }
}

export type Marked =
  JsonValue | CarriedJson | Payload | Final | readonly Marked[] | { readonly [key: string]: Marked };
export type MarkedObject = { readonly [key: string]: Marked };

/** Member names of MCP messages: scrubbing one would break the message and hide nothing. */
export const PROTOCOL_NAMES: ReadonlySet<string> = new Set(
  (
    "_meta action annotations arguments audience blob cacheScope code completion content contents createdAt cursor " +
    "data description error hasMore icons id inputRequests isError jsonrpc lastModified lastUpdatedAt level logger " +
    "message messages method mimeType name nextCursor params pollInterval pollIntervalMs priority progress " +
    "progressToken reason requestId requestState resource result resultType role size sizes src status " +
    "statusMessage structuredContent task taskId text theme title toolResult total ttl ttlMs type uri values"
  ).split(" "),
);

/** Members that the protocol defines at one position, besides those that are transformed there. */
interface Position {
  readonly scalars: ReadonlySet<string>;
  readonly structures: ReadonlySet<string>;
}

function position(scalars: string, structures: string): Position {
  return { scalars: new Set(scalars.split(" ")), structures: new Set(structures.split(" ")) };
}

const IN_RESULT = position(
  "action cacheScope description isError nextCursor requestState resultType role ttlMs",
  "completion",
);
const IN_BLOCK = position(
  "description id isError lastModified mimeType name role size title type uri",
  "annotations icons",
);
const IN_PARAMS = position(
  "cursor id level logger method mimeType priority progress progressToken requestId total type uri",
  "annotations icons",
);

const PROTOCOL_WORDS: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  ["type", new Set(["text", "image", "audio", "resource", "resource_link", "tool_use", "tool_result"])],
  ["role", new Set(["user", "assistant"])],
  ["jsonrpc", new Set(["2.0"])],
  ["resultType", new Set(["complete", "input_required"])],
  ["cacheScope", new Set(["private", "public"])],
  ["level", new Set("debug info notice warning error critical alert emergency".split(" "))],
]);

/** True for the fixed words of the protocol, e.g. `type: "text"`; also for the method of a message. */
export function isProtocolWord(key: string, value: string): boolean {
  if (key === "method") return /^[a-z]+\/[A-Za-z_/]+$/.test(value);
  return PROTOCOL_WORDS.get(key)?.has(value) === true;
}

/** What is done to the parts of a message. */
export interface RedactPayload {
  readonly payload: (value: JsonValue) => Marked;
  /** Text that is no JSON. */
  readonly prose: (text: string) => Marked;
  /** Bytes of a document, in base64. */
  readonly blob: (base64: string) => Marked;
  /** An image or sound, in base64. */
  readonly media: (base64: string) => Marked;
  /** The data of an error; undefined where it may not pass. */
  readonly errorData: (data: JsonValue) => Marked | undefined;
}

/** The object itself where nothing changes. */
function mapMembers(object: JsonObject, change: (key: string, value: JsonValue) => Marked): MarkedObject {
  let result: Record<string, Marked> | undefined;
  for (const key of Object.keys(object)) {
    const value = object[key] as JsonValue;
    const changed = change(key, value);
    if (changed === value) continue;
    result ??= { ...object };
    setMember(result, key, changed);
  }
  return result ?? object;
}

function mapItems(value: JsonValue, change: (item: JsonValue) => Marked): Marked {
  return Array.isArray(value) ? (value as readonly JsonValue[]).map(change) : change(value);
}

/** Text is transformed as the JSON it holds, else as prose. */
function markText(value: JsonValue, redact: RedactPayload): Marked {
  if (typeof value !== "string") return new Payload(redact.payload(value));
  if (value.trim() === "") return value;
  const carried = parseJsonContainer(value);
  return carried === undefined ? redact.prose(value) : new CarriedJson(redact.payload(carried));
}

function markBlock(value: JsonValue, redact: RedactPayload): Marked {
  if (!isJsonObject(value)) return markText(value, redact);
  return mapMembers(value, (key, member) => {
    if (key === "text") return markText(member, redact);
    if (key === "blob") return typeof member === "string" ? redact.blob(member) : "";
    if (key === "data") return typeof member === "string" ? redact.media(member) : "";
    if (key === "resource") return markBlock(member, redact);
    if (key === "content") return mapItems(member, (item) => markBlock(item, redact));
    return key === "structuredContent"
      ? new Payload(redact.payload(member))
      : markOther(key, member, redact, IN_BLOCK);
  });
}

/** A result with its payloads redacted: tool results, prompt messages and resource contents have their own places. */
export function markResult(result: JsonObject, redact: RedactPayload): MarkedObject {
  return mapMembers(result, (key, value) => {
    switch (key) {
      case "structuredContent":
      case "toolResult":
        return new Payload(redact.payload(value));
      case "content":
      case "contents":
      case "messages":
        return mapItems(value, (item) => markBlock(item, redact));
      case "inputRequests":
        return isJsonObject(value) ? mapMembers(value, (_, request) => markRequest(request, redact)) : value;
      default:
        return markOther(key, value, redact, IN_RESULT);
    }
  });
}

/** Members of a task that are checked for what they are before they come here. */
const TASK_FIELDS: ReadonlySet<string> = new Set(
  "createdAt lastUpdatedAt pollInterval pollIntervalMs resultType status taskId ttl ttlMs".split(" "),
);

/**
 * What is told of a task, with everything that comes of the tool redacted as in its own answer: the result or error of
 * one that has ended, what it asks, and what the server says of it.
 */
export function markTask(task: JsonObject, redact: RedactPayload): MarkedObject {
  const { result, error, task: created, statusMessage, ...rest } = task;
  const fields = Object.fromEntries(
    Object.entries(rest).map(([key, value]) => [
      key,
      TASK_FIELDS.has(key) ? new Final(value) : markResult({ [key]: value }, redact)[key],
    ]),
  ) as Record<string, Marked>;
  if (statusMessage !== undefined) fields["statusMessage"] = markText(statusMessage, redact);
  if (isJsonObject(created)) fields["task"] = markTask(created, redact);
  if (isJsonObject(result)) fields["result"] = markResult(result, redact);
  if (isJsonObject(error)) fields["error"] = markError(error, redact);
  return fields;
}

/** A member that the protocol does not define here, and `_meta` whose members it does not, may carry the payload again. */
function markOther(key: string, value: JsonValue, redact: RedactPayload, at: Position): Marked {
  if (at.structures.has(key)) return value;
  if (typeof value === "string") return at.scalars.has(key) ? value : markText(value, redact);
  return Array.isArray(value) || isJsonObject(value) ? new Payload(redact.payload(value), true) : value;
}

/** A server's request that travels inside a result (2026-07-28). */
function markRequest(request: JsonValue, redact: RedactPayload): Marked {
  if (!isJsonObject(request)) return markText(request, redact);
  return mapMembers(request, (key, value) =>
    key === "params" && isJsonObject(value) ? markParams(value, redact) : value,
  );
}

/** The parameters of a notification or a server's request: progress text, log data, sampling messages. */
export function markParams(params: JsonObject, redact: RedactPayload): MarkedObject {
  return mapMembers(params, (key, value) => {
    switch (key) {
      case "message":
      case "data":
      case "systemPrompt":
        return markText(value, redact);
      case "messages":
      case "content":
        return mapItems(value, (item) => markBlock(item, redact));
      default:
        return markOther(key, value, redact, IN_PARAMS);
    }
  });
}

/** An error says in prose what the payload would have said: its text passes as text content does. */
export function markError(error: JsonObject, redact: RedactPayload): MarkedObject {
  const { data, ...rest } = error;
  const marked = mapMembers(rest, (key, value) => (key === "message" ? markText(value, redact) : value));
  const kept = data === undefined ? undefined : redact.errorData(data);
  return kept === undefined ? marked : { ...marked, data: kept };
}
