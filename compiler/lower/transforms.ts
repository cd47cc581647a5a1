// transforms.<tool>.redact → transforms.json.
import { DEFAULT_TENANT } from "#bundle";
import type {
  DefinitionEntry,
  LeafAction,
  TransformEntry,
  TransformOperation,
  TransformsSection,
} from "#bundle";
import type { DiagnosticSink, SourceSpan } from "../diagnostics/index.ts";
import type { Documents, Parsed } from "../documents/load.ts";
import type { PolicyShape } from "../documents/shapes.ts";
import { lowerRedaction } from "../transforms/index.ts";
import type { LoweredRedaction, TransformFinding } from "../transforms/index.ts";
import type { NameIndex } from "./names.ts";
import { policyIdOf, scopeServers } from "./policies.ts";
import type { LoweredRegistry, PinnedLeaf } from "./registry.ts";

interface EntryDraft {
  readonly request: TransformOperation[];
  readonly response: TransformOperation[];
  readonly publicNames: Set<string>;
}

interface WrittenPath {
  readonly document: Parsed<PolicyShape>;
  readonly tool: string;
  readonly index: number;
  readonly path: string;
}

/** Where `offset` units into the path stand; the value is quoted where it is longer than the path. */
function placeOf(written: WrittenPath, offset: number): SourceSpan {
  const at = written.document.source.at("transforms", written.tool, "redact", written.index);
  const quoted = at.endColumn !== undefined && at.endColumn - at.column === written.path.length + 2;
  if (!quoted && at.endColumn !== at.column + written.path.length) return at;
  return { ...at, column: at.column + (quoted ? 1 : 0) + offset };
}

function reportFinding(written: WrittenPath, finding: TransformFinding, sink: DiagnosticSink): void {
  const { code, severity, message, help, offset } = finding;
  sink.add({ code, severity, ...placeOf(written, offset), message, ...(help === undefined ? {} : { help }) });
}

/** A server may describe a tool differently in each era: the readings of all definitions are applied. */
function lowerForAll(
  written: WrittenPath,
  definitions: readonly DefinitionEntry[],
  sink: DiagnosticSink,
): readonly LoweredRedaction[] {
  return definitions.flatMap(({ definition }) => {
    const { redaction, findings } = lowerRedaction({
      path: written.path,
      inputSchema: definition["inputSchema"],
      outputSchema: definition["outputSchema"],
    });
    for (const finding of findings) reportFinding(written, finding, sink);
    return redaction === undefined ? [] : [redaction];
  });
}

function distinctPaths(redactions: readonly LoweredRedaction[]): TransformOperation["paths"] {
  const paths = redactions.flatMap((redaction) => redaction.paths);
  return [...new Map(paths.map((path) => [JSON.stringify(path), path])).values()];
}

function addOperations(
  draft: EntryDraft,
  written: WrittenPath,
  leaf: PinnedLeaf,
  sink: DiagnosticSink,
): void {
  const policy = policyIdOf(written.document, ["transforms", written.tool, "redact", written.index]);
  const redactions = lowerForAll(written, leaf.leaf.definitions, sink);
  for (const direction of ["request", "response"] as const) {
    const own = redactions.filter((redaction) => redaction.direction === direction);
    if (own.length > 0) draft[direction].push({ policy, verb: "redact", paths: distinctPaths(own) });
    for (const redaction of own) for (const name of redaction.publicNames) draft.publicNames.add(name);
  }
}

function entryOf(action: LeafAction, draft: EntryDraft): TransformEntry {
  const { request, response, publicNames } = draft;
  return { tenant: DEFAULT_TENANT, action, request, response, publicNames: [...publicNames].sort() };
}

export function lowerTransforms(
  documents: Documents,
  registry: LoweredRegistry,
  names: NameIndex,
  sink: DiagnosticSink,
): TransformsSection {
  const drafts = new Map<LeafAction, EntryDraft>();
  for (const document of documents.policies) {
    // Faults of the scope itself are reported with the policies of the document.
    const servers = scopeServers(document, registry, undefined);
    for (const [tool, { redact = [] }] of Object.entries(document.shape.transforms ?? {})) {
      const at = document.source.atKey("transforms", tool);
      const leaf = names.resolve("tools", tool, servers, at, sink);
      if (leaf === undefined) continue;
      const { action } = leaf.leaf;
      const draft = drafts.get(action) ?? { request: [], response: [], publicNames: new Set<string>() };
      drafts.set(action, draft);
      for (const [index, path] of redact.entries())
        addOperations(draft, { document, tool, index, path }, leaf, sink);
    }
  }
  const entries = [...drafts].map(([action, draft]) => entryOf(action, draft));
  return { transforms: entries.sort((a, b) => (a.action < b.action ? -1 : 1)) };
}
