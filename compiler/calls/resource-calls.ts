// Resource URIs of a plan, and the leaf that stands for each on either side: rules that change their pattern change
// which leaf decides.
import type { BundleContent, LeafAction, LeafKind, ServerId } from "#bundle";
import { createResourceIndex, isUriPattern, patternRegex, uriFault } from "#resources";
import type { ResourceIndex } from "#resources";
import type { JsonObject } from "#std";
import { matchingSamples, nearMisses } from "./sample-pattern.ts";

/** True for a leaf whose calls are reads of a URI. */
export function isResourceKind(kind: LeafKind): boolean {
  return kind === "resource" || kind === "resource-template" || kind === "resource-rule";
}

/** False for a read that is refused before any policy is asked. */
export function isReadable(kind: LeafKind, args: JsonObject): boolean {
  if (!isResourceKind(kind)) return true;
  const { uri } = args;
  return typeof uri === "string" && uriFault(uri) === undefined;
}

/** URIs inside and just outside of templates and patterns, canonical ones only. */
export function uriSamples(names: readonly string[]): readonly string[] {
  const inside = names.flatMap(expansions);
  const outside = names.flatMap((name) => (isUriPattern(name) ? nearMisses(patternRegex(name)) : []));
  const beside = inside.flatMap((uri) => [
    uri.replace(/[^/]*$/u, "outside"),
    uri.replace(/[^/]+\/[^/]*$/u, "outside/sample"),
  ]);
  return [...new Set([...inside, ...outside, ...beside])].filter((uri) => uriFault(uri) === undefined);
}

function expansions(name: string): readonly string[] {
  if (!isUriPattern(name)) return [name.replace(/\{[^}]*\}/gu, "sample")];
  const filled = ["sample", "sample/inner"].map((text) =>
    name.replace(/\*\*/gu, text).replace(/\*/gu, "sample"),
  );
  return [...filled, ...matchingSamples(patternRegex(name))];
}

/** Finds the leaf that decides a read. */
export class ResourceLeaves {
  readonly #content: BundleContent;
  readonly #indexes = new Map<string, ResourceIndex>();

  constructor(content: BundleContent) {
    this.#content = content;
  }

  /** Undefined for a URI that nothing on the server stands for. */
  leafOf(server: ServerId, uri: string): LeafAction | undefined {
    return this.#index(server).leafOf(uri)?.action;
  }

  #index(server: ServerId): ResourceIndex {
    const known = this.#indexes.get(server);
    if (known !== undefined) return known;
    const entry = this.#content.registry.servers.find(({ id }) => id === server);
    const index = createResourceIndex(entry?.leaves ?? []);
    this.#indexes.set(server, index);
    return index;
  }
}
