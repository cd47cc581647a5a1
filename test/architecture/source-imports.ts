// Reads the import specifiers of every source file, so that the boundary tests look at source and not at a lint rule
// that a comment could switch off.
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";

export const ROOT = join(import.meta.dirname, "..", "..");

export interface SourceFile {
  /** Path from the root, with forward slashes. */
  readonly path: string;
  readonly text: string;
  readonly imports: readonly string[];
}

const IMPORT =
  /(?:^|[;\n])\s*(?:import|export)\b[^;'"]*?from\s*["']([^"']+)["']|import\s*\(\s*["']([^"']+)["']\s*\)|(?:^|\n)\s*import\s+["']([^"']+)["']/gu;

export function sourceFiles(...folders: readonly string[]): readonly SourceFile[] {
  return folders.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith(".ts") && !entry.parentPath.includes("/dist"))
      .map((entry) => readSource(join(entry.parentPath, entry.name))),
  );
}

function readSource(path: string): SourceFile {
  const text = readFileSync(path, "utf8");
  const imports = [...text.matchAll(IMPORT)].map((match) => match[1] ?? match[2] ?? match[3] ?? "");
  return { path: relative(ROOT, path).replaceAll("\\", "/"), text, imports };
}

/** The top-level or runtime folder a specifier leads to, or undefined for a package. */
export function resolveImport(
  from: SourceFile,
  specifier: string,
  doors: ReadonlyMap<string, string>,
): string | undefined {
  const door = doors.get(specifier);
  if (door !== undefined) return door;
  if (!specifier.startsWith(".")) return undefined;
  return relative(ROOT, resolve(ROOT, dirname(from.path), specifier)).replaceAll("\\", "/");
}

export function readDoors(): ReadonlyMap<string, string> {
  const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
    imports: Record<string, string>;
  };
  return new Map(Object.entries(manifest.imports).map(([name, path]) => [name, path.replace(/^\.\//u, "")]));
}
