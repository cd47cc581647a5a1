// Diagnostics for machines: JSON, GitHub workflow commands, SARIF 2.1.0.
import { DIAGNOSTIC_CODES } from "./codes.ts";
import type { Diagnostic } from "./diagnostic.ts";

/** Version of the JSON document: minor = new fields, major = changed meaning. */
export const DIAGNOSTICS_FORMAT_VERSION = 1;

/** `{formatVersion, errors, warnings, diagnostics}` and a newline. */
export function renderJson(diagnostics: readonly Diagnostic[]): string {
  const errors = diagnostics.filter((item) => item.severity === "error").length;
  const document = {
    formatVersion: DIAGNOSTICS_FORMAT_VERSION,
    errors,
    warnings: diagnostics.length - errors,
    diagnostics,
  };
  return `${JSON.stringify(document, undefined, 2)}\n`;
}

function escapeData(text: string): string {
  return text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

function escapeProperty(text: string): string {
  return escapeData(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
}

/** One `::error` or `::warning` workflow command for each diagnostic. `prefix` is the repository path of the project. */
export function renderGithub(diagnostics: readonly Diagnostic[], prefix = ""): string {
  const lines = diagnostics.map((item) => {
    const properties = [
      `file=${escapeProperty(prefix + item.file)}`,
      `line=${item.line}`,
      `col=${item.column}`,
      ...(item.endLine === undefined ? [] : [`endLine=${item.endLine}`]),
      ...(item.endColumn === undefined ? [] : [`endColumn=${item.endColumn}`]),
      `title=${escapeProperty(item.code)}`,
    ];
    const text = item.help === undefined ? item.message : `${item.message}\n${item.help}`;
    return `::${item.severity} ${properties.join(",")}::${escapeData(text)}\n`;
  });
  return lines.join("");
}

function summaryOf(code: string): string {
  const table: Readonly<Record<string, { readonly summary: string }>> = DIAGNOSTIC_CODES;
  return Object.hasOwn(table, code) ? (table[code]?.summary ?? code) : code;
}

/** SARIF 2.1.0 with one run. */
export function renderSarif(diagnostics: readonly Diagnostic[], toolVersion: string, prefix = ""): string {
  const codes = [...new Set(diagnostics.map((item) => item.code))].sort();
  const document = {
    $schema: "https://json.schemastore.org/sarif-2.1.0.json",
    version: "2.1.0",
    runs: [
      {
        tool: {
          driver: {
            name: "aegis",
            version: toolVersion,
            rules: codes.map((id) => ({ id, shortDescription: { text: summaryOf(id) } })),
          },
        },
        columnKind: "utf16CodeUnits",
        results: diagnostics.map((item) => sarifResult(item, codes.indexOf(item.code), prefix)),
      },
    ],
  };
  return `${JSON.stringify(document, undefined, 2)}\n`;
}

function sarifResult(item: Diagnostic, ruleIndex: number, prefix: string): object {
  const region = {
    startLine: item.line,
    startColumn: item.column,
    ...(item.endLine === undefined ? {} : { endLine: item.endLine }),
    ...(item.endColumn === undefined ? {} : { endColumn: item.endColumn }),
  };
  return {
    ruleId: item.code,
    ruleIndex,
    level: item.severity,
    message: { text: item.help === undefined ? item.message : `${item.message}. ${item.help}` },
    locations: [{ physicalLocation: { artifactLocation: { uri: encodeURI(prefix + item.file) }, region } }],
  };
}
