// Names of the files in an audit directory.

/** Holds the id that all lines of the log carry. */
export const LOG_ID_FILE = "log-id";

const NUMBER_DIGITS = 8;
const SEGMENT_PATTERN = /^segment-(\d{8})\.jsonl$/;
const SEAL_PATTERN = /^segment-(\d{8})\.seal\.json$/;
const CHECKPOINT_PATTERN = /^segment-(\d{8})\.checkpoints\.jsonl$/;
const KEY_PATTERN = /^key-([0-9a-f]{16})\.pub\.pem$/;

function stem(segment: number): string {
  return `segment-${String(segment).padStart(NUMBER_DIGITS, "0")}`;
}

export function segmentName(segment: number): string {
  return `${stem(segment)}.jsonl`;
}

export function sealName(segment: number): string {
  return `${stem(segment)}.seal.json`;
}

export function checkpointName(segment: number): string {
  return `${stem(segment)}.checkpoints.jsonl`;
}

export function publicKeyName(keyId: string): string {
  return `key-${keyId}.pub.pem`;
}

export interface LogFiles {
  /** Sorted segment numbers. */
  readonly segments: readonly number[];
  readonly seals: readonly number[];
  readonly checkpoints: readonly number[];
  readonly publicKeys: readonly string[];
  /** Temporary files of a replacement that never finished. */
  readonly leftovers: readonly string[];
}

function numbers(names: readonly string[], pattern: RegExp): number[] {
  return names
    .flatMap((name) => pattern.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((left, right) => left - right);
}

/** Sorts a directory listing into what the log knows. */
export function classifyFiles(names: readonly string[]): LogFiles {
  return {
    segments: numbers(names, SEGMENT_PATTERN),
    seals: numbers(names, SEAL_PATTERN),
    checkpoints: numbers(names, CHECKPOINT_PATTERN),
    publicKeys: names.filter((name) => KEY_PATTERN.test(name)),
    leftovers: names.filter((name) => name.endsWith(".tmp")),
  };
}
