// docs/conformance.md from one run of everything.
import type { ClientOutcome } from "./client-legs.ts";
import { count } from "./compare.ts";
import type { Counts } from "./compare.ts";
import { LIMITS, STREAMS } from "./conformance-world.ts";
import type { Form } from "./conformance-world.ts";
import { CLIENT_UNREACHABLE } from "./legs.ts";
import type { Unreachable } from "./legs.ts";
import type { ServerRun } from "./server-legs.ts";
import type { Revision, SuiteResult } from "./suite.ts";
import { NAMES, WORDS, clientTally, serverTally, sum } from "./tally.ts";
import type { Tally } from "./tally.ts";

export const COMMAND = "node test/conformance/run.ts --write";

const COLUMNS: Readonly<Record<Form, string>> = {
  dual: "HTTP",
  stdio: "stdio",
  legacy: "bridged to a legacy server",
  modern: "bridged to a modern server",
};

const ALLOWED_ORIGIN = "`http://localhost:<port of the hop>`";

/** Every key that the run sets for the sake of the suite, as test/conformance/conformance-world.ts has it. */
function settings(): string {
  const same = (value: string, why: string): readonly string[] => [value, value, why];
  const servers = (value: unknown, why: string): readonly string[] => [
    typeof value === "number" ? String(value) : `\`${String(value)}\``,
    "default",
    why,
  ];
  const many = "the suite leaves sessions and their streams open";
  const asServer = "as the server does";
  const rows: Readonly<Record<string, readonly string[]>> = {
    "listen.allowedOrigins": [ALLOWED_ORIGIN, "default", "`dns-rebinding-protection` sends its own `Origin`"],
    "streams.answers": servers(STREAMS.answers, `${asServer}: sessions are answered with event streams`),
    "streams.pollAfterMs": servers(STREAMS.pollAfterMs, `${asServer}: a stream whose answer takes long ends`),
    "limits.maxSessionsPerPrincipal": servers(LIMITS.maxSessionsPerPrincipal, many),
    "limits.maxStreamsPerPrincipal": servers(LIMITS.maxStreamsPerPrincipal, many),
    "audit.mode": same("`batch`", "time: no wait for the disk"),
    "release.pollIntervalMs": same("1000", "time"),
  };
  const head = ["key", "server scenarios", "client scenarios", "why"];
  return table(
    head,
    Object.entries(rows).map(([key, cells]) => [`\`${key}\``, ...cells]),
  );
}

const intro = (): string => `# Conformance

What the official conformance suite (\`@modelcontextprotocol/conformance\` 0.2.0-alpha.12) finds: of a server by itself,
and of the same server behind the gateway, check by check. The server is
[test/servers/conformance-fixture](../test/servers/conformance-fixture), written on the official SDK; the policies allow
everything; the names are the server's own, as they are on every endpoint with one server. The suite sends no tokens: a
hop before the gateway adds them and changes nothing else. Besides addresses, directories, the trust root, the channel and
the program of the server on stdio, [gateway.json](gateway-configuration.md#keys) sets:

${settings()}

Without \`streams\`, one check at 2025-11-25 only informs that answers are JSON, and \`server-sse-polling\` only informs that
the stream stayed open where the server does not end it itself.

This page is rendered by \`${COMMAND}\`. A test runs the same and fails where the
page no longer says what is found. Without \`--write\` the same numbers go to standard output, with the names of the
checks that failed. \`--leg TEXT\` then runs only the server legs and client scenarios whose name contains TEXT, and
\`--client\` only client scenarios; \`--help\` lists their names.

Every check that the direct run made is counted once: it passed through the gateway, it failed or warned in both runs,
it passed directly and is excepted ([with the reason](#what-cannot-be-reached)), or it is worse through the gateway. A
client scenario can make a check more through the gateway than directly. Where a few scenarios of a run are worse they are
run once more, alone, since the suite waits only a second for most things; what is worse then is worse.

A cell holds the checks that passed, "3 of 5" where others failed or warned. Checks that
[cannot be reached](#what-cannot-be-reached) through a gateway are left out of its cells. \`tasks-*\` scenarios are an
extension that neither the SDK's servers nor the suite's score have; the gateway passes on what the server answers.
`;

const REVISIONS: readonly Revision[] = ["2025-06-18", "2025-11-25", "2026-07-28"];

export function renderReport(run: ServerRun, clients: readonly ClientOutcome[]): string {
  const sections = [
    intro(),
    summary(run, clients),
    ...REVISIONS.map((revision) => revisionTable(run, revision)),
    clientTable(clients),
    exceptions(run),
  ];
  return `${sections.join("\n").trimEnd()}\n`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

function cell(counts: Counts): string {
  const all = counts.passed + counts.failed;
  if (all === 0) return "-";
  return counts.failed === 0 ? String(counts.passed) : `${String(counts.passed)} of ${String(all)}`;
}

function summary(run: ServerRun, clients: readonly ClientOutcome[]): string {
  const row = (revision: string, title: string, tally: Tally): readonly string[] => [
    revision,
    title,
    ...NAMES.map((name) => String(tally[name])),
  ];
  const rows = [
    ...run.legs.map((outcome) => row(outcome.leg.revision, outcome.leg.title, serverTally(run, outcome))),
    row("both", "client scenarios", sum(clients.map(clientTally))),
  ];
  const head = ["revision", "server behind the gateway", ...NAMES.map((name) => WORDS[name])];
  return `## Summary\n\n${table(head, rows)}\n`;
}

function revisionTable(run: ServerRun, revision: Revision): string {
  const legs = run.legs.filter(({ leg }) => leg.revision === revision);
  const direct: SuiteResult = run.baselines.get(`direct ${revision}`) ?? new Map();
  const rows = [...direct.keys()].map((scenario) => [
    scenario,
    cell(count(direct.get(scenario))),
    ...legs.map(({ reachable }) => cell(count(reachable.get(scenario)))),
  ]);
  const head = ["scenario", "direct", ...legs.map(({ leg }) => COLUMNS[leg.form])];
  return `## Server scenarios at ${revision}\n\n${table(head, rows)}\n`;
}

function clientTable(clients: readonly ClientOutcome[]): string {
  const rows = clients.map((outcome) => {
    const tally = clientTally(outcome);
    return [outcome.scenario, outcome.revision, ...NAMES.map((name) => String(tally[name]))];
  });
  const text = `The suite's own server, a client of the 2.x SDK, and between them a gateway that was pinned from that server. The
scenarios of authorization are left out: behind a gateway the resource is the gateway's address.`;
  const head = ["scenario", "revision", ...NAMES.map((name) => WORDS[name])];
  return `## Client scenarios\n\n${text}\n\n${table(head, rows)}\n`;
}

function exceptions(run: ServerRun): string {
  const places = new Map<string, string[]>();
  const note = (where: string, { scenario, check, why }: Unreachable): void => {
    const what = check === undefined ? `\`${scenario}\`` : `\`${scenario}\`: \`${check}\``;
    const key = `${what} | ${why}`;
    places.set(key, [...(places.get(key) ?? []), where]);
  };
  for (const { leg } of run.legs)
    for (const entry of leg.unreachable) note(`${COLUMNS[leg.form]}, ${leg.revision}`, entry);
  for (const entry of CLIENT_UNREACHABLE) note("client", entry);
  const rows = [...places].map(([key, where]) => [...key.split(" | "), where.join("; ")]);
  const text = `What a modern server asks a legacy client is tried by [test/e2e/bridging.test.ts](../test/e2e/bridging.test.ts) instead,
with the tools of the fixture that ask by \`input_required\`.`;
  return `## What cannot be reached\n\n${text}\n\n${table(["check", "why", "where"], rows)}\n`;
}
