// Globs over names of one line: `*` stands for any characters.

/** RE2 source that matches exactly what the glob means, without anchors. */
export function globRegex(glob: string): string {
  return glob.split("*").map(literal).join("[^\\n]*");
}

function literal(text: string): string {
  return text.replace(/[^A-Za-z0-9_\u0080-\u{10ffff}]/gu, (character) => `\\${character}`);
}
