// transforms.<target>.<verb> → transforms.json.
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
import type { PolicyShape, TargetGroup, TransformShape } from "../documents/shapes.ts";
import { lowerPromptArguments } from "../json-schema/index.ts";
import { formatPath, lowerOperation } from "../transforms/index.ts";
import type { LoweredOperation, OperationSpec, TransformFinding } from "../transforms/index.ts";
import type { NameIndex } from "./names.ts";
import { policyIdOf, scopeServers } from "./policies.ts";
import type { LoweredRegistry, PinnedLeaf } from "./registry.ts";

interface EntryDraft {
  readonly request: TransformOperation[];
  readonly response: TransformOperation[];
  readonly publicNames: Set<string>;
  /** What is written for each direction and path, to find lines that contradict each other. */
  readonly written: Map<string, WrittenLine[]>;
}

/** One line of `transforms`. */
interface WrittenLine {
  readonly document: Parsed<PolicyShape>;
  readonly target: string;
  readonly index: number;
  readonly path: string;
  readonly spec: OperationSpec;
}

/** Where the path of a line stands: the line itself, or its `path`. */
function pathKeys({ target, index, spec }: WrittenLine): readonly (string | number)[] {
  const isPlain = spec.verb === "redact" || spec.verb === "remove" || spec.verb === "hash";
  return ["transforms", target, spec.verb, index, ...(isPlain ? [] : ["path"])];
}

/** Where `offset` units into the path stand; the value is quoted where it is longer than the path. */
function placeOf(written: WrittenLine, offset: number): SourceSpan {
  const at = written.document.source.at(...pathKeys(written));
  const quoted = at.endColumn !== undefined && at.endColumn - at.column === written.path.length + 2;
  if (!quoted && at.endColumn !== at.column + written.path.length) return at;
  return { ...at, column: at.column + (quoted ? 1 : 0) + offset };
}

function reportFinding(written: WrittenLine, finding: TransformFinding, sink: DiagnosticSink): void {
  const { code, severity, message, help, offset } = finding;
  sink.add({ code, severity, ...placeOf(written, offset), message, ...(help === undefined ? {} : { help }) });
}

/** A server may describe a tool differently in each era: the readings of all definitions are applied. */
function lowerForAll(
  written: WrittenLine,
  { kind, definitions }: PinnedLeaf["leaf"],
  sink: DiagnosticSink,
): readonly LoweredOperation[] {
  const described = (definition: DefinitionEntry["definition"]): LoweredOperation | undefined => {
    const { operation, findings } = lowerOperation({
      spec: written.spec,
      path: written.path,
      takesArguments: kind === "tool" || kind === "prompt",
      inputSchema: kind === "tool" ? definition["inputSchema"] : undefined,
      inputProgram: kind === "prompt" ? lowerPromptArguments(definition).program : undefined,
      outputSchema: kind === "tool" ? definition["outputSchema"] : undefined,
    });
    for (const finding of findings) reportFinding(written, finding, sink);
    return operation;
  };
  return definitions
    .map(({ definition }) => described(definition))
    .filter((operation) => operation !== undefined);
}

function distinctPaths(operations: readonly LoweredOperation[]): TransformOperation["paths"] {
  const paths = operations.flatMap((operation) => operation.paths);
  return [...new Map(paths.map((path) => [JSON.stringify(path), path])).values()];
}

const PREVAILS: Readonly<Record<OperationSpec["verb"], number>> = {
  remove: 6,
  replace: 5,
  redact: 4,
  hash: 3,
  truncate: 2,
  detect: 1,
};

/** What one line leaves to do for another at the same path; undefined where both have their effect. */
function contradiction(first: OperationSpec, second: OperationSpec): string | undefined {
  if (first.verb === second.verb) {
    if (first.verb === "detect" && second.verb === "detect") {
      const isCovered = second.detectors.every((name) => first.detectors.includes(name));
      return isCovered ? "the path is written twice" : undefined;
    }
    return first.verb === "replace"
      ? "the first value that is written prevails"
      : "the path is written twice";
  }
  const [high, low] = PREVAILS[first.verb] > PREVAILS[second.verb] ? [first, second] : [second, first];
  return PREVAILS[high.verb] < PREVAILS.hash
    ? undefined
    : `${high.verb} prevails over ${low.verb} at one path`;
}

function noteLine(
  draft: EntryDraft,
  written: WrittenLine,
  direction: string,
  paths: TransformOperation["paths"],
  sink: DiagnosticSink,
): void {
  const reported = new Set<string>();
  for (const path of paths) {
    const key = `${direction} ${formatPath(path)}`;
    const others = draft.written.get(key) ?? [];
    for (const other of others) {
      const message = contradiction(other.spec, written.spec);
      if (message === undefined || reported.has(message)) continue;
      reported.add(message);
      const { line } = placeOf(other, 0);
      const help = `The other line is ${other.document.source.file}:${line}; delete one of them.`;
      sink.report("TRANSFORM_CONFLICT", placeOf(written, 0), message, help);
    }
    draft.written.set(key, [...others, written]);
  }
}

function addOperations(
  draft: EntryDraft,
  written: WrittenLine,
  leaf: PinnedLeaf,
  sink: DiagnosticSink,
): void {
  const { document, target, index, spec } = written;
  const policy = policyIdOf(document, ["transforms", target, spec.verb, index]);
  const lowered = lowerForAll(written, leaf.leaf, sink);
  for (const direction of ["request", "response"] as const) {
    const own = lowered.filter((operation) => operation.direction === direction);
    if (own.length === 0) continue;
    const paths = distinctPaths(own);
    noteLine(draft, written, direction, paths, sink);
    draft[direction].push({ policy, paths, ...spec });
    for (const operation of own) for (const name of operation.publicNames) draft.publicNames.add(name);
  }
}

function entryOf(action: LeafAction, draft: EntryDraft): TransformEntry {
  const { request, response, publicNames } = draft;
  return { tenant: DEFAULT_TENANT, action, request, response, publicNames: [...publicNames].sort() };
}

interface Line {
  readonly index: number;
  readonly path: string;
  readonly spec: OperationSpec;
}

/** The lines of one target, in the order in which verbs prevail. */
function linesOf(shape: TransformShape): readonly Line[] {
  const plain = (verb: "redact" | "remove" | "hash"): readonly Line[] =>
    (shape[verb] ?? []).map((path, index) => ({ index, path, spec: { verb } }));
  return [
    ...plain("remove"),
    ...(shape.replace ?? []).map(({ path, value }, index): Line => ({
      index,
      path,
      spec: { verb: "replace", value },
    })),
    ...plain("redact"),
    ...plain("hash"),
    ...(shape.truncate ?? []).map(({ path, length }, index): Line => ({
      index,
      path,
      spec: { verb: "truncate", length },
    })),
    ...(shape.detect ?? []).map(({ path, detectors }, index): Line => ({
      index,
      path,
      spec: { verb: "detect", detectors: [...detectors].sort() },
    })),
  ];
}

const PREFIXES: readonly (readonly [prefix: string, group: TargetGroup])[] = [
  ["prompt:", "prompts"],
  ["resource:", "resources"],
];

/** `prompt:<name>`, `resource:<uri or template>`, else a tool. */
function targetOf(key: string): readonly [group: TargetGroup, name: string] {
  const found = PREFIXES.find(([prefix]) => key.startsWith(prefix));
  return found === undefined ? ["tools", key] : [found[1], key.slice(found[0].length)];
}

export function lowerTransforms(
  documents: Documents,
  registry: LoweredRegistry,
  names: NameIndex,
  sink: DiagnosticSink,
): TransformsSection {
  const drafts = new Map<LeafAction, EntryDraft>();
  const newDraft = (): EntryDraft => ({
    request: [],
    response: [],
    publicNames: new Set(),
    written: new Map(),
  });
  for (const document of documents.policies) {
    // Faults of the scope itself are reported with the policies of the document.
    const servers = scopeServers(document, registry, undefined);
    const isShadow = document.shape.policy?.mode === "shadow";
    for (const [target, shape] of Object.entries(document.shape.transforms ?? {})) {
      const at = document.source.atKey("transforms", target);
      const leaf = names.resolve(...targetOf(target), servers, at, sink);
      if (leaf === undefined) continue;
      const { action } = leaf.leaf;
      // Lines of a document in shadow mode are checked, and not applied.
      const draft = isShadow ? newDraft() : (drafts.get(action) ?? newDraft());
      if (!isShadow) drafts.set(action, draft);
      for (const line of linesOf(shape)) addOperations(draft, { document, target, ...line }, leaf, sink);
    }
  }
  const entries = [...drafts].map(([action, draft]) => entryOf(action, draft));
  return { transforms: entries.sort((a, b) => (a.action < b.action ? -1 : 1)) };
}
