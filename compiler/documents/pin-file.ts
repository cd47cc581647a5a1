// registry/pins/<id>.json: approved definitions, written by `aegis pin` and reviewed like code.
import { definitionDigest } from "#bundle";
import type { Digest, Era, EraEntry, PinnedKind } from "#bundle";
import { isAegisError } from "#errors";
import { parseStrictText } from "#mcp";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import type { DiagnosticSink, SourceSpan } from "../diagnostics/index.ts";
import { startOf } from "../diagnostics/index.ts";
import type { Workspace } from "../workspace/index.ts";
import { WORKSPACE_LIMITS } from "../workspace/index.ts";
import { readAcceptedFinding } from "./accepted-findings.ts";
import type { AcceptedFinding } from "./accepted-findings.ts";
import { LineMap, readText } from "./source-text.ts";

export const PIN_FORMAT_VERSION = 1;
const PIN_TEXT_LIMITS = {
  maxBytes: WORKSPACE_LIMITS.maxFileBytes,
  maxDepth: 128,
  maxMembers: 2_000_000,
  allowsConstructor: true,
};

export interface PinnedDefinition {
  readonly kind: PinnedKind;
  /** Tool or prompt name, resource URI, or URI template. */
  readonly name: string;
  readonly eras: readonly Era[];
  readonly digest: Digest;
  readonly definition: JsonObject;
  readonly at: SourceSpan;
}

export interface PinFile {
  readonly file: string;
  readonly server: string;
  readonly eras: Readonly<Partial<Record<Era, EraEntry>>>;
  readonly definitions: readonly PinnedDefinition[];
  /** What `aegis pin` was told to accept although it has hidden characters: labels as `definitionLabel` gives them. */
  readonly acceptedHidden: readonly string[];
  /** Suspicious texts that a reviewer accepted one by one. */
  readonly acceptedSuspicious: readonly AcceptedFinding[];
}

/** `tool sql.query`, the name of a definition in `acceptedHidden` and in messages. */
export function definitionLabel(kind: PinnedKind, name: string): string {
  return `${kind} ${name}`;
}

export interface PinGroup {
  readonly member: string;
  readonly kind: PinnedKind;
  readonly nameMember: string;
}

/** The lists of a pin file, in the order in which they are written. */
export const PIN_GROUPS: readonly PinGroup[] = [
  { member: "prompts", kind: "prompt", nameMember: "name" },
  { member: "resourceTemplates", kind: "resource-template", nameMember: "uriTemplate" },
  { member: "resources", kind: "resource", nameMember: "uri" },
  { member: "tools", kind: "tool", nameMember: "name" },
];
const MEMBERS: readonly string[] = [
  "formatVersion",
  "server",
  "eras",
  "acceptedHidden",
  "acceptedSuspicious",
  ...PIN_GROUPS.map((group) => group.member),
];

interface Reading {
  readonly file: string;
  readonly text: string;
  readonly lines: LineMap;
  readonly sink: DiagnosticSink;
  /** Where the last search ended: entries are read in the order of the text, which keeps the search linear. */
  cursor: number;
}

/** The next place where `name` stands as a JSON string; the start of the file where it does not. */
function place(reading: Reading, name: string): SourceSpan {
  const literal = JSON.stringify(name);
  const ahead = reading.text.indexOf(literal, reading.cursor);
  const offset = ahead === -1 ? reading.text.indexOf(literal) : ahead;
  if (offset === -1) return startOf(reading.file);
  reading.cursor = offset + literal.length;
  return reading.lines.span(offset, reading.cursor);
}

function isEra(value: unknown): value is Era {
  return value === "legacy" || value === "modern";
}

function readEra(value: JsonValue | undefined): EraEntry | undefined {
  if (!isJsonObject(value)) return undefined;
  const { protocolVersion, capabilities, serverInfo, instructions } = value;
  if (typeof protocolVersion !== "string" || !isJsonObject(capabilities) || !isJsonObject(serverInfo))
    return undefined;
  if (instructions !== undefined && typeof instructions !== "string") return undefined;
  return {
    protocolVersion,
    capabilities,
    serverInfo,
    ...(instructions === undefined ? {} : { instructions }),
  };
}

function readEras(reading: Reading, value: JsonValue | undefined): PinFile["eras"] {
  const eras: Partial<Record<Era, EraEntry>> = {};
  for (const [name, content] of Object.entries(isJsonObject(value) ? value : {})) {
    const entry = readEra(content);
    if (isEra(name) && entry !== undefined) eras[name] = entry;
    else reading.sink.report("PIN_INVALID", place(reading, name), `eras.${name} is not an era entry`);
  }
  return eras;
}

function readDefinition(reading: Reading, group: PinGroup, item: JsonValue): PinnedDefinition | undefined {
  const members = isJsonObject(item) ? item : {};
  const { eras, digest, definition } = members;
  const name = members[group.nameMember];
  if (
    typeof name !== "string" ||
    typeof digest !== "string" ||
    !isJsonObject(definition) ||
    !Array.isArray(eras)
  ) {
    const message = `an entry of ${group.member} lacks ${group.nameMember}, eras, digest or definition`;
    reading.sink.report("PIN_INVALID", place(reading, group.member), message);
    return undefined;
  }
  const at = place(reading, name);
  if (definition[group.nameMember] !== name || eras.length === 0 || !eras.every(isEra)) {
    reading.sink.report(
      "PIN_INVALID",
      at,
      `the entry ${JSON.stringify(name)} disagrees with its definition or eras`,
    );
    return undefined;
  }
  const actual = definitionDigest(definition);
  if (actual !== digest) {
    const help = "definitions are not edited by hand: run `aegis pin` and review the difference";
    reading.sink.report("PIN_DIGEST_MISMATCH", at, `${JSON.stringify(name)} hashes to ${actual}`, help);
  }
  return { kind: group.kind, name, eras: eras.filter(isEra), digest, definition, at };
}

function readAccepted(reading: Reading, value: JsonValue | undefined): readonly string[] {
  if (value === undefined) return [];
  const items: readonly JsonValue[] = Array.isArray(value) ? value : [null];
  if (!items.every((item) => typeof item === "string")) {
    const at = place(reading, "acceptedHidden");
    reading.sink.report("PIN_INVALID", at, "acceptedHidden must be a list of texts");
  }
  return items.filter((item) => typeof item === "string");
}

function readAcceptedSuspicious(reading: Reading, value: JsonValue | undefined): readonly AcceptedFinding[] {
  if (value === undefined) return [];
  const items = Array.isArray(value) ? (value as readonly JsonValue[]).map(readAcceptedFinding) : [undefined];
  if (items.includes(undefined)) {
    const at = place(reading, "acceptedSuspicious");
    const message = "acceptedSuspicious must be a list of subject, rule, pointer and digest";
    reading.sink.report("PIN_INVALID", at, message);
  }
  return items.filter((item) => item !== undefined);
}

/** Parses one pin file of a repository; undefined after a finding about the file as a whole. */
export function parsePinFile(workspace: Workspace, file: string, sink: DiagnosticSink): PinFile | undefined {
  const text = readText(workspace, file, WORKSPACE_LIMITS.maxFileBytes, sink);
  return text === undefined ? undefined : parsePinText(file, text, sink);
}

/** Parses the text of a pin file; undefined after a finding about the file as a whole. */
export function parsePinText(file: string, text: string, sink: DiagnosticSink): PinFile | undefined {
  let value: JsonValue;
  try {
    value = parseStrictText(text, PIN_TEXT_LIMITS);
  } catch (error) {
    sink.report("PIN_INVALID", startOf(file), isAegisError(error) ? error.detail : "the file is not JSON");
    return undefined;
  }
  const reading: Reading = { file, text, lines: new LineMap(file, text), sink, cursor: 0 };
  if (
    !isJsonObject(value) ||
    value["formatVersion"] !== PIN_FORMAT_VERSION ||
    typeof value["server"] !== "string"
  ) {
    sink.report(
      "PIN_INVALID",
      startOf(file),
      `expected an object with formatVersion ${PIN_FORMAT_VERSION} and server`,
    );
    return undefined;
  }
  for (const member of Object.keys(value).filter((name) => !MEMBERS.includes(name))) {
    sink.report("PIN_INVALID", place(reading, member), `unknown member ${JSON.stringify(member)}`);
  }
  return {
    file,
    server: value["server"],
    eras: readEras(reading, value["eras"]),
    definitions: readDefinitions(reading, value),
    acceptedHidden: readAccepted(reading, value["acceptedHidden"]),
    acceptedSuspicious: readAcceptedSuspicious(reading, value["acceptedSuspicious"]),
  };
}

function readDefinitions(reading: Reading, value: JsonObject): readonly PinnedDefinition[] {
  const definitions: PinnedDefinition[] = [];
  const seen = new Set<string>();
  for (const group of PIN_GROUPS) {
    const items = value[group.member] ?? [];
    if (!Array.isArray(items)) {
      reading.sink.report("PIN_INVALID", place(reading, group.member), `${group.member} must be a list`);
      continue;
    }
    for (const item of items as readonly JsonValue[]) {
      const entry = readDefinition(reading, group, item);
      const keys = (entry?.eras ?? []).map((era) => JSON.stringify([group.kind, entry?.name, era]));
      const repeated = keys.some((key) => seen.has(key));
      for (const key of keys) seen.add(key);
      if (entry === undefined) continue;
      if (repeated)
        reading.sink.report("PIN_DUPLICATE", entry.at, `${JSON.stringify(entry.name)} is listed twice`);
      else definitions.push(entry);
    }
  }
  return definitions;
}
