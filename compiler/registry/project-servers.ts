// Where the servers of a project are, read without pins: `aegis pin` runs before there are any.
import type { ServerId, TransportEntry } from "#bundle";
import { DiagnosticSink } from "../diagnostics/index.ts";
import type { Diagnostic } from "../diagnostics/index.ts";
import { loadDocuments } from "../documents/load.ts";
import { environmentNames } from "../lower/environments.ts";
import { lowerRegistry } from "../lower/registry.ts";
import { directoryWorkspace } from "../workspace/index.ts";

export interface ProjectServer {
  readonly id: ServerId;
  /** Absent where the environment has no address for it. */
  readonly transport: TransportEntry | undefined;
}

export interface ProjectServers {
  readonly servers: readonly ProjectServer[];
  readonly environments: readonly string[];
  readonly environment: string;
  /** Errors that keep the registry from being read; missing and stale pins are not among them. */
  readonly errors: readonly Diagnostic[];
}

/** Reads registry/servers for one environment, by default the project's first. Throws WorkspaceError. */
export function readProjectServers(dir: string, environment?: string): ProjectServers {
  const sink = new DiagnosticSink();
  const documents = loadDocuments(directoryWorkspace(dir), sink);
  const environments = environmentNames(documents, sink, undefined);
  const chosen = environment ?? environments[0] ?? "dev";
  const registry = lowerRegistry(documents, environments, sink, undefined);
  const errors = sink
    .sorted()
    .filter(
      (item) =>
        item.severity === "error" &&
        !item.code.startsWith("PIN_") &&
        item.file.startsWith("registry/servers/"),
    );
  const servers = registry.section.servers.map(({ id, transports }) => ({
    id,
    transport: transports[chosen],
  }));
  return { servers, environments, environment: chosen, errors };
}
