// Outputs of the step, in the file format of GITHUB_OUTPUT.
import { randomUUID } from "node:crypto";

/** The lines for one output. A random delimiter: no value can end the block and start another output. */
function outputBlock(name: string, value: string): string {
  const delimiter = `aegis_${randomUUID()}`;
  return `${name}<<${delimiter}\n${value}\n${delimiter}\n`;
}

export function outputFile(outputs: ReadonlyMap<string, string>): string {
  return [...outputs].map(([name, value]) => outputBlock(name, value)).join("");
}
