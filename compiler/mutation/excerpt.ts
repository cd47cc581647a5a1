// Source text as a description quotes it.

const MAX_EXCERPT = 60;

/** On one line, cut where it is long. */
export function excerpt(text: string): string {
  const line = text.replace(/\s+/gu, " ").trim();
  return line.length <= MAX_EXCERPT ? line : `${line.slice(0, MAX_EXCERPT - 1)}…`;
}
