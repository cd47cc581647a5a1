// A pin file that cannot be read makes every name it holds unknown. Only the file itself is reported then: its
// consequences say nothing that its author could act on.
import type { Diagnostic } from "../diagnostics/index.ts";

const PIN_FILE = /^registry\/pins\/(.+)\.json$/u;
/** Findings that make a pin file, or an entry of it, unreadable. */
const UNREADABLE: ReadonlySet<string> = new Set([
  "PIN_INVALID",
  "SOURCE_ENCODING",
  "SOURCE_LIMIT",
  "SOURCE_UNSAFE",
]);
/** Findings that follow from names, arguments or actions that are not pinned. */
const CONSEQUENCES: ReadonlySet<string> = new Set([
  "ARGUMENT_UNKNOWN",
  "CEDAR_NEVER_APPLIES",
  "CEDAR_UNKNOWN_ACTION",
  "CEDAR_UNKNOWN_ENTITY",
  "CEDAR_UNKNOWN_TARGET",
  "NAME_UNKNOWN",
]);

/** The diagnostics without those that only an unreadable pin file causes. Order is kept. */
export function withoutPinConsequences(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  const broken = new Set<string>();
  for (const { code, file } of diagnostics) {
    const server = PIN_FILE.exec(file)?.[1];
    if (server !== undefined && UNREADABLE.has(code)) broken.add(server);
  }
  if (broken.size === 0) return diagnostics;
  return diagnostics.filter(({ code, file }) => {
    if (code !== "PIN_MISSING") return !CONSEQUENCES.has(code);
    return !broken.has(/^registry\/servers\/(.+)\.ya?ml$/u.exec(file)?.[1] ?? "");
  });
}
