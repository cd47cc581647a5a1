// `programs` of gateway.json: what each logical program of a bundle runs, and with which environment.
import { isAbsolute, resolve } from "node:path";
import type { JsonObject, JsonValue } from "#std";
import { ConfigError, ConfigReader, MAX_LIST_ITEMS, memberPath } from "./config-decoder.ts";
import { absoluteReference, isReference, resolveReference } from "./secrets.ts";
import type { ResolvedSecret, SecretSource } from "./secrets.ts";

/** What a logical program of a bundle runs. */
export interface ProgramConfig {
  readonly command: string;
  readonly args: readonly string[];
  /** Its whole environment, but for PATH, HOME, LANG and TMPDIR, which it inherits unless they are named here. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** What one of its processes may use; without a cap where absent. */
  readonly limits?: {
    readonly memoryBytes?: number;
    readonly openFiles?: number;
    readonly cpuSeconds?: number;
  };
}

/** gateway.schema.json states the same. */
const LIMIT_RANGES = {
  memoryBytes: { min: 16_777_216, max: 1_099_511_627_776 },
  openFiles: { min: 16, max: 1_048_576 },
  cpuSeconds: { min: 1, max: 31_536_000 },
} as const;

export interface DecodeProgramsOptions {
  /** Name for messages. */
  readonly file: string;
  /** Directory that relative paths start from. */
  readonly baseDir: string;
  readonly environment: SecretSource;
  /**
   * `resolve` reads every secret. `keep` proves that each can be read and leaves the reference, made absolute, for
   * whoever is handed the programs in a file.
   */
  readonly secrets: "resolve" | "keep";
}

type SecretReader = (reference: string) => ResolvedSecret;
export type PathResolver = (path: string) => string;

/** Decodes the `programs` of a configuration alone. Throws ConfigError with every problem. */
export function decodePrograms(
  value: JsonValue | undefined,
  options: DecodeProgramsOptions,
): ReadonlyMap<string, ProgramConfig> {
  const reader = new ConfigReader();
  const at = pathsFrom(options.baseDir);
  const programs = readPrograms(reader, value, options.environment, at, options.secrets);
  if (reader.problems.length > 0) throw new ConfigError(options.file, reader.problems);
  return programs;
}

/** Makes paths absolute against a directory; the empty text of a member that was refused stays. */
export function pathsFrom(baseDir: string): PathResolver {
  return (path) => (isAbsolute(path) || path === "" ? path : resolve(baseDir, path));
}

/** The programs of a configuration, problems in `reader`. */
export function readPrograms(
  reader: ConfigReader,
  value: JsonValue | undefined,
  environment: SecretSource,
  at: PathResolver,
  secrets: DecodeProgramsOptions["secrets"] = "resolve",
): ReadonlyMap<string, ProgramConfig> {
  const programs = new Map<string, ProgramConfig>();
  const read: SecretReader = (text) => {
    const resolved = resolveReference(text, environment, at);
    return resolved.ok && secrets === "keep" ? { ok: true, value: absoluteReference(text, at) } : resolved;
  };
  if (value === undefined) return programs;
  // Any key is a program name here, so the object is read with its own keys as the known ones.
  const names =
    typeof value === "object" && value !== null && !Array.isArray(value) ? Object.keys(value) : [];
  const table = reader.object(value, "$.programs", names, false);
  for (const name of names) {
    const path = memberPath("$.programs", name);
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name)) reader.report(path, "is not a usable program name");
    programs.set(name, readProgram(reader, table[name], path, read, at));
  }
  return programs;
}

function readProgram(
  reader: ConfigReader,
  value: JsonValue | undefined,
  path: string,
  read: SecretReader,
  at: PathResolver,
): ProgramConfig {
  const program = reader.object(value, path, ["command", "args", "env", "cwd", "limits"], true);
  const cwd = reader.optionalString(program["cwd"], `${path}.cwd`);
  return {
    command: reader.string(program["command"], `${path}.command`),
    args: reader.strings(program["args"], `${path}.args`, MAX_LIST_ITEMS) ?? [],
    env: readEnvironment(reader, program["env"], `${path}.env`, read),
    ...(cwd === undefined ? {} : { cwd: at(cwd) }),
    ...(program["limits"] === undefined
      ? {}
      : { limits: readProgramLimits(reader, program["limits"], `${path}.limits`) }),
  };
}

function readProgramLimits(
  reader: ConfigReader,
  value: JsonValue,
  path: string,
): NonNullable<ProgramConfig["limits"]> {
  const limits = reader.object(value, path, Object.keys(LIMIT_RANGES), true);
  return Object.fromEntries(
    Object.entries(LIMIT_RANGES)
      .filter(([name]) => limits[name] !== undefined)
      .map(([name, range]) => [name, reader.integer(limits[name], `${path}.${name}`, range)]),
  );
}

function readEnvironment(
  reader: ConfigReader,
  value: JsonValue | undefined,
  path: string,
  read: SecretReader,
): Readonly<Record<string, string>> {
  const names =
    typeof value === "object" && value !== null && !Array.isArray(value) ? Object.keys(value) : [];
  const table: JsonObject = reader.object(value, path, names, false);
  const entries: [string, string][] = [];
  for (const name of names) {
    const entryPath = memberPath(path, name);
    const text = table[name];
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) reader.report(entryPath, "is not a usable variable name");
    if (typeof text !== "string" || text.includes("\0")) reader.report(entryPath, "must be a string");
    else if (!isReference(text)) entries.push([name, text]);
    else {
      const resolved = read(text);
      if (resolved.ok) entries.push([name, resolved.value]);
      else reader.report(entryPath, resolved.message);
    }
  }
  return Object.fromEntries(entries);
}
