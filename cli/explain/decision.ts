// aegis explain --decision: a decision out of an audit log.
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import type { AuditRecord } from "#audit";
import { showHidden } from "#compiler";
import {
  endLines,
  explainRecord,
  firmerEnd,
  openAuditLog,
  readDecision,
  readEnd,
  renderRecordJson,
  renderRecordText,
} from "#replay";
import type { RecordedDecision, RecordedEnd, ReplayInput } from "#replay";
import { CliError } from "../output/cli-error.ts";
import { EXIT } from "../output/exit-codes.ts";
import type { ExitCode } from "../output/exit-codes.ts";
import type { CliIo } from "../output/io.ts";
import { compileProject, showDiagnostics } from "../output/project.ts";
import { openBase } from "../plan/open-base.ts";
import { auditFault } from "../plan/replay.ts";
import { readRefusal, refusalJson, refusalText } from "./refusal.ts";
import type { RecordedRefusal } from "./refusal.ts";

const EXPLAIN_TIMEOUT_MS = 60_000;

export interface DecisionRequest {
  /** Decision id. */
  readonly id: string;
  readonly audit: string | undefined;
  readonly bundle: string | undefined;
  readonly dir: string;
  readonly isJson: boolean;
}

type Read =
  | { readonly kind: "decision"; readonly record: RecordedDecision }
  | { readonly kind: "refused"; readonly refusal: RecordedRefusal };

interface Found {
  readonly read: Read;
  /** Null where it was denied and has no end of its own. */
  readonly end: RecordedEnd | null;
  /** One segment was read alone. */
  readonly ofSegment: boolean;
}

/** Throws CliError: exit 1 for an id that the log does not have, 6 for a log that was tampered with. */
export async function explainDecision(request: DecisionRequest, io: CliIo): Promise<ExitCode> {
  const { id, audit, isJson } = request;
  if (audit === undefined)
    throw new CliError("--decision needs --audit", { help: "name the audit directory" });
  const { read, end, ofSegment } = await findRecord(id, audit, io);
  if (read.kind === "refused") {
    const { refusal } = read;
    io.out(
      isJson ? refusalJson(refusal, end) : refusalText(refusal, endLines(end, { ofSegment }), showHidden),
    );
    return EXIT.ok;
  }
  const { record } = read;
  const input = await openBundle(request, io);
  if (input === undefined) return EXIT.checkFailed;
  if (input.digest !== record.digest) {
    const what = request.bundle === undefined ? "the working tree" : "the bundle given";
    io.err(
      `warning: ${what} (${input.digest}) is NOT what decided (${record.digest}): the explanation is of other policies\n`,
    );
  }
  const explanation = await explainRecord(record, end, input, AbortSignal.timeout(EXPLAIN_TIMEOUT_MS));
  io.out(
    isJson
      ? renderRecordJson(explanation)
      : renderRecordText(explanation, { color: io.colorOut, printable: showHidden, ofSegment }),
  );
  return EXIT.ok;
}

async function findRecord(id: string, audit: string, io: CliIo): Promise<Found> {
  const path = resolve(io.cwd, audit);
  let read: Read | undefined;
  let end: RecordedEnd | undefined;
  try {
    const warnings = await openAuditLog(path, (records) => {
      for (const record of records) {
        read = readWith(read, record, id);
        const ended = readEnd(record, id);
        if (ended !== undefined) end = firmerEnd(end, ended);
      }
    });
    for (const warning of warnings) io.err(`warning: ${showHidden(warning)}\n`);
  } catch (fault) {
    throw auditFault(fault);
  }
  if (read !== undefined)
    return { read, end: end ?? withoutResult(read), ofSegment: (await stat(path)).isFile() };
  throw new CliError(`the log has no decision ${JSON.stringify(id)}`, {
    help: "a denied caller sees it as decisionId; a record has it as body.id",
  });
}

/** What is known of the decision after one more record. */
function readWith(known: Read | undefined, record: AuditRecord, id: string): Read | undefined {
  if (record.body["id"] !== id) return known;
  const decision = readDecision(record);
  if (typeof decision === "object") return { kind: "decision", record: decision };
  if (record.event !== "decision" && record.event !== "auth") return known;
  return known ?? { kind: "refused", refusal: readRefusal(record) };
}

function withoutResult(read: Read): RecordedEnd | null {
  const { effect } = read.kind === "decision" ? read.record : read.refusal;
  return effect === "allow" ? { kind: "open" } : null;
}

/** The bundle given, else what the working tree compiles to; undefined after saying why that does not. */
async function openBundle(request: DecisionRequest, io: CliIo): Promise<ReplayInput | undefined> {
  const { bundle, dir } = request;
  if (bundle !== undefined) {
    const { kind, input } = await openBase(bundle, dir, io);
    if (kind === "git" || input.bundle === undefined)
      throw new CliError(`${bundle} is neither a bundle nor a channel directory`);
    return input.bundle;
  }
  const result = await compileProject(dir, io);
  if (result.bundle === undefined) {
    showDiagnostics(result, io);
    io.err("not explained: the repository does not compile\n");
  }
  return result.bundle;
}
