// `aegis pin --accept-suspicious <id>`: records in a committed pin file that a reviewer accepts one finding in one text.
// No server is asked: what is accepted is what stands in the repository, and nothing else of the file changes.
import { scanPins } from "#registry";
import type { AcceptedFinding, OtherTools, PinContent, PinFinding } from "#registry";
import { CliError } from "../output/cli-error.ts";

export interface Acceptance {
  readonly pins: PinContent;
  readonly findings: readonly PinFinding[];
}

function entryOf({ subject, rule, pointer, digest }: PinFinding): AcceptedFinding {
  return { subject, rule, pointer, digest };
}

/** The accepted findings that still stand in `findings`: the same rule, place and text; and, on request, all secrets. */
export function keptAcceptances(
  findings: readonly PinFinding[],
  withSecrets = false,
): readonly AcceptedFinding[] {
  return findings
    .filter(({ isAccepted, severity }) => isAccepted || (withSecrets && severity === "secret"))
    .map(entryOf);
}

/**
 * The pins that change, with the findings newly accepted in them.
 * @param ids as `aegis pin` and `aegis check` print them.
 * @throws {CliError} where an id names no finding: the text may have changed since it was read.
 */
export function acceptSuspicious(
  committed: readonly PinContent[],
  others: readonly OtherTools[],
  ids: readonly string[],
): readonly Acceptance[] {
  const wanted = new Set(ids);
  const acceptances = committed.flatMap((pins): readonly Acceptance[] => {
    const findings = scanPins({ ...pins, definitions: pins.entries }, others);
    const chosen = findings.filter(({ id }) => wanted.delete(id));
    if (chosen.length === 0) return [];
    const acceptedSuspicious = [...keptAcceptances(findings), ...chosen.map(entryOf)];
    return [{ pins: { ...pins, acceptedSuspicious }, findings: chosen }];
  });
  const [unknown] = wanted;
  if (unknown !== undefined) {
    throw new CliError(`no committed pin has a finding ${JSON.stringify(unknown)}`, {
      help: "an id stands for one finding in one text; `aegis check` tells those of the pins as they are",
    });
  }
  return acceptances;
}
