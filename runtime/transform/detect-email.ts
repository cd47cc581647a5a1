// E-mail addresses in prose. Each `@` is looked at once and at most 320 characters around it (RFC 5321, 4.5.3.1).
import type { Found } from "./detect-text.ts";

const MAX_LOCAL = 64;
const MAX_DOMAIN = 253;
/** Characters beyond ASCII that are no signs or spaces (RFC 6531). */
const BEYOND = /[\u00a1-\u1fff\u2c00-\u2fef\u3040-\ufefe\uff10-\uffdc]/;

function tableOf(allowed: RegExp): Uint8Array {
  return Uint8Array.from({ length: 0x80 }, (_, code) => Number(allowed.test(String.fromCharCode(code))));
}

// RFC 5322 allows / ? = & # and % too; in text they divide an address from what stands before it.
const LOCAL = tableOf(/[A-Za-z0-9.!$'*+^_`{|}~-]/);
const DOMAIN = tableOf(/[A-Za-z0-9.-]/);

function isIn(table: Uint8Array, text: string, index: number): boolean {
  const unit = text.charCodeAt(index);
  return unit < 0x80 ? table[unit] === 1 : BEYOND.test(text.charAt(index));
}

const TOP_LABEL = /^(?:[A-Za-z\u00a1-\uffff]{2,63}|xn--[A-Za-z0-9-]{1,59})$/;
const LABEL = /^(?!-)[A-Za-z0-9\u00a1-\uffff-]{1,63}$/;
const ADDRESS_LITERAL = /\[(?:IPv6:[0-9A-Fa-f:.]{2,45}|\d{1,3}(?:\.\d{1,3}){3})\]/y;
/** File names such as `icon@2x.png`: none of these is a top-level domain. */
const FILE_ENDINGS: ReadonlySet<string> = new Set(
  "css gif html jpeg jpg js json jsx mjs png svg tgz ts tsx webp xml yaml yml".split(" "),
);

/** Where the local part that ends before `at` begins; `at` where there is none. */
function localStart(text: string, at: number): number {
  if (text.charAt(at - 1) === '"') {
    const quote = text.lastIndexOf('"', at - 2);
    return quote >= 0 && at - quote <= MAX_LOCAL + 2 && at - quote > 2 ? quote : at;
  }
  let start = at;
  while (start > 0 && at - start < MAX_LOCAL && isIn(LOCAL, text, start - 1)) start -= 1;
  // Signs before the first letter or digit belong to the sentence.
  while (start < at && /[.!#$%&'*/=?^`{|}~]/.test(text.charAt(start))) start += 1;
  return start;
}

/** The domain that begins at `start`; undefined where what stands there is none. */
function domainEnd(text: string, start: number): number | undefined {
  if (text.charAt(start) === "[") {
    ADDRESS_LITERAL.lastIndex = start;
    const literal = ADDRESS_LITERAL.exec(text)?.[0];
    return literal === undefined ? undefined : start + literal.length;
  }
  let end = start;
  let dots = 0;
  for (; end < text.length && end - start < MAX_DOMAIN && isIn(DOMAIN, text, end); end += 1) {
    if (text.charCodeAt(end) === 0x2e) dots += 1;
  }
  if (dots === 0) return undefined;
  const labels = text.slice(start, end).split(".");
  // A sentence or a hyphenated word may go on after the domain.
  while (labels.length > 0 && !TOP_LABEL.test(labels.at(-1) ?? "")) {
    const last = labels.pop() ?? "";
    const head = /^[A-Za-z]{2,63}(?=-)/.exec(last)?.[0];
    if (head !== undefined) labels.push(head);
  }
  if (labels.length < 2 || !labels.every((label) => LABEL.test(label))) return undefined;
  if (FILE_ENDINGS.has((labels.at(-1) ?? "").toLowerCase())) return undefined;
  return start + labels.join(".").length;
}

/** Addresses in the order of their places; `git@host:path`, which names a repository, is none. */
export function findEmails(text: string): readonly Found[] {
  const found: Found[] = [];
  for (let at = text.indexOf("@"); at >= 0; at = text.indexOf("@", at + 1)) {
    const end = domainEnd(text, at + 1);
    const start = end === undefined ? at : localStart(text, at);
    if (end === undefined || start === at) continue;
    if (text.slice(start, at) === "git" && /[:/][^\s/\d]/.test(text.slice(end, end + 2))) continue;
    found.push({ start, end });
  }
  return found;
}
