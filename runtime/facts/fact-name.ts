// How a fact is called where a record, a plan or an explanation speaks of it.

/**
 * The path of a fact, without the word `context`: `arguments.sql`, `auth`, `_m.r_5fa8941e3a`, `principal.team`. A name
 * that is no identifier stands in brackets as JSON: `arguments["a.b"]`.
 */
export function factName(path: readonly string[]): string {
  return path.reduce((text, name) => {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/u.test(name)) return `${text}[${JSON.stringify(name)}]`;
    return text === "" ? name : `${text}.${name}`;
  }, "");
}
