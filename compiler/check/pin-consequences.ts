// A pin file that cannot be read makes every name it holds unknown, and a server document that is left out its server as
// well. Only the file itself is reported then: its consequences say nothing that its author could act on.
import type { Diagnostic } from "../diagnostics/index.ts";
import type { Documents } from "../documents/load.ts";

const PIN_FILE = /^registry\/pins\/(.+)\.json$/u;
/** Findings that make a pin file, or an entry of it, unreadable. */
const UNREADABLE: ReadonlySet<string> = new Set([
  "PIN_INVALID",
  "SOURCE_ENCODING",
  "SOURCE_LIMIT",
  "SOURCE_UNSAFE",
]);
/** Findings that follow from names, arguments or actions that are not pinned. */
const CONSEQUENCES: ReadonlySet<string> = new Set([
  "ARGUMENT_UNKNOWN",
  "CEDAR_NEVER_APPLIES",
  "CEDAR_UNKNOWN_ACTION",
  "CEDAR_UNKNOWN_TARGET",
  "NAME_UNKNOWN",
  "PIN_MISSING",
  "ROUTE_SERVER_UNPINNED",
]);
/** Findings on the name of a server. */
const ABOUT_SERVERS: ReadonlySet<string> = new Set([
  "CEDAR_UNKNOWN_ENTITY",
  "PIN_SERVER_UNKNOWN",
  "SERVER_UNKNOWN",
]);

/** Servers that the names in a file are looked up on, by file; a file that is not there may mean any. */
function scopesOf({ policies, servers }: Documents): ReadonlyMap<string, readonly string[]> {
  const scopes = new Map<string, readonly string[]>();
  for (const { source, shape } of policies)
    if (shape.scope?.servers !== undefined) scopes.set(source.file, shape.scope.servers);
  for (const { source, shape } of servers) scopes.set(source.file, [shape.metadata.name]);
  return scopes;
}

/**
 * The diagnostics without those that only an unreadable pin file or server document causes. Order is kept. What a document says about
 * other servers alone is no consequence.
 */
export function withoutPinConsequences(
  diagnostics: readonly Diagnostic[],
  documents: Documents,
): readonly Diagnostic[] {
  const undeclared = new Set(documents.faultyServers);
  const broken = new Set<string>(undeclared);
  for (const { code, file } of diagnostics) {
    const server = PIN_FILE.exec(file)?.[1];
    if (server !== undefined && UNREADABLE.has(code)) broken.add(server);
  }
  if (broken.size === 0) return diagnostics;
  const scopes = scopesOf(documents);
  return diagnostics.filter(({ code, file, message }) => {
    if (ABOUT_SERVERS.has(code)) return !isAboutServer(message, undeclared);
    // A label or tier may be one of the server that was left out.
    if (code === "SCOPE_EMPTY") return undeclared.size === 0;
    if (!CONSEQUENCES.has(code)) return true;
    const scope = scopes.get(file);
    return scope !== undefined && !scope.some((server) => broken.has(server));
  });
}

function isAboutServer(message: string, servers: ReadonlySet<string>): boolean {
  const name = /^(?:no server is named|the server) ("(?:[^"\\]|\\.)*")/u.exec(message)?.[1];
  return name !== undefined && servers.has(JSON.parse(name) as string);
}
