// Secrets by reference: `env:NAME` or `file:path`. A secret never stands in gateway.json itself.
import { readFileSync, statSync } from "node:fs";

/** Larger files are no secrets. */
const maxSecretBytes = 65_536;

export type SecretSource = Readonly<Record<string, string | undefined>>;

export type ResolvedSecret =
  { readonly ok: true; readonly value: string } | { readonly ok: false; readonly message: string };

/** True for text that must be resolved; other text stands for itself. */
export function isReference(text: string): boolean {
  return text.startsWith("env:") || text.startsWith("file:");
}

/** The same reference with an absolute path, for a reader in another directory. */
export function absoluteReference(text: string, at: (path: string) => string): string {
  return text.startsWith("file:") ? `file:${at(text.slice("file:".length))}` : text;
}

/**
 * Reads a reference; `at` makes the path of a file absolute. Messages name the variable or file, never its content.
 * One trailing line break is dropped.
 */
export function resolveReference(
  text: string,
  environment: SecretSource,
  at: (path: string) => string,
): ResolvedSecret {
  if (text.startsWith("env:")) {
    const name = text.slice("env:".length);
    const value = Object.hasOwn(environment, name) ? environment[name] : undefined;
    if (value === undefined || value === "")
      return { ok: false, message: `environment variable ${name} is not set` };
    return { ok: true, value };
  }
  const path = at(text.slice("file:".length));
  try {
    if (statSync(path).size > maxSecretBytes)
      return { ok: false, message: `file ${path} is too large for a secret` };
    const value = readFileSync(path, "utf8").replace(/\r?\n$/, "");
    return value === "" ? { ok: false, message: `file ${path} is empty` } : { ok: true, value };
  } catch {
    return { ok: false, message: `file ${path} cannot be read` };
  }
}
