// The client scenarios that make sense with a gateway in between: all but those of authorization, where the gateway's
// own address is the resource.
import { startClientHost } from "./client-host.ts";
import type { ClientHost, ClientMode } from "./client-host.ts";
import { worseThan } from "./compare.ts";
import type { Difference } from "./compare.ts";
import { CLIENT_UNREACHABLE, isReachable } from "./legs.ts";
import { inTurns } from "./server-legs.ts";
import { runClientScenario } from "./suite.ts";
import type { Revision, SuiteResult } from "./suite.ts";

export interface ClientScenario {
  readonly scenario: string;
  readonly revision: Revision;
}

const of = (revision: Revision, ...names: readonly string[]): readonly ClientScenario[] =>
  names.map((scenario) => ({ scenario, revision }));

export const CLIENT_SCENARIOS: readonly ClientScenario[] = [
  ...of("2025-11-25", "initialize", "tools_call", "elicitation-sep1034-client-defaults", "sse-retry"),
  ...of("2025-11-25", "json-schema-2020-12-preservation"),
  ...of("2026-07-28", "tools_call", "request-metadata", "sep-2322-client-request-state"),
  ...of("2026-07-28", "http-standard-headers", "http-custom-headers", "http-invalid-tool-headers"),
  ...of("2026-07-28", "json-schema-ref-no-deref", "json-schema-2020-12-preservation"),
];

export interface ClientOutcome extends ClientScenario {
  readonly direct: SuiteResult;
  readonly governed: SuiteResult;
  /** Worse than the direct run although it could be reached. */
  readonly differences: readonly Difference[];
  /** Worse than the direct run, as `CLIENT_UNREACHABLE` says. */
  readonly accepted: readonly Difference[];
}

export async function runClientLegs(
  wanted: (scenario: ClientScenario) => boolean = () => true,
  onLog: (line: string) => void = () => undefined,
): Promise<readonly ClientOutcome[]> {
  const scenarios = CLIENT_SCENARIOS.filter(wanted);
  const outcomes = new Map<ClientScenario, ClientOutcome>();
  const host = await startClientHost();
  try {
    await inTurns(scenarios.map((entry) => async () => void outcomes.set(entry, await runBoth(host, entry))));
    for (const line of host.log()) onLog(line);
  } finally {
    await host.stop();
  }
  return scenarios.flatMap((entry) => outcomes.get(entry) ?? []);
}

async function runBoth(host: ClientHost, entry: ClientScenario): Promise<ClientOutcome> {
  const run = (mode: ClientMode): Promise<SuiteResult> =>
    runClientScenario(host.command(mode), entry.revision, entry.scenario);
  const [direct, governed] = await Promise.all([run("direct"), run("gateway")]);
  const all = worseThan(direct, governed);
  const isKnown = (difference: Difference): boolean => !isReachable(CLIENT_UNREACHABLE, difference);
  return {
    ...entry,
    direct,
    governed,
    differences: all.filter((difference) => !isKnown(difference)),
    accepted: all.filter(isKnown),
  };
}
