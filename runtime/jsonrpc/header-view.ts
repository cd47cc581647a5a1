// Request headers as the gateway reads them: one value for each single-valued name, or a refusal.
import { requestFault } from "#errors";
import type { AegisError } from "#errors";

/** Read-only view of received headers. Names are compared without case. */
export interface HeaderView {
  /**
   * The only value of a header, without edge white space; undefined where absent.
   * @throws {AegisError} HTTP_HEADER_INVALID, or HEADER_MISMATCH for a protocol header, where it was sent twice
   */
  readonly get: (name: string) => string | undefined;
  /** All values in the order received. */
  readonly all: (name: string) => readonly string[];
  /** Lower-case names, each once. */
  readonly names: () => Iterable<string>;
  /** Lower-case names that were sent more than once. */
  readonly repeated: () => Iterable<string>;
}

/**
 * Names by which infrastructure tells a server who the caller is. From outside they are claims of an attacker, so the
 * view does not have them: nobody downstream can read one by mistake.
 */
const STRIPPED =
  /^(?:x-aegis-.*|x-forwarded-.*|forwarded|x-real-ip|x-original-.*|x-rewrite-.*|x-user.*|x-remote-.*|x-http-method.*|mcp-init-.*|via|proxy-.*)$/;

/** By the first letter of what `STRIPPED` names: most headers begin with another. */
function mayBeStripped(first: number): boolean {
  switch (first) {
    case 0x66: // f
    case 0x6d: // m
    case 0x70: // p
    case 0x76: // v
    case 0x78: // x
      return true;
    default:
      return false;
  }
}

/** Builds a view from node's flat `rawHeaders` list: name, value, name, value. */
export function headerView(rawHeaders: readonly string[]): HeaderView {
  return new ReceivedHeaders(rawHeaders);
}

const NO_VALUES: readonly string[] = [];

class ReceivedHeaders implements HeaderView {
  /** The first value of each name. */
  readonly #values = new Map<string, string>();
  /** All values of the names that were sent more than once. */
  #repeated: Map<string, string[]> | undefined;

  constructor(rawHeaders: readonly string[]) {
    for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
      const name = (rawHeaders[at] ?? "").toLowerCase();
      if (mayBeStripped(name.charCodeAt(0)) && STRIPPED.test(name)) continue;
      const value = trimmed(rawHeaders[at + 1] ?? "");
      const first = this.#values.get(name);
      if (first === undefined) this.#values.set(name, value);
      else this.#repeat(name, first, value);
    }
  }

  #repeat(name: string, first: string, value: string): void {
    this.#repeated ??= new Map<string, string[]>();
    const known = this.#repeated.get(name);
    if (known === undefined) this.#repeated.set(name, [first, value]);
    else known.push(value);
  }

  get(name: string): string | undefined {
    const lower = name.toLowerCase();
    if (this.#repeated?.has(lower) === true) throw duplicateHeader(name);
    return this.#values.get(lower);
  }

  all(name: string): readonly string[] {
    const lower = name.toLowerCase();
    const value = this.#values.get(lower);
    return this.#repeated?.get(lower) ?? (value === undefined ? NO_VALUES : [value]);
  }

  names(): Iterable<string> {
    return this.#values.keys();
  }

  repeated(): Iterable<string> {
    return this.#repeated?.keys() ?? NO_VALUES;
  }
}

/** The refusal of a header that was sent twice: HeaderMismatch where MCP mirrors the body in it. */
export function duplicateHeader(name: string): AegisError {
  const isProtocol = /^mcp-(?:protocol-version|method|name|param-.*)$/i.test(name);
  return requestFault(
    isProtocol ? "HEADER_MISMATCH" : "HTTP_HEADER_INVALID",
    `${name.toLowerCase().slice(0, 64)} was sent more than once`,
  );
}

/** Without optional white space, RFC 9110 section 5.6.3. */
function trimmed(value: string): string {
  let start = 0;
  let end = value.length;
  while (start < end && isBlank(value.charCodeAt(start))) start++;
  while (end > start && isBlank(value.charCodeAt(end - 1))) end--;
  return start === 0 && end === value.length ? value : value.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
