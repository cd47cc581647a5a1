// `npm run attack -- --url <endpoint>`: the attack corpora against any MCP endpoint, as a table.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { parse } from "yaml";
import { closestName } from "#std";
import { askControl, erasOf } from "./control.ts";
import type { ControlAnswer } from "./control.ts";
import { runCorpus } from "./run-corpus.ts";
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
                               flood        --flood-tool answers with more than the system's buffers hold: 64 MB is
                                            safe where they were not enlarged; the call carries no progressToken
                               patience     cases that take up to 70 seconds
  --param-tool, --slow-tool, --flood-tool <name>, --flood-arguments <json>
  --expect exact|refusal     refusal: any refusal will do, for targets that are not Aegis  (default exact)
  --only <pattern>           cases whose id matches, such as ^J01
  --timeout <ms>             for one answer                                    (default 10000)
  --insecure                 take any certificate
  --anyway                   go on where the ordinary requests (T00) do not work
  --format text|json         (default text)
  --help

A target without 2026-07-28 gets the requests of 2025-11-25. A case that needs what the target does not offer is
"not-applicable", and so is what a server behind the target would have to answer, and a flood that fits the
system's buffers. Exit 1 where a case fails; 2 for
wrong use, where nothing listens, where the token is refused, or where the ordinary requests (T00) do not work.
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
        anyway: { type: "boolean", default: false },
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

/** @throws {UsageError} where it is no JSON object: no server could be to blame for what comes of it */
function objectOf(option: string, text: string): string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (fault) {
    throw new UsageError(`${option} is not JSON: ${(fault as Error).message.replaceAll(/\s+/gu, " ")}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new UsageError(`${option} is not a JSON object, such as {"text":"x"}`);
  return text;
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
    throw new UsageError(
      `--url is ${url.protocol}//, and http and https are supported: the cases are requests of HTTP/1.1, byte for byte`,
    );
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
      arguments: objectOf("--arguments", values.arguments),
      paramTool: values["param-tool"],
      slowTool: values["slow-tool"],
      floodTool: values["flood-tool"],
      floodArguments: objectOf("--flood-arguments", values["flood-arguments"]),
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

/** What was sent, what came back, and what to look at. */
function controlError(answers: readonly ControlAnswer[]): TargetError {
  const asked = answers.map(({ sent, cameBack }) => `sent ${sent}; came back: ${cameBack}`).join("; ");
  return new TargetError(
    `the ordinary requests (T00) do not work, so that a refusal would say nothing: ${asked}. Check that the path of --url is an MCP endpoint, that --token may use it, that it speaks 2026-07-28 or 2025-11-25, and that --tool and --arguments are a call that it allows; --anyway goes on all the same`,
  );
}

/** Tries the ordinary requests. @returns what the target speaks @throws {TargetError} where they do not work */
async function control(given: Omit<CorpusOptions, "file">, values: Values): Promise<readonly string[]> {
  const options = { ...given, file: join(DATA, "http.yaml") };
  const { offers, asked } = await erasOf(options);
  const refused = asked.find(({ cameBack }) => cameBack.startsWith("cannot connect"));
  if (refused !== undefined) throw new TargetError(refused.cameBack);
  const all = [...new Set([...(given.offers ?? []), ...offers])];
  if (values.anyway) return all;
  const [list, opening] = asked;
  const status = [list, opening].find((one) => one?.status === 401 || one?.status === 403)?.status;
  if (!asked.some(({ works }) => works) && status !== undefined)
    throw new TargetError(
      values.token === undefined
        ? `the target answers ${status} to well-formed requests: it wants a token (--token env:NAME or file:path)`
        : `the target answers ${status} to well-formed requests: it refuses the token; give one that may use this endpoint (--token env:NAME or file:path)`,
    );
  if (!asked.some(({ works }) => works)) throw controlError(asked);
  for (const id of ["T00-list", "T00-call"] as const) {
    const answer = await askControl({ ...options, offers: all }, id);
    if (!answer.works) throw controlError([answer]);
  }
  return all;
}

/** What a server would have to answer, behind the target: it cannot be sent to a URL. */
function upstreamRows({ only }: Pick<CorpusOptions, "only">): readonly CorpusResult[] {
  const { cases } = parse(readFileSync(join(DATA, "upstream.yaml"), "utf8")) as {
    readonly cases: readonly Pick<CorpusResult, "id" | "title">[];
  };
  const reason = "needs a hostile server behind the target, as npm test has it";
  return cases
    .filter(({ id }) => only?.test(id) !== false)
    .map(({ id, title }) => ({ id, title, outcome: "not-applicable", status: 0, reason }));
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
  const options = { ...given, offers: await control(given, values) };
  const results = [
    ...(await runCorpus({ ...options, file: join(DATA, "http.yaml") })),
    ...(await runCorpus({ ...options, file: join(DATA, "json.yaml") })),
    ...(await runScripts({ ...options, file: join(DATA, "scripts.yaml") })),
    ...upstreamRows(options),
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
