// Names that people write in documents → pinned definitions.
import type { PinnedKind } from "#bundle";
import type { DiagnosticSink, SourceSpan } from "../diagnostics/index.ts";
import type { TargetGroup } from "../documents/shapes.ts";
import { didYouMean } from "../documents/yaml-source.ts";
import type { LoweredRegistry, PinnedLeaf } from "./registry.ts";

/** Group of documents in which a leaf of each kind is named. */
const GROUP_OF_KIND: Readonly<Record<PinnedKind, TargetGroup>> = {
  tool: "tools",
  resource: "resources",
  "resource-template": "resources",
  prompt: "prompts",
};

const NOUN: Readonly<Record<TargetGroup, string>> = {
  tools: "tool",
  resources: "resource",
  prompts: "prompt",
};

export class NameIndex {
  readonly #byName = new Map<string, PinnedLeaf[]>();
  readonly #byGroup = new Map<TargetGroup, PinnedLeaf[]>();

  constructor(registry: LoweredRegistry) {
    for (const leaf of registry.leaves.values()) {
      const group = GROUP_OF_KIND[leaf.leaf.kind];
      push(this.#byGroup, group, leaf);
      push(this.#byName, `${group} ${leaf.leaf.name}`, leaf);
      push(this.#byName, `${group} ${qualified(leaf)}`, leaf);
    }
  }

  /** Every pinned definition of one primitive on one server. */
  siblings(leaf: PinnedLeaf): readonly PinnedLeaf[] {
    const group = GROUP_OF_KIND[leaf.leaf.kind];
    return (this.#byGroup.get(group) ?? []).filter((other) => other.server === leaf.server);
  }

  groupOf(leaf: PinnedLeaf): TargetGroup {
    return GROUP_OF_KIND[leaf.leaf.kind];
  }

  /**
   * The definition that `name` means: a bare name that exists once within `servers`, or `server/name`.
   * Undefined after reporting NAME_UNKNOWN or NAME_AMBIGUOUS; an empty scope was reported as a whole.
   */
  resolve(
    group: TargetGroup,
    name: string,
    servers: ReadonlySet<string> | undefined,
    at: SourceSpan,
    sink: DiagnosticSink,
  ): PinnedLeaf | undefined {
    if (servers?.size === 0) return undefined;
    const inScope = (leaf: PinnedLeaf): boolean => servers === undefined || servers.has(leaf.server.entry.id);
    const all = [...new Set(this.#byName.get(`${group} ${name}`) ?? [])];
    const found = all.filter(inScope);
    const [only] = found;
    if (found.length === 1 && only !== undefined) return only;
    if (found.length > 1) {
      const choices = found.map(qualified).sort();
      const message = `${NOUN[group]} ${JSON.stringify(name)} exists on several servers`;
      sink.report("NAME_AMBIGUOUS", at, message, `write one of ${choices.join(", ")}`);
    } else {
      sink.report(
        "NAME_UNKNOWN",
        at,
        `no pinned ${NOUN[group]} is named ${JSON.stringify(name)}`,
        this.#hint(group, name, all),
      );
    }
    return undefined;
  }

  #hint(group: TargetGroup, name: string, outOfScope: readonly PinnedLeaf[]): string | undefined {
    const [elsewhere] = outOfScope;
    if (elsewhere !== undefined) return `${qualified(elsewhere)} is outside scope.servers of this document`;
    const leaves = this.#byGroup.get(group) ?? [];
    const hint = didYouMean(
      name,
      name.includes("/") ? leaves.map(qualified) : leaves.map((leaf) => leaf.leaf.name),
    );
    return hint ?? (leaves.length === 0 ? `no ${group} are pinned; run \`aegis pin\`` : undefined);
  }
}

/** `server/name`, which names one definition of a primitive whatever other servers have. */
export function qualified(leaf: PinnedLeaf): string {
  return `${leaf.server.entry.id}/${leaf.leaf.name}`;
}

function push<Key, Value>(map: Map<Key, Value[]>, key: Key, value: Value): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
