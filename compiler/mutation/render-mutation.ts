// A mutation report for people.
import { showHidden } from "#compiler";
import type { MutantResult, MutationReport } from "./mutant.ts";

export interface MutationTextOptions {
  readonly color: boolean;
}

type Style = "bold" | "dim" | "green" | "red" | "yellow";
type Paint = (style: Style, text: string) => string;
const STYLE_CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33 } as const;

/** A table by file, the survivors with the test to add for each, and the score. Ends with a newline. */
export function renderMutationText(report: MutationReport, options: MutationTextOptions): string {
  const paint: Paint = (style, text) =>
    options.color ? `\u001b[${STYLE_CODES[style]}m${text}\u001b[0m` : text;
  const survivors = report.mutants.filter(({ status }) => status === "survived");
  const blocks = [
    tableLines(report, paint),
    ...survivors.map((mutant, index) => survivorLines(mutant, survivors.slice(0, index), paint)),
    summaryLines(report, paint),
  ];
  return `${blocks.map((lines) => lines.join("\n")).join("\n\n")}\n`;
}

const COLUMNS = ["killed", "survived", "equivalent", "duplicate", "invalid"] as const;

function tableLines({ mutants }: MutationReport, paint: Paint): readonly string[] {
  if (mutants.length === 0) return [paint("bold", "Mutation")];
  const files = [...Map.groupBy(mutants, ({ at }) => at.file)];
  const width = Math.max(...files.map(([file]) => showHidden(file).length), 4);
  const head = ["file".padEnd(width), "score".padStart(6), ...COLUMNS.map((name) => name.padStart(10))];
  const rows = files.map(([file, own]) => {
    const counts = COLUMNS.map((name) => own.filter(({ status }) => status === name).length);
    const [killed = 0, survived = 0] = counts;
    const total = killed + survived;
    const score = total === 0 ? "-" : `${Math.floor((killed * 100) / total)} %`;
    const cells = counts.map((count) => String(count).padStart(10));
    return [showHidden(file).padEnd(width), score.padStart(6), ...cells].join("  ");
  });
  return [paint("bold", "Mutation"), paint("dim", head.join("  ")), ...rows];
}

/** `shown`: the survivors above. */
function survivorLines(
  { at, description, witness }: MutantResult,
  shown: readonly MutantResult[],
  paint: Paint,
): readonly string[] {
  const place = `${showHidden(at.file)}:${at.line}:${at.column}`;
  const head = `${paint("red", "survived")} ${place}: ${showHidden(description)}`;
  if (witness === undefined) {
    return [head, "  no call was found that tells it apart: that is a search, not a proof"];
  }
  const { principal, action, original, mutant, test } = witness;
  const call = [
    `  ${showHidden(principal)} calls ${showHidden(action)} with ${showHidden(JSON.stringify(witness.arguments))}`,
    `    original: ${showHidden(original)}`,
    `    mutant:   ${showHidden(mutant)}`,
  ];
  if (test === "") return [head, ...call];
  const known = shown.find((other) => other.witness?.test === test);
  if (known !== undefined) {
    const above = `${showHidden(known.at.file)}:${known.at.line}:${known.at.column}`;
    return [head, ...call, paint("dim", `  the test for ${above} above tells it apart`)];
  }
  const lines = test.trimEnd().split("\n");
  return [
    head,
    ...call,
    paint("dim", "  add to a suite in tests/, or write as a file tests/<name>_test.yaml:"),
    ...lines.map((line) => `    ${showHidden(line)}`),
  ];
}

function summaryLines(report: MutationReport, paint: Paint): readonly string[] {
  const { killed, survived, undistinguished, equivalent, duplicate, invalid, leftOut, score, base } = report;
  const where = base === undefined ? "" : ` of the policies that differ from ${base}`;
  if (killed + survived === 0) return [`no mutant${where} can change a decision`];
  const percent = `${score ?? 0} %`;
  const notes = [
    ...(undistinguished === 0 ? [] : [`${undistinguished} of them by no call that was found`]),
    ...(equivalent === 0 ? [] : [`${equivalent} compile to the same policies`]),
    ...(duplicate === 0 ? [] : [`${duplicate} compile to what another mutant compiles to`]),
    ...(invalid === 0 ? [] : [`${invalid} do not compile`]),
  ];
  const tail = notes.length === 0 ? "" : ` (${notes.join("; ")})`;
  return [
    `mutation score${where}: ${paint(survived === 0 ? "green" : "bold", percent)}: ${killed} killed, ${survived} survived${tail}`,
    ...(leftOut === 0 ? [] : [paint("yellow", `${leftOut} more mutants were not run: the cap is reached`)]),
  ];
}
