// Every document of a repository, read and validated. Where a file lies decides what it is.
import type { DiagnosticSink } from "../diagnostics/index.ts";
import { startOf } from "../diagnostics/index.ts";
import { DEFAULT_TENANT } from "#bundle";
import type { Workspace } from "../workspace/index.ts";
import { readCedarTests } from "./cedar-tests.ts";
import { layerOf } from "./layer.ts";
import { parsePinFile } from "./pin-file.ts";
import type { PinFile } from "./pin-file.ts";
import type { DocumentShapes } from "./shapes.ts";
import { MAX_AUTHORED_BYTES, readText } from "./source-text.ts";
import { validateDocument } from "./validate.ts";
import type { DocumentKind } from "./validate.ts";
import { parseYaml } from "./yaml-source.ts";
import type { YamlSource } from "./yaml-source.ts";

export interface Parsed<Shape> {
  readonly source: YamlSource;
  readonly shape: Shape;
}

export interface CedarSource {
  readonly file: string;
  readonly text: string;
}

export interface Documents {
  readonly project: Parsed<DocumentShapes["Project"]> | undefined;
  readonly policies: readonly Parsed<DocumentShapes["Policy"]>[];
  readonly cedar: readonly CedarSource[];
  readonly servers: readonly Parsed<DocumentShapes["Server"]>[];
  /** Names of the servers whose documents were left out, as far as the file or `metadata.name` tells. */
  readonly faultyServers: readonly string[];
  readonly pins: readonly PinFile[];
  readonly routes: readonly Parsed<DocumentShapes["Routes"]>[];
  readonly environments: readonly Parsed<DocumentShapes["Environment"]>[];
  readonly identity: readonly Parsed<DocumentShapes["Identity"]>[];
  readonly limits: readonly Parsed<DocumentShapes["Limits"]>[];
  readonly retention: Parsed<DocumentShapes["Retention"]> | undefined;
  readonly invariants: readonly Parsed<DocumentShapes["Invariants"]>[];
  readonly testData: readonly Parsed<DocumentShapes["TestData"]>[];
  readonly testSuites: readonly Parsed<DocumentShapes["TestSuite"]>[];
  /** Text of every authored file that was decoded, for code frames and text checks. */
  readonly texts: ReadonlyMap<string, string>;
}

type FileRole = DocumentKind | "Cedar" | "CedarTests" | "Pins";

/** First match wins. Other files in `tests` and files without a YAML or Cedar ending are not documents. */
const ROLES: readonly (readonly [pattern: RegExp, role: FileRole])[] = [
  [/^aegis\.yaml$/u, "Project"],
  [/^policies\/.*\.ya?ml$/u, "Policy"],
  [/^policies\/.*\.cedar$/u, "Cedar"],
  [/^registry\/servers\/[^/]+\.ya?ml$/u, "Server"],
  [/^registry\/pins\/[^/]+\.json$/u, "Pins"],
  [/^routes\.yaml$/u, "Routes"],
  [/^routes\/[^/]+\.ya?ml$/u, "Routes"],
  [/^environments\/[^/]+\.ya?ml$/u, "Environment"],
  [/^identity\.yaml$/u, "Identity"],
  [/^limits\.yaml$/u, "Limits"],
  [/^retention\.yaml$/u, "Retention"],
  [/^invariants\/.*\.ya?ml$/u, "Invariants"],
  [/^tests\/testdata\/.*\.ya?ml$/u, "TestData"],
  [/^tests\/.*_test\.ya?ml$/u, "TestSuite"],
  [/^tests\/(?!testdata\/).*\.json$/u, "CedarTests"],
];

/** What a tenant may write: everything that is decided for its own callers alone. */
const TENANT_ROLES: ReadonlySet<FileRole> = new Set([
  ...(["Policy", "Cedar", "Routes", "Identity", "Limits", "TestData", "TestSuite", "CedarTests"] as const),
]);
const TENANT_FILES =
  "a tenant's layer holds policies/, routes.yaml, routes/, identity.yaml, identity/*.json, limits.yaml and tests/";

/** What the file at `path` is read as; undefined where it is no document. */
export function roleOf(path: string): FileRole | undefined {
  const layer = layerOf(path);
  const role = ROLES.find(([pattern]) => pattern.test(layer.path))?.[1];
  return layer.tenant === DEFAULT_TENANT || (role !== undefined && TENANT_ROLES.has(role)) ? role : undefined;
}

/** True for a file of a tenant that would be the platform's to write, or that lies where nothing is read. */
function isOutsideTenant(path: string): boolean {
  if (!path.startsWith("tenants/") || roleOf(path) !== undefined) return false;
  const within = layerOf(path).path;
  if (/^(?:policies|routes|tests)\//u.test(within) || /^identity\/[^/]+\.json$/u.test(within)) return false;
  return /\.(?:ya?ml|cedar|json)$/iu.test(path);
}

/** Parsing text that is no YAML can take a second for each file. */
const MAX_FAULTY_DOCUMENTS = 8;

interface Loading {
  readonly workspace: Workspace;
  readonly sink: DiagnosticSink;
  readonly texts: Map<string, string>;
  readonly byKind: Map<DocumentKind, Parsed<unknown>[]>;
  readonly cedar: CedarSource[];
  readonly pins: PinFile[];
  readonly faultyServers: string[];
  /** Documents that were not YAML so far. */
  faulty: number;
}

function loadFile(loading: Loading, path: string): void {
  const { sink, workspace } = loading;
  const role = roleOf(path);
  if (isOutsideTenant(path)) {
    sink.report("TENANT_ESCAPE", startOf(path), "a tenant may not have this file", TENANT_FILES);
    return;
  }
  if (role === undefined) {
    if (/\.(?:ya?ml|cedar)$/u.test(path)) {
      const help = "policies lie in policies/, servers in registry/servers/, test suites end in _test.yaml";
      sink.report("DOCUMENT_UNRECOGNISED", startOf(path), "this file is not read", help);
    }
    return;
  }
  if (role === "Pins") {
    const pins = parsePinFile(workspace, path, sink);
    if (pins !== undefined) loading.pins.push(pins);
    return;
  }
  const text = readText(workspace, path, MAX_AUTHORED_BYTES, sink);
  if (text === undefined) {
    if (role === "Server") loading.faultyServers.push(...namesOfServer(path, undefined));
    return;
  }
  loading.texts.set(path, text);
  if (role === "Cedar") {
    loading.cedar.push({ file: path, text });
    return;
  }
  if (loading.faulty >= MAX_FAULTY_DOCUMENTS) {
    sink.report(
      "SOURCE_LIMIT",
      startOf(path),
      `not read: ${MAX_FAULTY_DOCUMENTS} other documents are not YAML`,
    );
    return;
  }
  const source = parseYaml(path, text, sink);
  if (source === undefined) loading.faulty += 1;
  if (role === "CedarTests") {
    const suite = source === undefined ? undefined : readCedarTests(source, sink);
    if (suite !== undefined) keep(loading, "TestSuite", suite);
    return;
  }
  const shape = source === undefined ? undefined : validateDocument(source, role, sink);
  if (source === undefined || shape === undefined) {
    if (role === "Server") loading.faultyServers.push(...namesOfServer(path, source));
    return;
  }
  keep(loading, role, { source, shape });
}

function keep(loading: Loading, kind: DocumentKind, document: Parsed<unknown>): void {
  const list = loading.byKind.get(kind) ?? [];
  list.push(document);
  loading.byKind.set(kind, list);
}

/** What a server document that is left out may have declared: what its file is named, and what it says. */
function namesOfServer(path: string, source: YamlSource | undefined): readonly string[] {
  const file = path.slice(path.lastIndexOf("/") + 1).replace(/\.ya?ml$/u, "");
  const value: unknown = source?.value;
  const { metadata } = (value ?? {}) as { readonly metadata?: unknown };
  const { name } = (metadata ?? {}) as { readonly name?: unknown };
  return typeof name === "string" && name !== file ? [file, name] : [file];
}

/** Reads everything; findings go to `sink`, and a document with a finding of its own is left out. */
export function loadDocuments(workspace: Workspace, sink: DiagnosticSink): Documents {
  const loading: Loading = {
    workspace,
    sink,
    texts: new Map(),
    byKind: new Map(),
    cedar: [],
    pins: [],
    faultyServers: [],
    faulty: 0,
  };
  for (const path of workspace.list()) loadFile(loading, path);
  const ofKind = <Kind extends DocumentKind>(kind: Kind): readonly Parsed<DocumentShapes[Kind]>[] =>
    (loading.byKind.get(kind) ?? []) as readonly Parsed<DocumentShapes[Kind]>[];
  if (!workspace.list().includes("aegis.yaml")) {
    sink.report(
      "PROJECT_MISSING",
      startOf("aegis.yaml"),
      "there is no aegis.yaml here",
      "create one with `aegis init`",
    );
  }
  return {
    project: ofKind("Project")[0],
    policies: ofKind("Policy"),
    cedar: loading.cedar,
    servers: ofKind("Server"),
    faultyServers: loading.faultyServers,
    pins: loading.pins,
    routes: ofKind("Routes"),
    environments: ofKind("Environment"),
    identity: ofKind("Identity"),
    limits: ofKind("Limits"),
    retention: ofKind("Retention")[0],
    invariants: ofKind("Invariants"),
    testData: ofKind("TestData"),
    testSuites: ofKind("TestSuite"),
    texts: loading.texts,
  };
}
