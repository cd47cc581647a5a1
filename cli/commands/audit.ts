// aegis audit verify: proves that a log is whole, without configuration and without a network.
import { readFile, stat } from "node:fs/promises";
import { resolve } from "node:path";
import type { Command } from "commander";
import { verifyAuditLog } from "#audit";
import { CliError } from "../output/cli-error.ts";
import { EXIT } from "../output/exit-codes.ts";
import type { ExitCode } from "../output/exit-codes.ts";
import { jsonDocument, plural } from "../output/io.ts";
import { formatOption, repeatableOption } from "../output/options.ts";
import type { CommandHost } from "../program.ts";

interface AuditVerifyOptions {
  readonly key?: readonly string[];
  readonly checkpoint?: string;
  readonly tenant?: string;
  readonly format: string;
}

export function registerAudit(program: Command, host: CommandHost): void {
  const audit = program.command("audit").description("Verify the audit log.").helpCommand(false);
  audit
    .command("verify")
    .argument("<dir>", "audit directory")
    .summary("Prove that an audit log is whole.")
    .description(
      "Verify hashes, chains, sequences, seals and checkpoints. Needs no configuration and no network.\n" +
        "Exit 6: tampered with. Exit 8: incomplete, e.g. the last write of a crash.",
    )
    .addOption(
      repeatableOption(
        "--key <public.pem>",
        "trusted public key of the log; without it the keys in the directory are used",
      ),
    )
    .option("--checkpoint <file>", "checkpoints kept elsewhere: the log must still hold all they cover")
    .option("--tenant <id>", "report only this tenant's records")
    .addOption(formatOption("text", "json"))
    .action(host.action((dir: string, options: AuditVerifyOptions) => verify(dir, options, host)));
}

async function verify(dir: string, options: AuditVerifyOptions, host: CommandHost): Promise<ExitCode> {
  const path = (file: string): string => resolve(host.io.cwd, file);
  if ((await stat(path(dir)).catch(() => undefined))?.isDirectory() !== true)
    throw new CliError(`${dir} is not a directory`, { help: "name the audit directory of a gateway" });
  const publicKeys = await Promise.all((options.key ?? []).map((file) => readFile(path(file), "utf8")));
  const result = await verifyAuditLog({
    dir: path(dir),
    ...(publicKeys.length === 0 ? {} : { publicKeys }),
    ...(options.checkpoint === undefined ? {} : { checkpoint: path(options.checkpoint) }),
    ...(options.tenant === undefined ? {} : { tenant: options.tenant }),
  });
  if (options.tenant !== undefined && result.outcome === "clean" && !result.tenants.has(options.tenant)) {
    throw new CliError(`the log has no records of tenant ${JSON.stringify(options.tenant)}`, {
      help: "leave --tenant out to see which tenants it has",
    });
  }
  const { tenants, ...rest } = result;
  if (options.format === "json")
    host.io.out(jsonDocument({ formatVersion: 1, ...rest, tenants: Object.fromEntries(tenants) }));
  else describe(result, host);
  switch (result.outcome) {
    case "clean":
      return EXIT.ok;
    case "incomplete":
      return EXIT.auditIncomplete;
    case "tampered":
    default:
      return EXIT.trust;
  }
}

function describe(result: Awaited<ReturnType<typeof verifyAuditLog>>, host: CommandHost): void {
  const { io } = host;
  io.out(`${result.outcome}: ${plural(result.records, "record")} in ${plural(result.segments, "segment")}\n`);
  for (const [tenant, summary] of result.tenants) {
    io.out(
      `  ${tenant}: ${plural(summary.records, "record")}, ${summary.first}–${summary.last}, head ${summary.hash}\n`,
    );
  }
  if (result.firstBad !== undefined) {
    io.err(`first bad: ${result.firstBad.file}:${result.firstBad.line}: ${result.firstBad.reason}\n`);
  }
  for (const warning of result.warnings) io.err(`warning: ${warning}\n`);
}
