// Unicode normalisation of text from outside. Sorting a run of combining marks takes quadratic time, so text with runs
// that no language has is not normalised as it stands.

/** Combining marks in a row that the Stream-Safe Text Format allows: UAX #15, 13. */
const MAX_COMBINING_RUN = 30;

// The half-width voicing marks are letters that compatibility normalisation turns into combining marks. The look behind
// tries every run once, from its start.
const MARK = "[\\p{M}\\uff9e\\uff9f]";
const LONG_RUN = new RegExp(`(?<!${MARK})(${MARK}{${String(MAX_COMBINING_RUN)}})${MARK}+`, "gu");
const OUTSIDE_ASCII = /[\u0080-\uffff]/;

/** The text without the combining marks that follow 30 others in a row; linear time. */
export function dropLongMarkRuns(text: string): string {
  return OUTSIDE_ASCII.test(text) ? text.replace(LONG_RUN, "$1") : text;
}

/**
 * The Unicode normal form of a text, in linear time; undefined where the text has more than 30 combining marks in a row
 * and hence is not stream-safe (UAX #15, 13). Callers refuse such text.
 */
export function normalizeStreamSafe(text: string, form: "NFC" | "NFKC"): string | undefined {
  if (!OUTSIDE_ASCII.test(text)) return text;
  return dropLongMarkRuns(text) === text ? text.normalize(form) : undefined;
}
