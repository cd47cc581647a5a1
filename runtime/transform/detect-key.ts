// Key material: PEM private keys, tokens that issuers mark with a prefix, JSON Web Tokens, credentials in URLs and
// headers, and values that a label such as `api_key=` announces and that look random.
import type { Found } from "./detect-text.ts";

/** Prefixed tokens. Every alternative has bounded repeats, so the cost of one place is bounded. */
const TOKENS = new RegExp(
  [
    // AWS access keys
    "(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}(?![A-Za-z0-9])",
    // GitHub, GitLab
    "gh[pousr]_[A-Za-z0-9]{36,255}",
    "github_pat_[A-Za-z0-9_]{22,255}",
    "gl(?:pat|ptt|dt|rt|cbt|ft|soat|agent)-[A-Za-z0-9_-]{20,128}",
    // Slack
    "xox[abeoprs]-[A-Za-z0-9-]{10,250}",
    "xapp-\\d-[A-Za-z0-9-]{10,250}",
    // Google
    "AIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])",
    "ya29\\.[A-Za-z0-9_-]{20,1000}",
    "GOCSPX-[A-Za-z0-9_-]{20,64}",
    // Stripe
    "(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{16,255}",
    "whsec_[A-Za-z0-9+/]{24,128}",
    // OpenAI, Anthropic and others of that form
    "sk-(?:proj-|svcacct-|admin-|ant-[a-z0-9]{2,12}-|or-v1-)[A-Za-z0-9_-]{20,255}",
    "sk-[A-Za-z0-9]{32,128}",
    // npm, PyPI, Hugging Face, DigitalOcean, Shopify, SendGrid, Twilio, Telegram, age
    "npm_[A-Za-z0-9]{36}(?![A-Za-z0-9])",
    "pypi-AgE[A-Za-z0-9_-]{50,1000}",
    "hf_[A-Za-z0-9]{30,64}",
    "do[opr]_v1_[a-f0-9]{64}",
    "shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}",
    "SG\\.[A-Za-z0-9_-]{16,64}\\.[A-Za-z0-9_-]{16,64}",
    "AGE-SECRET-KEY-1[A-Z0-9]{50,64}",
  ].join("|"),
  "g",
);
const BOUNDARY = /[A-Za-z0-9]/;

const MAX_JWT = 8_192;
const JWT = new RegExp(`(?<![\\w-])eyJ[\\w-]{8,${MAX_JWT}}\\.[\\w-]{2,${MAX_JWT}}(?:\\.[\\w-]*){1,3}`, "g");

const PEM_BEGIN = /-----BEGIN (?:[A-Z0-9]{1,16} ){0,3}PRIVATE KEY(?: BLOCK)?-----/g;
const PEM_END = "-----END ";

const LABEL_WORDS =
  "api[_-]?key|apikey|access[_-]?key|secret[_-]?key|private[_-]?key|account[_-]?key|signing[_-]?key|" +
  "encryption[_-]?key|client[_-]?secret|secret|access[_-]?token|refresh[_-]?token|id[_-]?token|auth[_-]?token|token|" +
  "password|passwd|passphrase|pwd|credentials?";
const LABELLED = new RegExp(
  `(?:${LABEL_WORDS})["'\`]?\\s{0,3}(?::|=>?|:=)\\s{0,3}["'\`]?([^\\s"'\`,;<>]{8,512})`,
  "gi",
);
const LABEL_NAME = new RegExp(`(?:${LABEL_WORDS})$`, "i");
const HEADER_VALUE = /\b(?:bearer|basic)\s{1,3}([A-Za-z0-9._~+/=-]{16,4096})/gi;
const URL_PASSWORD = /\b[a-z][a-z0-9+.-]{1,15}:\/\/[^\s/?#@:]{0,128}:([^\s/?#@]{1,256})@/gi;

/** Shannon entropy in bits for each character. */
function entropy(text: string): number {
  const counts = new Map<string, number>();
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length);
  return bits;
}

const MIN_SECRET = 8;
const MIN_ENTROPY = 2.5;
const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i;
/** Placeholders, references, dates, versions, numbers and code are no secrets. */
const PLAIN =
  /^(?:[a-z]+(?:[._/:-][a-z]+)*|[A-Z]+(?:_[A-Z]+)*|[A-Z]?[a-z]+(?:[A-Z][a-z]+)*|[\d.,:/TZ+-]+|v?\d+(?:\.\d+)+|\W+|x+|\*+|\$\{.*|\{\{.*|<.*|%\w+%|\[redacted.*|env:.*|file:.*|https?:\/\/.*|.*\(.*\).*)$/;

/** True for what a person or a program would use as a secret: several kinds of characters, few repeats. */
function looksSecret(text: string): boolean {
  const value = text.slice(0, 512);
  if (value.length < MIN_SECRET || PLAIN.test(value) || UUID.test(value) || /\s/.test(value)) return false;
  const kinds = [/[a-z]/, /[A-Z]/, /\d/, /[^A-Za-z0-9]/].filter((kind) => kind.test(value)).length;
  return kinds >= 2 && entropy(value) >= MIN_ENTROPY;
}

/** True where the name of a member announces a secret and its text looks like one. */
export function isLabelledKey(name: string, text: string): boolean {
  return LABEL_NAME.test(name.slice(-64)) && looksSecret(text);
}

/** Every match of a global pattern. */
function matchesOf(text: string, pattern: RegExp): readonly RegExpExecArray[] {
  const matches: RegExpExecArray[] = [];
  pattern.lastIndex = 0;
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) matches.push(match);
  return matches;
}

function findPem(text: string): readonly Found[] {
  const found: Found[] = [];
  PEM_BEGIN.lastIndex = 0;
  for (let begin = PEM_BEGIN.exec(text); begin !== null; begin = PEM_BEGIN.exec(text)) {
    const body = PEM_BEGIN.lastIndex;
    const footer = text.indexOf(PEM_END, body);
    const close = footer < 0 ? -1 : text.indexOf("-----", footer + PEM_END.length);
    // A key that is cut off is a key all the same.
    const end = close < 0 || close - footer > 80 ? text.length : close + 5;
    found.push({ start: begin.index, end });
    PEM_BEGIN.lastIndex = end;
  }
  return found;
}

function findTokens(text: string): readonly Found[] {
  const found: Found[] = [];
  for (const { 0: token, index } of matchesOf(text, TOKENS)) {
    if (index > 0 && BOUNDARY.test(text.charAt(index - 1))) continue;
    found.push({ start: index, end: index + token.length });
  }
  return found;
}

function isJoseHeader(segment: string): boolean {
  try {
    const header: unknown = JSON.parse(Buffer.from(segment, "base64url").toString("utf8"));
    return typeof header === "object" && header !== null && ("alg" in header || "enc" in header);
  } catch {
    return false;
  }
}

function findJwts(text: string): readonly Found[] {
  if (!text.includes("eyJ")) return [];
  return matchesOf(text, JWT)
    .filter(({ 0: token }) => isJoseHeader(token.slice(0, token.indexOf("."))))
    .map(({ 0: token, index }) => ({ start: index, end: index + token.length }));
}

/** Only the value is found, so that the label stays readable. */
function findValues(text: string, pattern: RegExp, accepts: (value: string) => boolean): readonly Found[] {
  return matchesOf(text, pattern).flatMap((match) => {
    const value = match[1] ?? "";
    const end = match.index + match[0].lastIndexOf(value) + value.length;
    return accepts(value) ? [{ start: end - value.length, end }] : [];
  });
}

/** Key material, in no order; finds may overlap. */
export function findKeys(text: string): readonly Found[] {
  if (text.length < MIN_SECRET) return [];
  return [
    ...(text.includes("PRIVATE KEY") ? findPem(text) : []),
    ...findTokens(text),
    ...findJwts(text),
    ...findValues(text, LABELLED, looksSecret),
    ...findValues(text, HEADER_VALUE, looksSecret),
    ...(text.includes("://") ? findValues(text, URL_PASSWORD, (value) => !/^[*x<${]+/.test(value)) : []),
  ];
}
