// Names that the protocol itself gives to members, and the spellings of them that only some parsers tell apart.

export const META_PREFIX = "io.modelcontextprotocol/";
export const META_PROTOCOL_VERSION = "io.modelcontextprotocol/protocolVersion";
export const META_CLIENT_CAPABILITIES = "io.modelcontextprotocol/clientCapabilities";
export const META_CLIENT_INFO = "io.modelcontextprotocol/clientInfo";
export const META_LOG_LEVEL = "io.modelcontextprotocol/logLevel";

export const MESSAGE_MEMBERS: ReadonlySet<string> = new Set([
  "jsonrpc",
  "id",
  "method",
  "params",
  "result",
  "error",
]);

/** Members of `params` that decide what a message means. */
export const PARAMS_MEMBERS: ReadonlySet<string> = new Set([
  "_meta",
  "argument",
  "arguments",
  "capabilities",
  "clientInfo",
  "context",
  "cursor",
  "inputResponses",
  "level",
  "message",
  "name",
  "notifications",
  "progress",
  "progressToken",
  "protocolVersion",
  "reason",
  "ref",
  "requestId",
  "requestState",
  "task",
  "taskId",
  "total",
  "uri",
]);

/** Members of `params.ref` and `params.argument` of a completion. */
export const COMPLETION_MEMBERS: ReadonlySet<string> = new Set(["type", "name", "uri", "value", "title"]);

export const META_MEMBERS: ReadonlySet<string> = new Set([
  META_PROTOCOL_VERSION,
  META_CLIENT_CAPABILITIES,
  META_CLIENT_INFO,
  META_LOG_LEVEL,
  "progressToken",
  "traceparent",
  "tracestate",
  "baggage",
]);

/**
 * The spelling under which a case-folding parser would find `name`: Unicode compatibility forms (full width, long s,
 * Kelvin sign) and letter case are dropped.
 */
function folded(name: string): string {
  return name.normalize("NFKC").toLowerCase();
}

const foldedMembers = new WeakMap<ReadonlySet<string>, ReadonlySet<string>>(
  [MESSAGE_MEMBERS, PARAMS_MEMBERS, COMPLETION_MEMBERS, META_MEMBERS].map((set) => [
    set,
    new Set([...set].map(folded)),
  ]),
);

/**
 * UTF-16 code units of the longest name that is folded. No character folds to more than one ASCII character for each two
 * units of its own and none of the known names has more than 64 letters, so longer names are no variants; and
 * normalising a long run of combining marks takes quadratic time.
 */
const MAX_FOLDED_LENGTH = 128;

/** The first member name that is not in `known` but that a case-folding parser would take for one that is. */
export function variantOf(names: readonly string[], known: ReadonlySet<string>): string | undefined {
  for (const name of names) {
    if (name.length > MAX_FOLDED_LENGTH || known.has(name)) continue;
    if (foldedMembers.get(known)?.has(folded(name)) === true) return name;
  }
  return undefined;
}

/** True if the text has a C0 control, DEL or C1 control character. */
export function hasControlCharacter(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code < 0x20 || (code >= 0x7f && code <= 0x9f)) return true;
  }
  return false;
}
