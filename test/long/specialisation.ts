// The specialised slices of random repositories against the unspecialised policies, 10,000 requests.
import { compareSpecialisation } from "../unit/compiler/specialisation/compare.ts";
import type { SpecialisationReport } from "../unit/compiler/specialisation/compare.ts";
import { missingFeatures } from "../unit/compiler/specialisation/expected-features.ts";

export interface SpecialisationRun {
  readonly requests: number;
  readonly seed: number;
  readonly onProgress?: (done: number) => void;
}

const REQUESTS_EACH = 50;

/** `requests` is a multiple of 50: so many are asked of each repository. */
export function run({ requests, seed, onProgress }: SpecialisationRun): Promise<SpecialisationReport> {
  return compareSpecialisation({
    seed,
    repositories: Math.ceil(requests / REQUESTS_EACH),
    requestsEach: REQUESTS_EACH,
    ...(onProgress === undefined ? {} : { onProgress }),
  });
}

/** Every difference, and each kind of outcome or part of the language that did not occur: the run proves too little. */
export function faultsOf(report: SpecialisationReport): readonly string[] {
  const { allowed, denied, errored, refused, unresolved, shadowDiffers, compared } = report;
  const needed = { allowed, denied, errored, refused, unresolved, shadowDiffers };
  const missing = Object.entries(needed).filter(([, count]) => count < compared / 100);
  return [
    ...report.differences,
    ...missing.map(([name]) => `too few are ${name}`),
    ...missingFeatures(report, compared / 1_000).map((name) => `too few: ${name}`),
  ];
}
