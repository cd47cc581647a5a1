// Finds the packages that read WebAssembly beside themselves and so stay outside every bundle.
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const requireHere = createRequire(import.meta.url);

/**
 * The file that `specifier` leads to: `beside`, a path relative to the running bundle, where it was shipped with that
 * file (an artefact that runs without node_modules), else what Node resolves. Throws where there is neither.
 */
export function locateInstalled(specifier: string, beside: string): string {
  const shipped = fileURLToPath(new URL(beside, import.meta.url));
  return existsSync(shipped) ? shipped : requireHere.resolve(specifier);
}
