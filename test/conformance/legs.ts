// The legs of the conformance run: which form of the fixture is asked in which revision, directly or through the
// gateway, and what a leg is compared with.
import type { Form } from "./conformance-world.ts";
import type { Difference } from "./compare.ts";
import type { Revision } from "./suite.ts";

export interface Baseline {
  readonly id: string;
  readonly revision: Revision;
  readonly form: Exclude<Form, "stdio">;
}

export interface Leg {
  readonly id: string;
  readonly title: string;
  readonly revision: Revision;
  readonly form: Form;
  /** Id of the direct run that this one must equal. */
  readonly baseline: string;
  /** What no gateway could reach here, and why. */
  readonly unreachable: readonly Unreachable[];
}

export interface Unreachable {
  readonly scenario: string;
  /** Part of the name of the check; absent = every check of the scenario. */
  readonly check?: string;
  readonly why: string;
}

export const BASELINES: readonly Baseline[] = [
  { id: "direct 2025-06-18", revision: "2025-06-18", form: "dual" },
  { id: "direct 2025-11-25", revision: "2025-11-25", form: "dual" },
  { id: "direct 2026-07-28", revision: "2026-07-28", form: "dual" },
];

const DIRECT_ASK = "the fixture's tool asks the client directly, which a modern server cannot do";

export const LEGS: readonly Leg[] = [
  ...(["2025-06-18", "2025-11-25", "2026-07-28"] as const).map((revision) => ({
    id: `dual ${revision}`,
    title: "HTTP, both eras",
    revision,
    form: "dual" as const,
    baseline: `direct ${revision}`,
    unreachable: [],
  })),
  ...(["2025-06-18", "2025-11-25", "2026-07-28"] as const).map((revision) => ({
    id: `stdio ${revision}`,
    title: "stdio, both eras",
    revision,
    form: "stdio" as const,
    baseline: `direct ${revision}`,
    unreachable: [],
  })),
  {
    id: "legacy 2026-07-28",
    title: "HTTP, legacy only: bridged",
    revision: "2026-07-28",
    form: "legacy",
    baseline: "direct 2026-07-28",
    unreachable: [],
  },
  {
    id: "modern 2025-11-25",
    title: "HTTP, modern only: bridged",
    revision: "2025-11-25",
    form: "modern",
    baseline: "direct 2025-11-25",
    unreachable: [
      { scenario: "tools-call-sampling", why: DIRECT_ASK },
      { scenario: "tools-call-elicitation", why: DIRECT_ASK },
      { scenario: "elicitation-sep1034-defaults", why: DIRECT_ASK },
      { scenario: "elicitation-sep1330-enums", why: DIRECT_ASK },
    ],
  },
];

/** Of the client scenarios. */
export const CLIENT_UNREACHABLE: readonly Unreachable[] = [];

type Place = Pick<Difference, "scenario" | "check">;

/** Entries of a list that no difference needs any more. */
export function stale(entries: readonly Unreachable[], found: readonly Difference[]): readonly Unreachable[] {
  return entries.filter((entry) => !found.some((difference) => covers(entry, difference)));
}

export function isReachable(entries: readonly Unreachable[], difference: Place): boolean {
  return !entries.some((entry) => covers(entry, difference));
}

function covers({ scenario, check }: Unreachable, difference: Place): boolean {
  return scenario === difference.scenario && (check === undefined || difference.check.includes(check));
}
