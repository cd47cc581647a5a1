// Where a server is, in each environment: the transport of its document, the addresses of environments/, the overlay.
import { isCredentialHeader } from "#bundle";
import type { RemoteTransport, TransportEntry } from "#bundle";
import type { DiagnosticSink } from "../diagnostics/index.ts";
import type { Documents, Parsed } from "../documents/load.ts";
import type { ServerShape } from "../documents/shapes.ts";
import type { Overlay } from "./overlay.ts";

const SCHEMES: Readonly<Record<RemoteTransport["type"], readonly string[]>> = {
  "streamable-http": ["https:", "http:"],
  sse: ["https:", "http:"],
  websocket: ["wss:", "ws:"],
};
const LOGICAL_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/u;

function isUrlFor(type: RemoteTransport["type"], text: string): boolean {
  const url = URL.parse(text);
  return (
    url !== null &&
    SCHEMES[type].includes(url.protocol) &&
    url.username === "" &&
    url.password === "" &&
    url.hash === ""
  );
}

function article(type: RemoteTransport["type"]): string {
  return type === "websocket" ? "a" : "an";
}

/** `http or https`. */
function schemesOf(type: RemoteTransport["type"]): string {
  return SCHEMES[type]
    .map((scheme) => scheme.slice(0, -1))
    .toReversed()
    .join(" or ");
}

function remoteTransport(
  type: RemoteTransport["type"],
  document: Parsed<ServerShape>,
  wrong: (member: string, message: string) => undefined,
): RemoteTransport | undefined {
  const { url, program, args, credential, header } = document.shape.transport;
  if (program !== undefined) return wrong("program", `${type} has no program`);
  if (args !== undefined) return wrong("args", `${type} has no args`);
  if (url === undefined) return wrong("type", `${type} needs a url`);
  if (!isUrlFor(type, url))
    return wrong("url", `expected ${article(type)} ${schemesOf(type)} URL without credentials or fragment`);
  if (credential === undefined) {
    return header === undefined ? { type, url } : wrong("header", "a header needs a credential to carry");
  }
  if (!LOGICAL_NAME.test(credential)) {
    return wrong("credential", "a credential is a logical name, not a secret: gateway.json maps it to one");
  }
  if (header === undefined) return { type, url, credential };
  if (!isCredentialHeader(header.toLowerCase()))
    return wrong("header", "expected a header name that neither HTTP nor MCP gives a meaning");
  return { type, url, credential, header: header.toLowerCase() };
}

function baseTransport(document: Parsed<ServerShape>, sink: DiagnosticSink): TransportEntry | undefined {
  const { type, url, program, args, credential, header } = document.shape.transport;
  const { source } = document;
  const wrong = (member: string, message: string): undefined => {
    sink.report("TRANSPORT_INVALID", source.at("transport", member), message);
  };
  if (type !== "stdio") return remoteTransport(type, document, wrong);
  if (url !== undefined) return wrong("url", "stdio has no url");
  if (credential !== undefined)
    return wrong("credential", "stdio has no credential: gateway.json gives a program its environment");
  if (header !== undefined) return wrong("header", "stdio has no header");
  if (program === undefined) return wrong("type", "stdio needs a program");
  if (!LOGICAL_NAME.test(program)) {
    return wrong("program", "a program is a logical name, not a path: gateway.json maps it to an executable");
  }
  return { type, program, args: args ?? [] };
}

/** `prod` of `environments/prod.yaml` or `routes/prod.yaml`. */
export function environmentNameOf(file: string): string {
  return file.slice(file.indexOf("/") + 1).replace(/\.ya?ml$/u, "");
}

/** The transport of one server by environment; findings go to `sink`, and a transport with one is left out. */
export function transportsOf(
  document: Parsed<ServerShape>,
  environments: readonly string[],
  documents: Documents,
  sink: DiagnosticSink,
  overlay: Overlay | undefined,
): Readonly<Record<string, TransportEntry>> {
  const base = baseTransport(document, sink);
  const id = document.shape.metadata.name;
  const transports: Record<string, TransportEntry> = {};
  for (const environment of environments) {
    const values = documents.environments.find((item) => environmentNameOf(item.source.file) === environment);
    const url = values?.shape.upstreams?.[id]?.url;
    const laid = overlay?.environment === environment ? overlay.transports?.[id] : undefined;
    if (laid !== undefined) transports[environment] = laid;
    else if (url === undefined || values === undefined) {
      if (base !== undefined) transports[environment] = base;
    } else if (base === undefined) continue;
    else if (base.type === "stdio")
      sink.report("TRANSPORT_INVALID", values.source.at("upstreams", id, "url"), "a stdio server has no url");
    else if (!isUrlFor(base.type, url)) {
      const message = `a ${base.type} server needs ${article(base.type)} ${schemesOf(base.type)} URL without credentials or fragment`;
      sink.report("TRANSPORT_INVALID", values.source.at("upstreams", id, "url"), message);
    } else transports[environment] = { ...base, url };
  }
  return transports;
}
