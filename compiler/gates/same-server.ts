// Whether two entries of the registry stand for one server, whatever they are called.
import type { ServerEntry, TransportEntry } from "#bundle";

/** The same id, the same target in some environment, or a definition that both pin. */
export function isSameServer(a: ServerEntry, b: ServerEntry): boolean {
  return a.id === b.id || haveCommon(targets(a), targets(b)) || haveCommon(definitions(a), definitions(b));
}

function haveCommon(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return [...a].some((item) => b.has(item));
}

function targets({ transports }: ServerEntry): ReadonlySet<string> {
  return new Set(Object.values(transports).map(targetOf));
}

/** Spellings that may lead to one server are taken for one: arguments, queries, schemes, case and closing slashes. */
function targetOf(transport: TransportEntry): string {
  if (transport.type === "stdio") return `stdio ${transport.program}`;
  if (!URL.canParse(transport.url)) return `url ${transport.url}`;
  const { hostname, port, protocol, pathname } = new URL(transport.url);
  const isSecure = protocol === "https:" || protocol === "wss:";
  const host = `${hostname.replace(/\.+$/u, "")}:${port || (isSecure ? "443" : "80")}`;
  return `url ${host}${plainPath(pathname)}`.toLowerCase();
}

function plainPath(path: string): string {
  const parts = path.split("/").filter((part) => part !== "");
  return parts.map((part) => `/${decoded(part)}`).join("");
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function definitions({ leaves }: ServerEntry): ReadonlySet<string> {
  return new Set(leaves.flatMap((leaf) => leaf.definitions.map(({ digest }) => digest)));
}
