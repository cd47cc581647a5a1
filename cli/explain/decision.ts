// aegis explain --decision: a decision out of an audit log.
import { resolve } from "node:path";
import { showHidden } from "#compiler";
import { explainRecord, openAuditLog, readDecision, renderRecordJson, renderRecordText } from "#replay";
import type { RecordedDecision, ReplayInput } from "#replay";
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

type Found =
  | { readonly kind: "decision"; readonly record: RecordedDecision }
  | { readonly kind: "refused"; readonly refusal: RecordedRefusal };

/** Throws CliError: exit 1 for an id that the log does not have, 6 for a log that was tampered with. */
export async function explainDecision(request: DecisionRequest, io: CliIo): Promise<ExitCode> {
  const { id, audit, isJson } = request;
  if (audit === undefined)
    throw new CliError("--decision needs --audit", { help: "name the audit directory" });
  const found = await findRecord(id, audit, io);
  if (found.kind === "refused") {
    io.out(isJson ? refusalJson(found.refusal) : refusalText(found.refusal, showHidden));
    return EXIT.ok;
  }
  const { record } = found;
  const input = await openBundle(request, io);
  if (input === undefined) return EXIT.checkFailed;
  if (input.digest !== record.digest) {
    const what = request.bundle === undefined ? "the working tree" : "the bundle given";
    io.err(
      `warning: ${what} (${input.digest}) is NOT what decided (${record.digest}): the explanation is of other policies\n`,
    );
  }
  const explanation = await explainRecord(record, input, AbortSignal.timeout(EXPLAIN_TIMEOUT_MS));
  io.out(
    isJson
      ? renderRecordJson(explanation)
      : renderRecordText(explanation, { color: io.colorOut, printable: showHidden }),
  );
  return EXIT.ok;
}

async function findRecord(id: string, audit: string, io: CliIo): Promise<Found> {
  let found: Found | undefined;
  try {
    const warnings = await openAuditLog(resolve(io.cwd, audit), (records) => {
      for (const record of records) {
        if (record.body["id"] !== id) continue;
        const decision = readDecision(record);
        if (typeof decision === "object") found = { kind: "decision", record: decision };
        else if (record.event === "decision" || record.event === "auth")
          found ??= { kind: "refused", refusal: readRefusal(record) };
      }
    });
    for (const warning of warnings) io.err(`warning: ${showHidden(warning)}\n`);
  } catch (fault) {
    throw auditFault(fault);
  }
  if (found !== undefined) return found;
  throw new CliError(`the log has no decision ${JSON.stringify(id)}`, {
    help: "a denied caller sees it as decisionId; a record has it as body.id",
  });
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
