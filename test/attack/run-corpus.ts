// Plays a file of attack cases against a listener, be it a bare one in a unit test or a whole gateway.
import {
  DEFAULT_VARIABLES,
  LEGACY_VARIABLES,
  legacyPresets,
  legacySpec,
  readCaseFile,
  requestBytes,
} from "./case-file.ts";
import type { CaseExpectation, CaseFile, Presets, RequestSpec, Variables } from "./case-file.ts";
import { judge } from "./judge.ts";
import { openSession } from "./legacy-session.ts";
import { exchangeRaw } from "./raw-http.ts";
import type { RawResponse, RawTarget } from "./raw-http.ts";

export interface CorpusOptions {
  readonly host: string;
  readonly port: number;
  /** MCP endpoint, e.g. `/sql-prod/mcp`. */
  readonly path: string;
  readonly token: string;
  /** YAML file of cases. */
  readonly file: string;
  /** Overrides of template variables: `tool` and `arguments` must name a call that the target allows. */
  readonly variables?: Variables;
  /** What the target offers beyond the basics; cases that need something else are reported as not applicable. */
  readonly offers?: readonly string[];
  /** Calls the upstream has seen so far. A case that is not accepted must not move it. */
  readonly upstreamCalls?: () => number | Promise<number>;
  readonly timeoutMs?: number;
  /** How long an answer is left unread, where the target cuts sooner than by default. */
  readonly unreadMs?: number;
  /** How much of an unread answer the system may hold, where it is not to be asked. */
  readonly heldBytes?: number;
  /** Absent = plain HTTP. */
  readonly tls?: NonNullable<RawTarget["tls"]>;
  /** Cases to play, by id; all where absent. */
  readonly only?: RegExp;
  /** `refusal`: any refusal will do where a case names the gateway's own code; for targets that are not Aegis. */
  readonly expects?: "exact" | "refusal";
}

export interface CorpusResult {
  readonly id: string;
  readonly title: string;
  readonly outcome: "pass" | "fail" | "not-applicable";
  readonly status: number;
  /** Why it failed; empty otherwise. */
  readonly reason: string;
}

/** Every case, one after the other. */
export async function runCorpus(options: CorpusOptions): Promise<readonly CorpusResult[]> {
  const file = inEra(readCaseFile(options.file), options);
  const results: CorpusResult[] = [];
  let variables: Variables | undefined;
  let noSession = "";
  try {
    variables = await variablesOf(options);
  } catch (fault) {
    noSession = `no session: ${(fault as Error).message}`;
  }
  for (const attack of file.cases) {
    const { id, title } = attack;
    if (options.only?.test(id) === false) continue;
    const missing = needsOf(file, attack).filter((need) => options.offers?.includes(need) !== true);
    if (missing.length > 0) {
      const reason = `needs ${missing.join(", ")}`;
      results.push({ id, title, outcome: "not-applicable", status: 0, reason });
      continue;
    }
    if (variables === undefined) {
      results.push({ id, title, outcome: "fail", status: 0, reason: noSession });
      continue;
    }
    const before = await options.upstreamCalls?.();
    let response: RawResponse;
    try {
      response = await exchangeRaw(targetOf(options), requestBytes(file, attack, variables));
    } catch (fault) {
      results.push({ id, title, outcome: "fail", status: 0, reason: (fault as Error).message });
      continue;
    }
    const after = await options.upstreamCalls?.();
    const reasons = judge(expectationOf(attack.expect, options), response);
    if (attack.expect.accepted !== true && before !== after) reasons.push("reached the upstream");
    results.push({
      id,
      title,
      outcome: reasons.length === 0 ? "pass" : "fail",
      status: response.status,
      reason: reasons.join("; "),
    });
  }
  return results;
}

/** A target that does not offer 2026-07-28 gets the requests of 2025-11-25. */
export const isLegacyOnly = ({ offers = [] }: Pick<CorpusOptions, "offers">): boolean =>
  !offers.includes("modern");

/** A file of cases as this target gets it. */
export function inEra(file: CaseFile, options: CorpusOptions): CaseFile {
  if (!isLegacyOnly(options)) return file;
  return { presets: legacyPresets(file), cases: file.cases.map(legacySpec) };
}

/** Everything that a request needs of the target: of the preset it starts from, and of its own. */
export function needsOf(
  file: Presets,
  { use = "", needs }: RequestSpec & { readonly needs?: string },
): readonly string[] {
  return [file.presets[use]?.needs, needs].filter((need) => need !== undefined);
}

/** What is expected of this target. */
export function expectationOf(
  expect: CaseExpectation,
  { expects }: Pick<CorpusOptions, "expects">,
): CaseExpectation {
  const { code, status, ...rest } = expect;
  const isRefusal = code !== undefined || (status !== undefined && status >= 400);
  return expects === "refusal" && isRefusal ? { ...rest, refused: true } : expect;
}

/** Where the requests go. */
export function targetOf({ host, port, timeoutMs = 10_000, tls }: CorpusOptions): RawTarget {
  return { host, port, timeoutMs, ...(tls === undefined ? {} : { tls }) };
}

/** What templates can name. Towards a target that speaks 2025-11-25 alone a session is opened for them. */
export async function variablesOf(options: CorpusOptions): Promise<Variables> {
  const { host, port, path, token } = options;
  const bracketed = host.includes(":") ? `[${host}]` : host;
  const basic = { ...DEFAULT_VARIABLES, host: bracketed, port: String(port), path, token };
  if (!isLegacyOnly(options)) return { ...basic, ...options.variables };
  const own = { ...basic, ...LEGACY_VARIABLES, ...options.variables };
  const { session } = await openSession(targetOf(options), own);
  return { ...own, ...(session === undefined ? {} : { session }) };
}
