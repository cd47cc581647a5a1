// How much heap a JSON document can take, judged before it is parsed: JSON.parse cannot be stopped half-way, and a
// thread that fills its heap within it takes the whole process down.
import { AegisError } from "#errors";

/** Documents up to this size cannot fill the heap of a worker, whatever stands in them: 23 bytes of heap for each. */
const ALWAYS_FITS_BYTES = 16 * 1024 * 1024;
/** Values of a larger document; an empty object, the dearest for its length, takes 64 bytes. */
const MAX_VALUES = 10_000_000;

const QUOTE = 0x22;
const COMMA = 0x2c;
const BRACKET_OPEN = 0x5b;
const BACKSLASH = 0x5c;
const BRACE_OPEN = 0x7b;

/**
 * Counts values from outside strings; text that is not JSON may be miscounted and is refused by the parser.
 * @throws {AegisError} MESSAGE_TOO_LARGE
 */
export function requireParsable(bytes: Uint8Array): void {
  if (bytes.byteLength <= ALWAYS_FITS_BYTES) return;
  let values = 0;
  for (let at = 0; at < bytes.byteLength; at += 1) {
    const byte = bytes[at];
    if (byte === QUOTE) at = closingQuote(bytes, at);
    else if (byte === COMMA || byte === BRACKET_OPEN || byte === BRACE_OPEN) values += 1;
  }
  if (values > MAX_VALUES) throw new AegisError("MESSAGE_TOO_LARGE", `more than ${MAX_VALUES} values`);
}

function closingQuote(bytes: Uint8Array, open: number): number {
  for (let at = open + 1; at < bytes.byteLength; at += 1) {
    if (bytes[at] === BACKSLASH) at += 1;
    else if (bytes[at] === QUOTE) return at;
  }
  return bytes.byteLength;
}
