// The container of a bundle: a ustar archive (POSIX.1-1988) with exactly one encoding for one set of files, so that
// equal content has equal bytes. The reader accepts that encoding and nothing else: `tar -xf` reads it, but few
// archives that tar writes are read here.
import { TrustError } from "#errors";
import { assert } from "#std";
import { MAX_BUNDLE_BYTES, MAX_FILE_BYTES, MAX_FILES, MAX_NAME_BYTES } from "./format.ts";

const BLOCK_BYTES = 512;
/** An archive ends with two zero blocks. */
const TRAILER_BYTES = 2 * BLOCK_BYTES;
const REGULAR_FILE = 0x30;
const TYPE_FLAG_OFFSET = 156;
const PREFIX_OFFSET = 345;

/**
 * Packs files as ustar: names sorted, mode 0644, zero time, owner and group, no extensions.
 * Names are relative, ASCII, at most 100 bytes. Throws TrustError with the codes of `readArchive`.
 */
export function writeArchive(files: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const names = [...files.keys()].sort();
  if (names.length > MAX_FILES)
    throw new TrustError("BUNDLE_TOO_LARGE", `more than ${String(MAX_FILES)} files`);
  checkNames(names);
  let totalBytes = TRAILER_BYTES;
  for (const [name, data] of files) {
    if (data.length > MAX_FILE_BYTES)
      throw new TrustError("BUNDLE_TOO_LARGE", `${name} exceeds the file limit`);
    totalBytes += BLOCK_BYTES + paddedBytes(data.length);
  }
  if (totalBytes > MAX_BUNDLE_BYTES)
    throw new TrustError("BUNDLE_TOO_LARGE", "the archive exceeds the size limit");
  const archive = new Uint8Array(totalBytes);
  let offset = 0;
  for (const name of names) {
    const data = files.get(name);
    assert(data !== undefined, "a listed file has data");
    archive.set(encodeHeader(name, data.length), offset);
    archive.set(data, offset + BLOCK_BYTES);
    offset += BLOCK_BYTES + paddedBytes(data.length);
  }
  return archive;
}

/**
 * Unpacks what `writeArchive` packs; each returned array is a view of `bytes`. Every byte of the input is accounted for.
 *
 * Throws TrustError: BUNDLE_TOO_LARGE (archive, file or count limit), BUNDLE_PATH_UNSAFE (link, device, directory,
 * extension header, duplicate or case-fold twin, absolute, `..`, backslash, NUL or non-ASCII name), BUNDLE_INVALID
 * (truncated, trailing data, bad checksum, any other header field, unsorted names).
 */
export function readArchive(bytes: Uint8Array): Map<string, Uint8Array> {
  if (bytes.length > MAX_BUNDLE_BYTES)
    throw new TrustError("BUNDLE_TOO_LARGE", "the archive exceeds the size limit");
  if (bytes.length < TRAILER_BYTES || bytes.length % BLOCK_BYTES !== 0)
    throw invalid("the archive is truncated");
  const files = new Map<string, Uint8Array>();
  let offset = 0;
  while (bytes[offset] !== 0) {
    if (files.size >= MAX_FILES)
      throw new TrustError("BUNDLE_TOO_LARGE", `more than ${String(MAX_FILES)} files`);
    const header = bytes.subarray(offset, offset + BLOCK_BYTES);
    const { name, sizeBytes } = decodeHeader(header);
    if (files.has(name)) throw unsafe(name, "occurs twice");
    const start = offset + BLOCK_BYTES;
    const end = start + paddedBytes(sizeBytes);
    if (end + TRAILER_BYTES > bytes.length) throw invalid(`${name} is truncated`);
    requireZero(bytes.subarray(start + sizeBytes, end), `the padding of ${name}`);
    files.set(name, bytes.subarray(start, start + sizeBytes));
    offset = end;
  }
  if (offset + TRAILER_BYTES !== bytes.length) throw invalid("data follows the last file");
  requireZero(bytes.subarray(offset), "the end of the archive");
  checkNames([...files.keys()]);
  return files;
}

function paddedBytes(size: number): number {
  return Math.ceil(size / BLOCK_BYTES) * BLOCK_BYTES;
}

function encodeHeader(name: string, sizeBytes: number): Uint8Array {
  const header = new Uint8Array(BLOCK_BYTES);
  const put = (offset: number, text: string): void => {
    for (let index = 0; index < text.length; index++) header[offset + index] = text.charCodeAt(index);
  };
  put(0, name);
  put(100, "0000644\0");
  put(108, "0000000\0");
  put(116, "0000000\0");
  put(124, `${sizeBytes.toString(8).padStart(11, "0")}\0`);
  put(136, "00000000000\0");
  // The checksum is computed with its own field as blanks.
  put(148, "        ");
  header[TYPE_FLAG_OFFSET] = REGULAR_FILE;
  put(257, "ustar\x0000");
  let sum = 0;
  for (const byte of header) sum += byte;
  put(148, `${sum.toString(8).padStart(6, "0")}\0 `);
  return header;
}

function decodeHeader(header: Uint8Array): { readonly name: string; readonly sizeBytes: number } {
  if (Buffer.from(header.subarray(257, 262)).toString("latin1") !== "ustar")
    throw invalid("this is no ustar archive");
  const nameField = header.subarray(0, MAX_NAME_BYTES);
  const nameEnd = nameField.indexOf(0);
  const name = Buffer.from(nameEnd === -1 ? nameField : nameField.subarray(0, nameEnd)).toString("latin1");
  checkName(name);
  if (header[TYPE_FLAG_OFFSET] !== REGULAR_FILE) throw unsafe(name, "is not a regular file");
  if (header[PREFIX_OFFSET] !== 0) throw unsafe(name, "has a name prefix");
  const sizeField = Buffer.from(header.subarray(124, 136)).toString("latin1");
  if (!/^[0-7]{11}\0$/.test(sizeField)) throw invalid(`${name} has a malformed size`);
  const sizeBytes = Number.parseInt(sizeField, 8);
  if (sizeBytes > MAX_FILE_BYTES) throw new TrustError("BUNDLE_TOO_LARGE", `${name} exceeds the file limit`);
  // One name and size have one header: this covers the checksum and every remaining field.
  if (Buffer.compare(encodeHeader(name, sizeBytes), header) !== 0)
    throw invalid(`${name} has a malformed header`);
  return { name, sizeBytes };
}

function checkName(name: string): void {
  const safeCharacters = /^[A-Za-z0-9._/-]{1,100}$/.test(name);
  const safeSegments = name
    .split("/")
    .every((segment) => segment !== "" && segment !== "." && segment !== "..");
  if (!safeCharacters || !safeSegments) throw unsafe(name, "is not a safe relative name");
}

function checkNames(sortedNames: readonly string[]): void {
  const folded = new Set<string>();
  let previous = "";
  for (const name of sortedNames) {
    checkName(name);
    if (folded.has(name.toLowerCase())) throw unsafe(name, "differs from another name only in case");
    folded.add(name.toLowerCase());
    if (name < previous) throw invalid("the names are not sorted");
    previous = name;
  }
}

function requireZero(bytes: Uint8Array, what: string): void {
  if (bytes.some((byte) => byte !== 0)) throw invalid(`${what} is not zero`);
}

function invalid(detail: string): TrustError {
  return new TrustError("BUNDLE_INVALID", detail);
}

function unsafe(name: string, why: string): TrustError {
  return new TrustError("BUNDLE_PATH_UNSAFE", `${JSON.stringify(name)} ${why}`);
}
