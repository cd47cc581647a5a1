// The attack corpus: its file format, and how a case becomes the bytes of one HTTP request.
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import type { ErrorCode } from "#errors";

export interface CaseExpectation {
  /** The gateway's own error code; its HTTP status and JSON-RPC number follow from the error table. */
  readonly code?: ErrorCode;
  /** Used alone where the HTTP parser answers, or where only the status is promised. */
  readonly status?: number;
  /** Not a protocol fault: any 2xx answer, which may still carry a decision. */
  readonly accepted?: boolean;
  /** Response headers that must not be there. */
  readonly absentHeaders?: readonly string[];
  /** Text that must not be in the response. */
  readonly absentText?: string;
  /** Text that must be. */
  readonly text?: string;
  /** Any refusal: an HTTP error, or a JSON-RPC error in a good answer. */
  readonly refused?: boolean;
}

/** What a request is made of. */
export interface RequestParts {
  readonly line?: string;
  readonly headers?: readonly string[];
  readonly body?: string;
}

/** A request as a case writes it: a preset and what differs. */
export interface RequestSpec extends RequestParts {
  /** Name of the preset the request starts from. */
  readonly use?: string;
  /** Replaces the header of this name in place, adds it where the preset lacks it, removes it where null. */
  readonly set?: Readonly<Record<string, string | null>>;
  /** Header lines appended as they stand. */
  readonly add?: readonly string[];
  readonly bodyHex?: string;
  /** The whole request, byte for byte (Latin-1); nothing is added to it. */
  readonly raw?: string;
  /** What differs towards a target that speaks 2025-11-25 alone; null where the request makes no sense there. */
  readonly legacy?: (Omit<RequestSpec, "legacy"> & { readonly expect?: CaseExpectation }) | null;
}

export interface AttackCase extends RequestSpec {
  readonly id: string;
  readonly title: string;
  /** What the target must offer for the case to apply, e.g. `paramHeaders`. */
  readonly needs?: string;
  readonly expect: CaseExpectation;
}

export interface Preset extends RequestParts {
  readonly needs?: string;
  /** The same request of 2025-11-25, in the session `${session}`. */
  readonly legacy?: RequestParts;
}

export interface Presets {
  readonly presets: Readonly<Record<string, Preset>>;
}

export interface CaseFile extends Presets {
  readonly cases: readonly AttackCase[];
}

export type Variables = Readonly<Record<string, string>>;

const ENVELOPE = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientCapabilities": {},
};
/** Members that begin a `_meta`. */
const MEMBERS = `${JSON.stringify(ENVELOPE).slice(1, -1)},`;

/** What templates can name besides host, port, path and token. */
export const DEFAULT_VARIABLES: Variables = {
  tool: "sql.query",
  arguments: JSON.stringify({ sql: "SELECT 1" }),
  meta: JSON.stringify(ENVELOPE),
  envelope: MEMBERS,
};

/** What requests of 2025-11-25 have in the place of the envelope. */
export const LEGACY_VARIABLES: Variables = { meta: "{}", envelope: "" };

/** The presets as a target that speaks 2025-11-25 alone gets them. */
export function legacyPresets({ presets }: Presets): Presets["presets"] {
  return Object.fromEntries(Object.entries(presets).map(([name, preset]) => [name, preset.legacy ?? preset]));
}

/** A request as such a target gets it. */
export function legacySpec<Spec extends RequestSpec & { readonly needs?: string }>(spec: Spec): Spec {
  return spec.legacy === null ? { ...spec, needs: "modern" } : { ...spec, ...spec.legacy };
}

export function readCaseFile(file: string): CaseFile {
  const content = parse(readFileSync(file, "utf8")) as CaseFile;
  const seen = new Set<string>();
  for (const { id } of content.cases) {
    if (seen.has(id)) throw new Error(`${file}: two cases are called ${id}`);
    seen.add(id);
  }
  return content;
}

/** Fills `${name}` and `${repeat:N:text:end}`; an unknown name is a mistake in the corpus. */
export function fill(template: string, variables: Variables): string {
  return template.replace(
    /\$\{(?:repeat:(\d+):(.*?):end|(\w+))\}/g,
    (_all, count: string, text: string, name: string) => {
      if (count !== undefined) return text.repeat(Number(count));
      const value = variables[name];
      if (value === undefined) throw new Error(`no value for \${${name}}`);
      return value;
    },
  );
}

/** Body bytes of a case, without the head. */
export function bodyOf(file: Presets, attack: RequestSpec, variables: Variables): Buffer {
  if (attack.bodyHex !== undefined) return Buffer.from(attack.bodyHex.replaceAll(" ", ""), "hex");
  const body = attack.body ?? presetOf(file, attack).body ?? "";
  return Buffer.from(fill(body, variables), "utf8");
}

/** The bytes to write on the socket. `Content-Length` is added where no header says how long the body is. */
export function requestBytes(file: Presets, attack: RequestSpec, variables: Variables): Buffer {
  if (attack.raw !== undefined) return Buffer.from(fill(attack.raw, variables), "latin1");
  const preset = presetOf(file, attack);
  const body = bodyOf(file, attack, variables);
  // A server without sessions is told of none.
  const headers = changed(attack.headers ?? preset.headers ?? [], attack).filter(
    (line) => variables["session"] !== undefined || !line.includes("${session}"),
  );
  const hasLength = headers.some((line) => /^(?:content-length|transfer-encoding):/i.test(line));
  if (!hasLength) headers.push(`Content-Length: ${body.length}`);
  const line = attack.line ?? preset.line ?? "POST ${path} HTTP/1.1";
  // Latin-1 keeps a raw byte such as 0xE9 a single byte.
  const head = Buffer.from(fill([line, ...headers, "", ""].join("\r\n"), variables), "latin1");
  return Buffer.concat([head, body]);
}

function presetOf(file: Presets, attack: RequestSpec): RequestParts {
  if (attack.use === undefined) return {};
  const preset = file.presets[attack.use];
  if (preset === undefined) throw new Error(`no preset ${attack.use}`);
  return preset;
}

function changed(headers: readonly string[], attack: RequestSpec): string[] {
  let lines = [...headers];
  for (const [name, value] of Object.entries(attack.set ?? {})) {
    const isNamed = (line: string): boolean => line.toLowerCase().startsWith(`${name.toLowerCase()}:`);
    if (value === null) lines = lines.filter((line) => !isNamed(line));
    else if (lines.some(isNamed)) lines = lines.map((line) => (isNamed(line) ? `${name}: ${value}` : line));
    else lines.push(`${name}: ${value}`);
  }
  return [...lines, ...(attack.add ?? [])];
}
