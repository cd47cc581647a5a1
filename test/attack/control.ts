// The ordinary requests that must work before a refusal says anything: T00 of the corpus, and what a target speaks.
import { readCaseFile, requestBytes } from "./case-file.ts";
import { messageOf, textOf } from "./judge.ts";
import { openSession } from "./legacy-session.ts";
import { exchangeRaw } from "./raw-http.ts";
import type { RawResponse } from "./raw-http.ts";
import { inEra, isLegacyOnly, targetOf, variablesOf } from "./run-corpus.ts";
import type { CorpusOptions } from "./run-corpus.ts";

/** How an ordinary request went. */
export interface ControlAnswer {
  /** It was answered with a result of JSON-RPC. */
  readonly works: boolean;
  /** HTTP status; 0 where there is none. */
  readonly status: number;
  /** "T00-list, POST /mcp tools/list of 2026-07-28" */
  readonly sent: string;
  /** "status 404, body …", or why nothing came. */
  readonly cameBack: string;
}

export interface Eras {
  /** Of "modern" and "legacy", those that the target speaks. */
  readonly offers: readonly string[];
  /** What was asked to find out. */
  readonly asked: readonly ControlAnswer[];
}

const METHODS = { "T00-list": "tools/list", "T00-call": "tools/call" } as const;
const SHOWN_CHARACTERS = 200;

function answered(sent: string, response: RawResponse): ControlAnswer {
  const { status } = response;
  const text = textOf(response);
  const works = status >= 200 && status <= 299 && messageOf(response)?.result !== undefined;
  const cameBack =
    status === 0 && text === ""
      ? "the end of the connection, without an answer"
      : `status ${String(status)}, body ${JSON.stringify(text.slice(0, SHOWN_CHARACTERS))}`;
  return { works, status, sent, cameBack };
}

const unanswered = (sent: string, fault: unknown): ControlAnswer => ({
  works: false,
  status: 0,
  sent,
  cameBack: (fault as Error).message,
});

/** Sends one of the ordinary requests of `options.file`, in the era of the target. */
export async function askControl(options: CorpusOptions, id: keyof typeof METHODS): Promise<ControlAnswer> {
  const revision = isLegacyOnly(options) ? "2025-11-25" : "2026-07-28";
  const sent = `${id}, POST ${options.path} ${METHODS[id]} of ${revision}`;
  const file = inEra(readCaseFile(options.file), options);
  const control = file.cases.find((one) => one.id === id);
  if (control === undefined) throw new Error(`${options.file}: no case ${id}`);
  try {
    const variables = await variablesOf(options);
    return answered(sent, await exchangeRaw(targetOf(options), requestBytes(file, control, variables)));
  } catch (fault) {
    return unanswered(sent, fault);
  }
}

/** What the target speaks: it answers a well-formed list of 2026-07-28, and gives a session of 2025-11-25. */
export async function erasOf(options: CorpusOptions): Promise<Eras> {
  const modern = { ...options, offers: ["modern"] };
  const list = await askControl(modern, "T00-list");
  const sent = `POST ${options.path} initialize of 2025-11-25`;
  const offers = list.works ? ["modern"] : [];
  try {
    const { answer, session } = await openSession(targetOf(options), await variablesOf(modern));
    if (session !== undefined) offers.push("legacy");
    return { offers, asked: [list, answered(sent, answer)] };
  } catch (fault) {
    return { offers, asked: [list, unanswered(sent, fault)] };
  }
}
