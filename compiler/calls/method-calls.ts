// What policies see of MCP methods: calls to begin with, and what must agree with what in them.
import type { LeafKind } from "#bundle";
import { isAegisError } from "#errors";
import { elicitationArguments, rootArguments, taskArguments } from "#methods";
import type { JsonObject, JsonValue } from "#std";

const SAMPLING: JsonObject = {
  ...{ maxTokens: 100, modelHints: [], modelHintLines: "", tools: [], toolChoice: "auto" },
  ...{ includeContext: "none", messageCount: 1, contentTypes: ["text"], hasSystemPrompt: false },
};
const FORM: JsonObject = {
  ...{ mode: "form", fields: ["name"], fieldLines: "name", url: "", urlScheme: "", urlHost: "" },
};
const SAMPLE_SCHEME = "https";
const SAMPLE_HOST = "example.com";

/** Calls that other values are put into; empty for what is no method. */
export function methodStarts(kind: LeafKind): readonly JsonObject[] {
  switch (kind) {
    case "sampling":
      return [
        SAMPLING,
        { ...SAMPLING, includeContext: "allServers", tools: ["sample"], modelHints: ["sample"] },
      ];
    case "elicitation":
      return [FORM, { ...elicitationArguments({ mode: "url", url: `${SAMPLE_SCHEME}://${SAMPLE_HOST}/` }) }];
    case "roots":
      return ["https://example.com/", "file:///home/sample"].map((uri) => rootArguments({ uri }));
    case "completion":
      return ["prompt", "resource"].map((refType) => ({ refType, ref: "sample", argument: "sample" }));
    case "logging":
      return ["debug", "info", "error", "emergency"].map((level) => ({ level }));
    case "subscription":
      return [{ uri: "https://example.com/" }];
    case "task":
      return ["client-to-server", "server-to-client"].map((direction) => ({
        ...taskArguments("task", "tool"),
        direction,
      }));
    default:
      return [];
  }
}

/** The call with everything that follows from its other members; undefined where no client or server could make it. */
export function coherentCall(kind: LeafKind, args: JsonObject): JsonObject | undefined {
  switch (kind) {
    case "sampling":
      return { ...args, ...joined(args, "modelHints", "modelHintLines", (name) => name) };
    case "elicitation":
      return elicitation(args);
    case "roots":
      return root(args);
    default:
      return args;
  }
}

/** Names, and the same names one on each line. Lines that say something else than the names prevail. */
function joined(
  args: JsonObject,
  list: string,
  lines: string,
  written: (name: string) => string,
): JsonObject {
  const names = Array.isArray(args[list]) ? (args[list] as readonly JsonValue[]).map(String) : [];
  const text = args[lines];
  const known = names.map(written).join("\n");
  // An untouched start has the lines of its own names.
  const isStart = text === "" || text === "name" || text === undefined || text === known;
  const own = isStart
    ? names
    : String(text)
        .split("\n")
        .filter((line) => line !== "");
  const sorted = [...new Set(own)].sort();
  return { [list]: sorted, [lines]: sorted.map(written).join("\n") };
}

function elicitation(args: JsonObject): JsonObject | undefined {
  if (args["mode"] !== "url") {
    const fields = joined(args, "fields", "fieldLines", (name) => name.normalize("NFKC").toLowerCase());
    return { ...args, ...fields, url: "", urlScheme: "", urlHost: "" };
  }
  const scheme = textAt(args, "urlScheme", SAMPLE_SCHEME);
  const host = textAt(args, "urlHost", SAMPLE_HOST);
  const isOther = scheme !== SAMPLE_SCHEME || host !== SAMPLE_HOST;
  const url = isOther ? `${scheme}://${host}/` : textAt(args, "url", "");
  const made = possible(() => elicitationArguments({ mode: "url", url }));
  // A host that nothing can be read as belongs to no request.
  return isOther && made?.["urlHost"] === "" ? undefined : made;
}

function root(args: JsonObject): JsonObject | undefined {
  const uri = textAt(args, "uri", "");
  const scheme = textAt(args, "scheme", "");
  const isOther =
    scheme !== "" && !uri.startsWith(`${scheme}:`) && /^(?:https|file):\/\/\/?(?:example|home)/u.test(uri);
  return possible(() => rootArguments({ uri: isOther ? `${scheme}://sample/` : uri }));
}

function textAt(args: JsonObject, name: string, otherwise: string): string {
  const value = args[name];
  return typeof value === "string" && value !== "" ? value : otherwise;
}

function possible(make: () => JsonObject): JsonObject | undefined {
  try {
    return make();
  } catch (fault) {
    if (!isAegisError(fault)) throw fault;
    return undefined;
  }
}
