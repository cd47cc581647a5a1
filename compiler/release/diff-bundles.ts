// What differs between two bundles, section by section: `aegis diff`. Nothing of a bundle is left out: what has no table
// of its own here is compared as a whole.
import { decodeBundleFile, bundleDigest } from "#bundle";
import type { BundleContent, BundleManifest, Digest, ServerEntry } from "#bundle";
import { diffPins } from "#registry";
import type { PinChange, PinContent, PinEntry } from "#registry";
import { policyChanges, sliceChanges, sliceName } from "./diff-policies.ts";
import { compareTables, tableOf, unionOf, without } from "./diff-tables.ts";
import type { BundleChange, DiffSection, MemberChange, Row, Table } from "./diff-tables.ts";

export const DIFF_FORMAT_VERSION = 1;

/** A bundle that was opened under its own digest. */
export interface DiffSide {
  readonly digest: Digest;
  readonly manifest: BundleManifest;
  readonly content: BundleContent;
}

export interface BundleDiff {
  readonly formatVersion: typeof DIFF_FORMAT_VERSION;
  readonly before: { readonly digest: Digest; readonly name: string; readonly compilerVersion: string };
  readonly after: { readonly digest: Digest; readonly name: string; readonly compilerVersion: string };
  /** True where the bytes are equal. */
  readonly same: boolean;
  /** By section, in the order of `DIFF_SECTIONS`, then by subject. */
  readonly changes: readonly BundleChange[];
}

export const DIFF_SECTIONS: readonly DiffSection[] = [
  "bundle",
  "policies",
  "slices",
  "servers",
  "definitions",
  "environments",
  "routes",
  "issuers",
  "limits",
  "transforms",
  "vectors",
  "other",
];

/** Opens the bytes of an `.aegis` file. Throws TrustError with the codes of `decodeBundle`. */
export function diffSide(bytes: Uint8Array): DiffSide {
  const digest = bundleDigest(bytes);
  return { digest, ...decodeBundleFile(bytes, digest) };
}

export function diffBundles(before: DiffSide, after: DiffSide): BundleDiff {
  const compare = (section: DiffSection, table: (side: DiffSide) => Table): readonly BundleChange[] =>
    compareTables(section, table(before), table(after));
  const sameBytes = before.digest === after.digest;
  const changes = sameBytes
    ? []
    : [
        ...compare("bundle", manifestTable),
        ...policyChanges(before.content, after.content),
        ...sliceChanges(before.content, after.content),
        ...compare("servers", ({ content }) => serverTable(content)),
        ...definitionChanges(before.content, after.content),
        ...compare("environments", ({ content }) => environmentTable(content)),
        ...compare("routes", ({ content }) => perEnvironment(content, "routes", "path")),
        ...compare("issuers", ({ content }) => perEnvironment(content, "issuers", "issuer")),
        ...compare("limits", ({ content }) => tableOf(content.limits.limits, ({ id }) => id)),
        ...compare("transforms", ({ content }) => tableOf(content.transforms.transforms, transformName)),
        ...compare("vectors", ({ content }) =>
          tableOf(content.vectors.vectors, ({ action, name }) => `${action} ${name}`),
        ),
        ...compare("other", ({ content }) => otherTable(content)),
      ];
  return {
    formatVersion: DIFF_FORMAT_VERSION,
    before: summaryOf(before),
    after: summaryOf(after),
    same: sameBytes,
    changes,
  };
}

function summaryOf({ digest, manifest }: DiffSide): BundleDiff["before"] {
  return { digest, name: manifest.name, compilerVersion: manifest.compiler.version };
}

/** The manifest without its hashes: they differ wherever a section does. */
function manifestTable({ manifest }: DiffSide): Table {
  const files = Object.keys(manifest.files);
  return new Map([["manifest", { ...without(manifest, "files"), files }]]);
}

function transformName(entry: { readonly action: string; readonly tenant?: string }): string {
  return sliceName({ tenant: entry.tenant ?? "default", action: entry.action });
}

/** Servers, and of their definitions what the compiler added to what was pinned. */
function serverTable({ registry }: BundleContent): Table {
  const servers = tableOf(registry.servers, ({ id }) => id);
  const leaves = tableOf(
    registry.servers.flatMap((server) => server.leaves),
    ({ action }) => action,
  );
  return new Map([
    ...[...servers].map(([id, server]): [string, Row] => [id, without(server, "id", "leaves", "eras")]),
    ...[...leaves].map(([action, leaf]): [string, Row] => [action, without(leaf, "action", "definitions")]),
  ]);
}

function definitionChanges(before: BundleContent, after: BundleContent): readonly BundleChange[] {
  const old = new Map(before.registry.servers.map((server) => [server.id, server]));
  const now = new Map(after.registry.servers.map((server) => [server.id, server]));
  return unionOf(old.keys(), now.keys()).flatMap((id) => {
    const changes = diffPins(pinsOf(id, old.get(id)), pinsOf(id, now.get(id)));
    const grouped = Map.groupBy(changes, (change) => pinSubject(id, change));
    const told = [...grouped].map(([subject, rows]): BundleChange => ({
      section: "definitions",
      what: wholeChange(rows) ?? "changed",
      subject,
      members: rows.map(memberOf),
    }));
    // Words may pass over what they have no name for; digests do not.
    const untold = compareTables("definitions", digestTable(old.get(id)), digestTable(now.get(id))).filter(
      ({ subject, what }) => what === "changed" && !grouped.has(subject),
    );
    return [...told, ...untold];
  });
}

/** `added` or `removed` where that is all there is to say of a definition. */
function wholeChange(rows: readonly PinChange[]): "added" | "removed" | undefined {
  const [first] = rows;
  if (rows.length !== 1 || first?.pointer !== "") return undefined;
  return first.what === "added" || first.what === "removed" ? first.what : undefined;
}

function digestTable(server: ServerEntry | undefined): Table {
  const rows = (server?.leaves ?? []).filter(({ definitions }) => definitions.length > 0);
  const named = tableOf(rows, ({ kind, name }) => `${server?.id ?? ""}: ${kind} ${name}`);
  return new Map(
    [...named].map(([subject, { definitions }]) => [
      subject,
      { digests: (definitions as readonly { readonly digest: Digest }[]).map(({ digest }) => digest) },
    ]),
  );
}

function pinsOf(id: string, server: ServerEntry | undefined): PinContent {
  const entries = (server?.leaves ?? []).flatMap(({ kind, name, definitions }) =>
    definitions.map((definition): PinEntry => ({ ...definition, kind: kind as PinEntry["kind"], name })),
  );
  return { server: id, eras: server?.eras ?? {}, entries };
}

function pinSubject(server: string, { leaf }: PinChange): string {
  return leaf === undefined ? `${server}: announcement` : `${server}: ${leaf.kind} ${leaf.name}`;
}

function memberOf(change: PinChange): MemberChange {
  const { pointer, eras, message, impact, before, after } = change;
  return {
    member: pointer === "" ? "definition" : pointer,
    message: `${message} (${eras.join(", ")})`,
    impact,
    ...(before === undefined ? {} : { before }),
    ...(after === undefined ? {} : { after }),
  };
}

function environmentTable({ routes }: BundleContent): Table {
  return new Map(
    Object.entries(routes.environments).map(([name, environment]) => [
      name,
      without(environment, "routes", "issuers"),
    ]),
  );
}

function perEnvironment(content: BundleContent, list: "routes" | "issuers", key: "path" | "issuer"): Table {
  const rows = Object.entries(content.routes.environments).flatMap(([name, environment]) =>
    environment[list].map((row): readonly [string, Row] => [name, { ...row }]),
  );
  const named = tableOf(rows, ([name, row]) => `${name}: ${String(row[key])}`);
  return new Map([...named].map(([subject, pair]) => [subject, without(pair["1"] as Row, key)]));
}

/** Sections and members of sections that no table above shows. */
function otherTable(content: BundleContent): Table {
  const { registry, policies, routes, limits, transforms, sources, vectors, ...rest } = content;
  const sections: readonly (readonly [string, Row])[] = [
    ["registry", without(registry, "servers")],
    ["policies", without(policies, "slices", "residuals", "schemas")],
    ["routes", without(routes, "environments")],
    ["limits", without(limits, "limits")],
    ["transforms", without(transforms, "transforms")],
    ["sources", without(sources, "policies")],
    ["vectors", without(vectors, "vectors")],
    ["bundle", without(rest, "name")],
  ];
  return new Map(sections);
}
