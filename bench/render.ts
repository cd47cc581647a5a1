// Tables of a run: as text for the terminal, as Markdown for the README. Both from the result file alone.
import type { BenchResults, BudgetOutcome } from "./results.ts";
import { PROXY_ARMS } from "./sections/proxy-arms.ts";
import type { ProxyArmName } from "./sections/proxy-arms.ts";
import type { ProxyResult } from "./sections/proxy.ts";

type Row = readonly string[];

const ARM_TITLES: Readonly<Record<ProxyArmName, string>> = {
  "bare-hop": "bare hop (node:http + undici, JSON parsed and written afresh)",
  "aegis-minimal": "Aegis, one policy, audit batch",
  "aegis-loaded": "Aegis, 10 policies, pins, limits, redaction, audit batch",
  "aegis-loaded-sync": "the same, audit sync",
  "aegis-loaded-cedar": "the same, audit batch, decided by cedar-wasm",
};

function ms(value: number): string {
  return value >= 100 ? String(Math.round(value)) : value.toFixed(2);
}

function grouped(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

/** A result file may be older than an arm. */
function armsOf({ arms }: ProxyResult): readonly ProxyArmName[] {
  return PROXY_ARMS.filter((name) => Object.hasOwn(arms, name));
}

function proxyRows(results: BenchResults): readonly Row[] {
  const { proxy } = results;
  if (proxy === undefined) return [];
  return armsOf(proxy).map((name) => {
    const arm = proxy.arms[name];
    return [
      ARM_TITLES[name],
      grouped(arm.perSecond.median),
      arm.ratio.median.toFixed(2),
      `${grouped(arm.serverCpuMicros.median)} + ${grouped(arm.writerCpuMicros.median)}`,
    ];
  });
}

function latencyRows(results: BenchResults, load: "halfLoad" | "commonLoad"): readonly Row[] {
  const { proxy } = results;
  if (proxy === undefined) return [];
  return armsOf(proxy).map((name) => {
    const paced = proxy.arms[name][load];
    return [
      ARM_TITLES[name],
      `${ms(paced.p50Ms.median)} / ${ms(paced.p99Ms.median)}`,
      name === "bare-hop" ? "" : `${ms(paced.addedP50Ms.median)} / ${ms(paced.addedP99Ms.median)}`,
      paced.unanswered === 0 ? "" : `${grouped(paced.unanswered)} unanswered`,
    ];
  });
}

function decisionRows(results: BenchResults): readonly Row[] {
  return (results.decision ?? []).map((entry) => [
    entry.engine,
    grouped(entry.policies),
    `${entry.prepareP50Micros.median.toFixed(1)} / ${entry.prepareP99Micros.median.toFixed(1)}`,
    `${entry.decideP50Micros.median.toFixed(1)} / ${entry.decideP99Micros.median.toFixed(1)}`,
  ]);
}

function manyServersRows({ servers }: BenchResults): readonly Row[] {
  if (servers === undefined) return [];
  const { rssBytes, sweep, sockets } = servers;
  const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;
  return [
    [`a page of the list of ${grouped(servers.visible)} tools, ms`, ms(servers.listStageMs.median)],
    ["the same over HTTP, ms", ms(servers.pageMs.median)],
    ["resident size with one server", megabytes(rssBytes.oneServer)],
    [
      `with ${grouped(servers.servers)} servers and ${grouped(servers.pins)} pins`,
      megabytes(rssBytes.manyServers),
    ],
    ["after a call to every visible server", megabytes(rssBytes.afterCalls)],
    ["which took, ms", ms(sweep.tookMs)],
    ["sockets to the servers: after lists, idle after calls", `${sockets.afterLists}, ${sockets.idle}`],
  ];
}

function sessionRows({ sessions }: BenchResults): readonly Row[] {
  if (sessions === undefined) return [];
  const { crowd } = sessions;
  const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;
  const crowdName = `${grouped(crowd.idle)} idle and ${grouped(crowd.slow)} slow connections`;
  return [
    [
      `${grouped(sessions.sessions)} sessions with open streams: resident size`,
      megabytes(sessions.rssBeforeBytes),
      megabytes(sessions.rssWithBytes),
    ],
    ["longest event-loop delay, ms", ms(sessions.stallBeforeMs.median), ms(sessions.stallWithMs.median)],
    [`${crowdName}: a healthy client's p50, ms`, ms(crowd.p50AloneMs.median), ms(crowd.p50CrowdedMs.median)],
    ["its p99, ms", ms(crowd.p99AloneMs.median), ms(crowd.p99CrowdedMs.median)],
  ];
}

function amount(value: number): string {
  return Math.abs(value) >= 1_000 ? grouped(value) : value.toFixed(2).replace(/\.00$/, "");
}

function verdict({ value, limit, met, bound, note }: BudgetOutcome): string {
  if (met) return "met";
  if (note !== undefined) return `missed: ${note}`;
  if (limit === 0) return `missed by ${amount(value)}`;
  const factor = bound === "at most" ? value / limit : limit / value;
  return `missed, ${factor.toFixed(1)} times ${bound === "at most" ? "over" : "under"}`;
}

function budgetRows(results: BenchResults): readonly Row[] {
  return results.budgets.map((outcome) => [
    outcome.what,
    `${amount(outcome.value)} ${outcome.unit}`,
    `${outcome.bound} ${amount(outcome.limit)} ${outcome.unit}`,
    verdict(outcome),
  ]);
}

interface Table {
  readonly title: string;
  readonly head: Row;
  readonly rows: readonly Row[];
}

function tablesOf(results: BenchResults): readonly Table[] {
  const hop = results.proxy?.arms["bare-hop"];
  const latencyHead = ["arm", "p50 / p99 ms", "added p50 / p99 ms", ""];
  const tables: Table[] = [
    {
      title: `At saturation, ${String(results.settings.connections)} connections`,
      head: ["arm", "calls/s", "ratio", "processor µs/call: server + audit writer"],
      rows: proxyRows(results),
    },
    {
      title: `At ${grouped(hop?.halfLoad.ratePerSecond ?? 0)} calls/s, half load of the bare hop`,
      head: latencyHead,
      rows: latencyRows(results, "halfLoad"),
    },
    {
      title: `At ${grouped(hop?.commonLoad.ratePerSecond ?? 0)} calls/s, half load of the slowest arm`,
      head: latencyHead,
      rows: latencyRows(results, "commonLoad"),
    },
    {
      title: "The decision alone, in process",
      head: ["engine", "policies in the repository", "prepare p50 / p99 µs", "decide p50 / p99 µs"],
      rows: decisionRows(results),
    },
    { title: "Sessions and crowds", head: ["what", "without", "with"], rows: sessionRows(results) },
    { title: "One endpoint over many servers", head: ["what", ""], rows: manyServersRows(results) },
    { title: "Budgets", head: ["what", "measured", "budget", ""], rows: budgetRows(results) },
  ];
  return tables.filter(({ rows }) => rows.length > 0);
}

function origin(results: BenchResults): string {
  const { machine, loadAverage, settings } = results;
  const [before = 0] = loadAverage.before;
  const [after = 0] = loadAverage.after;
  return (
    `${machine.cpu}, ${String(machine.cores)} cores, Linux ${machine.kernel}, Node ${machine.node}; ` +
    `${results.date.slice(0, 10)}, ${results.commit}; medians of ${String(settings.rounds)} interleaved rounds; ` +
    `load average before and after the run ${String(before)} and ${String(after)}.`
  );
}

function appendLine(results: BenchResults): string | undefined {
  const arm = results.proxy?.fdatasync;
  if (arm === undefined) return undefined;
  return (
    `Append and fdatasync alone: ${grouped(arm.recordsPerSecond.median)} records/s, ` +
    `p50 / p99 ${ms(arm.p50Ms.median)} / ${ms(arm.p99Ms.median)} ms.`
  );
}

/** For a terminal: columns padded to the same width. */
export function renderText(results: BenchResults): string {
  const parts = tablesOf(results).map(({ title, head, rows }) => {
    const all = [head, ...rows];
    const widths = head.map((_, column) => Math.max(...all.map((row) => (row[column] ?? "").length)));
    const lines = all.map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    );
    return `${title}\n${lines.join("\n")}\n`;
  });
  const append = appendLine(results);
  return [origin(results), ...parts, ...(append === undefined ? [] : [append])].join("\n") + "\n";
}

/** For the README: the part between the marks. */
export function renderMarkdown(results: BenchResults): string {
  const line = (row: Row): string => `| ${row.join(" | ")} |`;
  const parts = tablesOf(results).map(({ title, head, rows }) => {
    const rule = `|${" --- |".repeat(head.length)}`;
    return `${title}:\n\n${[line(head), rule, ...rows.map(line)].join("\n")}\n`;
  });
  const append = appendLine(results);
  return [`${origin(results)}\n`, ...parts, ...(append === undefined ? [] : [`${append}\n`])].join("\n");
}
