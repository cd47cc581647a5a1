// Bundles and roots that a command line names: bounded, regular files only, refused with the codes of a gateway.
import { resolve } from "node:path";
import { readBundleFile, readRootFile } from "#release";
import { CliError } from "./cli-error.ts";

/** The bytes of an `.aegis` file. @throws {TrustError} BUNDLE_UNREADABLE, BUNDLE_TOO_LARGE @throws {CliError} none there */
export async function readBundleInput(file: string, cwd: string): Promise<Uint8Array> {
  return present(await readBundleFile(resolve(cwd, file)), file);
}

/** The bytes of a root. @throws {TrustError} ROOT_INVALID @throws {CliError} where there is no such file */
export async function readRootInput(file: string, cwd: string): Promise<Uint8Array> {
  return present(await readRootFile(resolve(cwd, file)), file);
}

function present(bytes: Uint8Array | undefined, file: string): Uint8Array {
  if (bytes === undefined) throw new CliError(`no such file or directory: ${file}`);
  return bytes;
}
