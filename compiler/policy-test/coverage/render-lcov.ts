// Coverage as an LCOV tracefile, for the tools that show it in a pull request: a function for each policy, a line for
// each clause and transform, a branch for each of its sides. The format is that of `geninfo` (man 1 geninfo, FILES).
import type { ClauseCoverage, CoverageReport, PolicyCoverage, TransformCoverage } from "./coverage-report.ts";

interface FileLines {
  readonly policies: PolicyCoverage[];
  readonly transforms: TransformCoverage[];
}

/** One record for each file, by name; paths are relative to the root of the repository. Ends with a newline. */
export function renderLcov(coverage: CoverageReport): string {
  const files = new Map<string, FileLines>();
  const fileOf = (name: string): FileLines => {
    const known = files.get(name) ?? { policies: [], transforms: [] };
    files.set(name, known);
    return known;
  };
  for (const policy of coverage.byPolicy) fileOf(policy.at.file).policies.push(policy);
  for (const transform of coverage.byTransform) fileOf(transform.at.file).transforms.push(transform);
  return [...files]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, lines]) => `${record(name, lines).join("\n")}\n`)
    .join("");
}

function record(file: string, { policies, transforms }: FileLines): readonly string[] {
  const branches = policies.flatMap((policy) => policy.clauses.map((clause) => ({ policy, clause })));
  const hits = lineHits(policies, transforms);
  const branchLines = blocks(branches.map(({ clause }) => clause));
  return [
    "TN:aegis",
    `SF:${oneLine(file)}`,
    ...policies.map(({ id, at }) => `FN:${at.line},${oneLine(id)}`),
    ...policies.map(({ id, satisfied }) => `FNDA:${satisfied},${oneLine(id)}`),
    `FNF:${policies.length}`,
    `FNH:${policies.filter(({ satisfied }) => satisfied > 0).length}`,
    ...branchLines,
    `BRF:${branchLines.length}`,
    `BRH:${branchLines.filter((line) => !/,(?:-|0)$/u.test(line)).length}`,
    ...[...hits].sort(([a], [b]) => a - b).map(([line, count]) => `DA:${line},${count}`),
    `LF:${hits.size}`,
    `LH:${[...hits.values()].filter((count) => count > 0).length}`,
    "end_of_record",
  ];
}

/** A line is hit as often as the clause on it that was evaluated least: one that nothing reached stays visible. */
function lineHits(
  policies: readonly PolicyCoverage[],
  transforms: readonly TransformCoverage[],
): ReadonlyMap<number, number> {
  const hits = new Map<number, number>();
  const note = (line: number, count: number): void => {
    hits.set(line, Math.min(hits.get(line) ?? Number.MAX_SAFE_INTEGER, count));
  };
  for (const { at, clauses, ...counts } of policies) {
    note(at.line, counts.satisfied + counts.notSatisfied + counts.errored);
    for (const clause of clauses) note(clause.at.line, reached(clause));
  }
  for (const { at, applied } of transforms) note(at.line, applied);
  return hits;
}

function reached({ whenTrue = 0, whenFalse = 0, errors }: ClauseCoverage): number {
  return whenTrue + whenFalse + errors;
}

/** Clauses of one line are blocks of it, numbered; `-` = never evaluated. */
function blocks(clauses: readonly ClauseCoverage[]): readonly string[] {
  const used = new Map<number, number>();
  return clauses.flatMap((clause) => {
    const { line } = clause.at;
    const block = used.get(line) ?? 0;
    used.set(line, block + 1);
    return [clause.whenTrue, clause.whenFalse].flatMap((seen, branch) =>
      seen === undefined
        ? []
        : [`BRDA:${line},${block},${branch},${reached(clause) === 0 ? "-" : String(seen)}`],
    );
  });
}

function oneLine(text: string): string {
  return text.replaceAll(/[\r\n]/gu, " ");
}
