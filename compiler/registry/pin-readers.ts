// Which rules of a repository read what changed: policies through their residuals and derived facts, and transforms.
import type { BundleContent, PinnedKind } from "#bundle";
import { DEFAULT_TENANT, METHODS_OF_KIND, leafActionOf } from "#bundle";
import { annotationReads } from "../cedar/annotation-reads.ts";
import type { AnnotationReads } from "../cedar/annotation-reads.ts";
import { ReadsTable } from "../cedar/argument-reads.ts";
import type { PolicyEst } from "../cedar/est.ts";
import type { PinChange } from "./diff-pins.ts";

export interface PinReader {
  /** Policy id; of a transform too: its file and its place there. */
  readonly rule: string;
  /** Arguments that it reads, `a.b`; empty where it decides about the definition as a whole. */
  readonly arguments: readonly string[];
}

type Reads = readonly (readonly string[])[];

/** True where one path leads to, or through, the other. */
function meet(a: readonly string[], b: readonly string[]): boolean {
  return a.slice(0, b.length).every((name, index) => name === b[index]);
}

function touches(argument: readonly string[] | undefined, reads: Reads): boolean {
  if (argument === undefined) return true;
  const names = argument.filter((name) => name !== "[]");
  return reads.some((path) => meet(path, names));
}

export class PinReaders {
  readonly #content: BundleContent;
  readonly #table = new ReadsTable();

  readonly #annotations: readonly AnnotationReads[];

  /**
   * @param content what the committed repository compiles to, with the pins as they are.
   * @param textOf text of a source file: specialisation folds annotations away, so policies are read as written.
   */
  constructor(content: BundleContent, textOf: (file: string) => string | undefined = () => undefined) {
    this.#content = content;
    const files = new Set(Object.values(content.sources.policies).map(({ file }) => file));
    // No other document can name an annotation.
    this.#annotations = [...files]
      .filter((file) => file.endsWith(".cedar"))
      .flatMap((file) => annotationReads({ file, text: textOf(file) ?? "" }, DEFAULT_TENANT));
  }

  /** The rules that read what `change` is about; text is read by none. */
  readersOf(server: string, change: PinChange): readonly PinReader[] {
    const { leaf, formerName } = change;
    if (
      leaf === undefined ||
      change.impact === "text" ||
      (change.what === "added" && change.aspect === "leaf")
    )
      return [];
    if (change.aspect === "annotations") return this.#annotationReaders(server, change.pointer.split("/")[2]);
    const action = this.#actionOf(server, leaf.kind, formerName ?? leaf.name);
    const isWhole = change.aspect === "leaf";
    const readers = new Map<string, PinReader>();
    for (const slice of this.#content.policies.slices) {
      if (slice.action !== action) continue;
      for (const { id, residual } of [...slice.call, ...slice.shadow]) {
        const est = this.#content.policies.residuals[residual];
        if (est === undefined) continue;
        const reads = this.#readsOf(est as unknown as PolicyEst, slice.derivations);
        const isRead = change.aspect === "schema" && reads.length > 0 && touches(change.argument, reads);
        if (isWhole || isRead) readers.set(id, { rule: id, arguments: reads.map((path) => path.join(".")) });
      }
    }
    for (const reader of this.#transformReaders(action, change)) readers.set(reader.rule, reader);
    return [...readers.values()].sort((a, b) => (a.rule < b.rule ? -1 : 1));
  }

  /** `name` undefined: all annotations changed. */
  #annotationReaders(server: string, name: string | undefined): readonly PinReader[] {
    return this.#annotations
      .filter(
        (reads) =>
          (reads.server ?? server) === server &&
          (name === undefined || reads.names === undefined || reads.names.has(name)),
      )
      .map(({ id }) => ({ rule: id, arguments: [] }))
      .sort((a, b) => (a.rule < b.rule ? -1 : 1));
  }

  #actionOf(server: string, kind: PinnedKind, name: string): string {
    return leafActionOf(METHODS_OF_KIND[kind][0], server, name);
  }

  #readsOf(est: PolicyEst, derivations: BundleContent["policies"]["slices"][number]["derivations"]): Reads {
    const { values, presences, elements } = this.#table.readsOf(est);
    const counted = elements.map(({ path }) => path);
    const text = JSON.stringify(est);
    const derived = derivations
      .filter(({ name, path }) => path[0] === "arguments" && text.includes(JSON.stringify(name)))
      .map(({ path }) => path.slice(1));
    return [
      ...new Map(
        [...values, ...presences, ...counted, ...derived].map((path) => [path.join("\0"), path]),
      ).values(),
    ];
  }

  #transformReaders(action: string, change: PinChange): PinReader[] {
    const readers: PinReader[] = [];
    for (const entry of this.#content.transforms.transforms) {
      if (entry.action !== action) continue;
      const sides = [
        [entry.request, change.aspect === "schema"],
        [entry.response, change.aspect === "output"],
      ] as const;
      for (const [operations, isTouched] of sides) {
        if (operations.length === 0 || (!isTouched && change.aspect !== "leaf")) continue;
        for (const { policy } of operations) readers.push({ rule: policy, arguments: [] });
      }
    }
    return readers;
  }
}
