// Credentials do not belong in a repository. The value itself is never repeated in the message.
import { LineMap } from "../documents/source-text.ts";
import type { TextRule } from "./context.ts";

// Every repetition is bounded: a hostile file must not make a pattern scan it once for each of its characters.
const SHAPES: readonly (readonly [pattern: RegExp, what: string])[] = [
  [/-----BEGIN (?:[A-Z]{1,20} ){0,4}PRIVATE KEY-----/gu, "a private key"],
  [/\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/gu, "an AWS access key id"],
  [/\bgh[pousr]_[A-Za-z0-9]{36,}\b|\bgithub_pat_[A-Za-z0-9_]{22,}/gu, "a GitHub token"],
  [/\bglpat-[A-Za-z0-9_-]{20,}/gu, "a GitLab token"],
  [/\bxox[abeoprs]-[A-Za-z0-9-]{10,}/gu, "a Slack token"],
  [/\bsk-(?:ant-|proj-)?[A-Za-z0-9_-]{20,}/gu, "an API key"],
  [/\bAIza[A-Za-z0-9_-]{35}/gu, "a Google API key"],
  [/\beyJ[A-Za-z0-9_-]{10,500}\.eyJ[A-Za-z0-9_-]{10,500}/gu, "a JSON Web Token"],
  [/\b[a-z][a-z0-9+.-]{0,20}:\/\/[^\s/:@"']{1,200}:[^\s/@"']{1,200}@/gu, "a URL with a password"],
  [
    /(?<![\w-])--?(?:api-?key|access-?token|auth-?token|token|password|passwd|secret|client-?secret)[= ][^\s"'${}<>,\]]{8,200}/giu,
    "a credential among arguments",
  ],
  [
    /[?&](?:api_?key|access_token|auth_token|token|password|secret|client_secret)=[^\s"'&${}<>]{8,200}/giu,
    "a credential in a query",
  ],
];

export const secretLiteral: TextRule = {
  name: "secret-literal",
  run: (file, text, sink) => {
    const lines = new LineMap(file, text);
    for (const [pattern, what] of SHAPES) {
      for (const match of text.matchAll(pattern)) {
        const at = lines.span(match.index, match.index + match[0].length);
        sink.report(
          "SECRET_LITERAL",
          at,
          `this looks like ${what}`,
          "revoke it, and keep secrets in the gateway's secret store",
        );
      }
    }
  },
};
