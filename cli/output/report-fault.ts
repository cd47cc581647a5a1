// From anything thrown to lines on standard error and an exit code.
import { TRUST_CODES, isTrustError } from "#errors";
import { ReleaseToolError } from "#release";
import { CliError } from "./cli-error.ts";
import { EXIT } from "./exit-codes.ts";
import type { ExitCode } from "./exit-codes.ts";
import type { CliIo } from "./io.ts";
import { paint } from "./io.ts";

export function reportFault(fault: unknown, io: CliIo): ExitCode {
  const label = paint(io.colorErr, "red", "error");
  if (fault instanceof CliError) {
    io.err(`${label}: ${fault.message}\n`);
    if (fault.help !== undefined) io.err(`  help: ${fault.help}\n`);
    return fault.exitCode;
  }
  if (isTrustError(fault)) {
    io.err(`${label}[${fault.code}]: ${TRUST_CODES[fault.code]}\n  ${fault.detail}\n`);
    return EXIT.trust;
  }
  if (fault instanceof ReleaseToolError) {
    io.err(`${label}[${fault.code}]: ${fault.detail}\n`);
    return fault.isTrustFailure ? EXIT.trust : EXIT.error;
  }
  const { code, path } = fault as { code?: string; path?: string };
  if (typeof code === "string" && typeof path === "string") {
    io.err(`${label}: ${describeSystemFault(code)}: ${path}\n`);
    return EXIT.error;
  }
  io.err(`${label}: ${fault instanceof Error ? fault.message : String(fault)}\n`);
  return EXIT.error;
}

function describeSystemFault(code: string): string {
  switch (code) {
    case "ENOENT":
      return "no such file or directory";
    case "EACCES":
    case "EPERM":
      return "permission denied";
    case "EEXIST":
      return "already exists";
    case "EISDIR":
      return "is a directory";
    case "ENOTDIR":
      return "is not a directory";
    default:
      return code;
  }
}
