// Programs the tests use that npm does not bring. Found on the machine or installed from Debian; otherwise the run
// stops with the command to type.
import { spawnSync } from "node:child_process";

interface SystemProgram {
  readonly program: string;
  readonly debianPackage: string;
  readonly usedFor: string;
  /** What it prints its version on; default `--version`. */
  readonly versionArgument?: string;
}

const SYSTEM_PROGRAMS: readonly SystemProgram[] = [
  { program: "git", debianPackage: "git", usedFor: "plan against a Git ref" },
  { program: "python3", debianPackage: "python3", usedFor: "the independent audit verifier" },
  {
    ...{ program: "openssl", debianPackage: "openssl", versionArgument: "version" },
    usedFor: "certificates for the MCP port",
  },
  { program: "chromium", debianPackage: "chromium", usedFor: "the HTML form of a plan, in a browser" },
];

/** @throws {Error} naming the package, where a program is missing and cannot be installed */
export function ensureSystemPrograms(): void {
  const missing = SYSTEM_PROGRAMS.filter(
    ({ program, versionArgument = "--version" }) => spawnSync(program, [versionArgument]).status !== 0,
  );
  if (missing.length === 0) return;
  const packages = missing.map(({ debianPackage }) => debianPackage);
  const remedy = `apt-get update && apt-get install -y ${packages.join(" ")}`;
  if (process.getuid?.() === 0 && spawnSync("apt-get", ["--version"]).status === 0) {
    process.stdout.write(`installing ${packages.join(", ")}\n`);
    const { status } = spawnSync("sh", ["-c", remedy], { stdio: "inherit" });
    if (status === 0) return;
  }
  const uses = missing.map(({ program, usedFor }) => `${program} (${usedFor})`).join(", ");
  throw new Error(`missing: ${uses}. Install with: sudo sh -c '${remedy}'`);
}
