// `npm run attack -- --url <endpoint>`: the attack corpora against any MCP endpoint, as a table.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { closestName } from "#std";
import { openSession } from "./legacy-session.ts";
import { runCorpus, targetOf, variablesOf } from "./run-corpus.ts";
import type { CorpusOptions, CorpusResult } from "./run-corpus.ts";
import { runScripts } from "./run-scripts.ts";

const DATA = join(import.meta.dirname, "..", "data", "attack");

const HELP = `Usage: npm run attack -- --url <http or https URL of an MCP endpoint> [options]

Sends malformed and hostile requests, and prints how each was answered. Aim it only at what is yours.

  --token <reference>        bearer token: env:NAME or file:path
  --other-token <reference>  bearer token of another principal, for cases with two of them
  --tool <name>              a tool that the token may call                    (default echo)
  --arguments <json>         arguments that the call takes                     (default {"text":"x"})
  --offers <list>            what the target offers beyond the basics, separated by commas:
                               modern       2026-07-28; found out where absent
                               legacy       sessions of 2025-11-25; found out where absent
                               streams      a GET stream in a session
                               goodOrigin   https://good.example is an allowed Origin
                               routes       paths besides that of the URL are not found
                               paramHeaders --param-tool mirrors its argument "region" in Mcp-Param-Region
                               slowTool     --slow-tool takes {"ms": n} and answers "waited n ms"
                               flood        --flood-tool answers with a stream of many megabytes
                               patience     cases that take up to 70 seconds
  --param-tool, --slow-tool, --flood-tool <name>, --flood-arguments <json>
  --expect exact|refusal     refusal: any refusal will do, for targets that are not Aegis  (default exact)
  --only <pattern>           cases whose id matches, such as ^J01
  --timeout <ms>             for one answer                                    (default 10000)
  --insecure                 take any certificate
  --format text|json         (default text)
  --help

A target without 2026-07-28 gets the requests of 2025-11-25. A case that needs what the target does not offer is
"not-applicable". Exit 1 where a case fails; 2 for wrong use, where nothing listens, or where the token is refused.
`;

const OFFERS: readonly string[] =
  "modern legacy streams goodOrigin routes paramHeaders slowTool flood patience".split(" ");

/** Nothing was judged: the command or its target must change first. */
class UsageError extends Error {}
class TargetError extends Error {}

function readOptions(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        url: { type: "string" },
        token: { type: "string" },
        "other-token": { type: "string" },
        tool: { type: "string", default: "echo" },
        arguments: { type: "string", default: '{"text":"x"}' },
        offers: { type: "string", default: "" },
        "param-tool": { type: "string", default: "regional" },
        "slow-tool": { type: "string", default: "wait" },
        "flood-tool": { type: "string", default: "flood" },
        "flood-arguments": { type: "string", default: "{}" },
        expect: { type: "string", default: "exact" },
        only: { type: "string" },
        timeout: { type: "string", default: "10000" },
        insecure: { type: "boolean", default: false },
        format: { type: "string", default: "text" },
        help: { type: "boolean", default: false },
      },
    }).values;
  } catch (fault) {
    throw new UsageError((fault as Error).message);
  }
}

type Values = ReturnType<typeof readOptions>;

function fileText(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch (fault) {
    throw new UsageError(`cannot read the token: ${(fault as Error).message}`);
  }
}

function offersOf(list: string): readonly string[] {
  const offers = list.split(",").flatMap((offer) => (offer.trim() === "" ? [] : [offer.trim()]));
  for (const offer of offers) {
    if (OFFERS.includes(offer)) continue;
    const near = closestName(offer, OFFERS);
    const hint = near === undefined ? "" : ` (did you mean ${near}?)`;
    throw new UsageError(`--offers does not know ${offer}${hint}; it knows ${OFFERS.join(", ")}`);
  }
  return offers;
}

function patternOf(only: string): RegExp {
  try {
    return new RegExp(only, "u");
  } catch (fault) {
    throw new UsageError(`--only: ${(fault as Error).message}`);
  }
}

function secret(reference: string | undefined): string | undefined {
  if (reference === undefined) return undefined;
  const [, kind, name = ""] = /^(env|file):(.+)$/su.exec(reference) ?? [];
  const value = kind === "env" ? process.env[name] : kind === "file" ? fileText(name) : undefined;
  if (value === undefined || value === "")
    throw new UsageError("a token is env:NAME or file:path, and not empty");
  return value;
}

function corpusOptions(values: Values): Omit<CorpusOptions, "file"> {
  if (values.url === undefined || !URL.canParse(values.url))
    throw new UsageError("--url is missing or no URL");
  const url = new URL(values.url);
  if (url.protocol !== "http:" && url.protocol !== "https:")
    throw new UsageError("--url is neither http nor https");
  if (values.format !== "text" && values.format !== "json") throw new UsageError("--format is text or json");
  if (values.expect !== "exact" && values.expect !== "refusal")
    throw new UsageError("--expect is exact or refusal");
  const timeoutMs = Number(values.timeout);
  if (!Number.isInteger(timeoutMs) || timeoutMs < 1)
    throw new UsageError("--timeout is a number of milliseconds");
  const isTls = url.protocol === "https:";
  const otherToken = secret(values["other-token"]);
  const offers = offersOf(values.offers);
  return {
    host: url.hostname.replaceAll(/^\[|\]$/gu, ""),
    port: Number(url.port === "" ? (isTls ? 443 : 80) : url.port),
    path: url.pathname,
    // Without one the header is sent all the same: a server that wants none does not look at it.
    token: secret(values.token) ?? "none",
    variables: {
      tool: values.tool,
      toolBase64: Buffer.from(values.tool).toString("base64"),
      arguments: values.arguments,
      paramTool: values["param-tool"],
      slowTool: values["slow-tool"],
      floodTool: values["flood-tool"],
      floodArguments: values["flood-arguments"],
      otherToken: otherToken ?? "none",
    },
    offers: otherToken === undefined ? offers : [...offers, "otherToken"],
    timeoutMs,
    expects: values.expect,
    ...(isTls ? { tls: { isChecked: !values.insecure } } : {}),
    ...(values.only === undefined ? {} : { only: patternOf(values.only) }),
  };
}

function table(results: readonly CorpusResult[]): string {
  const rows = [
    ["id", "outcome", "status", "title", "reason"],
    ...results.map(({ id, outcome, status, title, reason }) => [
      id,
      outcome,
      status === 0 ? "-" : String(status),
      title,
      reason.replaceAll(/\p{Cc}/gu, " "),
    ]),
  ];
  const widths = [0, 1, 2, 3].map((at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** What the target speaks: it takes a well-formed list, and gives a session. @throws {TargetError} where it does neither */
async function eraOffers(
  options: Omit<CorpusOptions, "file">,
  hasToken: boolean,
): Promise<readonly string[]> {
  const probe = { ...options, file: join(DATA, "http.yaml"), only: /^T00-list$/u, offers: ["modern"] };
  const [list] = await runCorpus(probe);
  if (list?.reason.startsWith("cannot connect") === true) throw new TargetError(list.reason);
  const isModern = list?.outcome === "pass";
  const opened = await openSession(targetOf(probe), await variablesOf(probe)).catch(() => ({ status: 0 }));
  const refusal = [list?.status ?? 0, opened.status].find((status) => status === 401 || status === 403);
  const isLegacy = opened.status === 200;
  if (!isModern && !isLegacy && refusal !== undefined)
    throw new TargetError(
      hasToken
        ? `the target answers ${refusal} to well-formed requests: it refuses the token; give one that may use this endpoint (--token env:NAME or file:path)`
        : `the target answers ${refusal} to well-formed requests: it wants a token (--token env:NAME or file:path)`,
    );
  return [...(isModern ? ["modern"] : []), ...("session" in opened ? ["legacy"] : [])];
}

/** "178 pass, 0 fail, 18 not applicable (needs patience 4, …)" */
function summaryLine(results: readonly CorpusResult[], offers: readonly string[]): string {
  const count = (outcome: CorpusResult["outcome"]): number =>
    results.filter((one) => one.outcome === outcome).length;
  const reasons = new Map<string, number>();
  for (const { outcome, reason } of results)
    if (outcome === "not-applicable") reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  const why = [...reasons].map(([reason, times]) => `${times} ${reason}`).join("; ");
  const era = offers.includes("modern") ? "2026-07-28" : "2025-11-25";
  const counts = `${count("pass")} pass, ${count("fail")} fail, ${count("not-applicable")} not applicable`;
  return `${results.length} cases at ${era}: ${counts}${why === "" ? "" : ` (${why})`}`;
}

async function main(argv: readonly string[]): Promise<number> {
  const values = readOptions(argv);
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const given = corpusOptions(values);
  const found = await eraOffers(given, values.token !== undefined);
  const options = { ...given, offers: [...new Set([...(given.offers ?? []), ...found])] };
  const results = [
    ...(await runCorpus({ ...options, file: join(DATA, "http.yaml") })),
    ...(await runCorpus({ ...options, file: join(DATA, "json.yaml") })),
    ...(await runScripts({ ...options, file: join(DATA, "scripts.yaml") })),
  ];
  const count = (outcome: CorpusResult["outcome"]): number =>
    results.filter((one) => one.outcome === outcome).length;
  const summary = { pass: count("pass"), fail: count("fail"), "not-applicable": count("not-applicable") };
  if (values.format === "json")
    process.stdout.write(
      `${JSON.stringify({ formatVersion: 1, url: values.url, summary, results }, null, 2)}\n`,
    );
  else {
    process.stdout.write(`${table(results)}\n`);
    process.stderr.write(`${summaryLine(results, options.offers)}\n`);
  }
  return summary.fail === 0 ? 0 : 1;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (fault) {
  if (!(fault instanceof UsageError) && !(fault instanceof TargetError)) throw fault;
  process.stderr.write(
    `error: ${fault.message}${fault instanceof UsageError ? " (--help lists the options)" : ""}\n`,
  );
  process.exitCode = 2;
}
