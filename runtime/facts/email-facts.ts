// Facts about an e-mail address: exactly one plain address, so that no mail program finds another recipient in it.
import { domainToASCII } from "node:url";

/** `R.email()`. What is not `ok` has empty members. */
export interface EmailFacts {
  readonly ok: boolean;
  /** As written: only the receiving domain knows what its letters mean. */
  readonly local: string;
  /** Lower case, IDN as punycode. */
  readonly domain: string;
}

/** Facts about text that is not one address. */
export const UNKNOWN_EMAIL: EmailFacts = { ok: false, local: "", domain: "" };

/** RFC 5321, 4.5.3.1, with the angle brackets of a path left out. */
const MAX_ADDRESS_LENGTH = 254;
const MAX_LOCAL_LENGTH = 64;
const MAX_DOMAIN_LENGTH = 253;
// Dot-atom of RFC 5322, 3.2.3 without `%` and `!`, by which relays are told to send on to another host,
// without a leading `-`, which a mail program may take for an option, and without `=?`, which begins an encoded word of
// RFC 2047: a program that decodes it finds another address.
const LOCAL = /^(?!-)(?!.*=\?)[A-Za-z0-9#$&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9#$&'*+/=?^_`{|}~-]+)*$/;
const WRITTEN_DOMAIN = /^[\p{L}\p{M}\p{N}.-]+$/u;
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** The domain as `EmailFacts.domain` has it; undefined where it is no domain name with a dot. */
export function canonicalDomain(written: string): string | undefined {
  if (!WRITTEN_DOMAIN.test(written) || written.normalize("NFKC") !== written) return undefined;
  const domain = domainToASCII(written).toLowerCase();
  if (domain.length > MAX_DOMAIN_LENGTH) return undefined;
  const labels = domain.split(".");
  // The last label of a name is no number: then it would be an address.
  if (labels.length < 2 || !/[a-z]/.test(labels.at(-1) ?? "")) return undefined;
  return labels.every((label) => LABEL.test(label)) ? domain : undefined;
}

/**
 * Facts about one addr-spec of RFC 5321 with a dot-atom and a domain name. Not `ok`: display names, lists, comments,
 * quoted local parts, address literals, routes, letters outside ASCII before the `@`. Never throws.
 */
export function readEmail(text: string): EmailFacts {
  if (text.length > MAX_ADDRESS_LENGTH) return UNKNOWN_EMAIL;
  const [local = "", written, ...others] = text.split("@");
  if (written === undefined || others.length > 0) return UNKNOWN_EMAIL;
  if (local.length > MAX_LOCAL_LENGTH || !LOCAL.test(local)) return UNKNOWN_EMAIL;
  const domain = canonicalDomain(written);
  return domain === undefined ? UNKNOWN_EMAIL : { ok: true, local, domain };
}
