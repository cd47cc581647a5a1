// Imports the differential with a bug planted in one file of the compiler. That file and all that imports it, directly or
// not, are loaded anew for the bug; everything else is loaded once and shared by all bugs.
import { readFileSync } from "node:fs";
import { registerHooks, stripTypeScriptTypes } from "node:module";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type * as Comparing from "./compare.ts";
import type { PlantedBug } from "./planted-bugs.ts";

const ROOT = join(import.meta.dirname, "../../../..");
const ENTRY = join(import.meta.dirname, "compare.ts");
const MARK = "?planted=";

/** What the compiler keeps of these is nothing at run time. */
const TYPE_IMPORT = /^(?:import|export) type [^;]+;$/gmu;
const IMPORT = /^(?:import|export)\b[^;]*?\bfrom "([^"]+)";$|^import "([^"]+)";$|\bimport\("([^"]+)"\)/gmu;

const doors = new Map(
  Object.entries(
    (JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { imports: Record<string, string> })
      .imports,
  ),
);

function importsOf(file: string): readonly string[] {
  const text = readFileSync(file, "utf8").replaceAll(TYPE_IMPORT, "");
  return [...text.matchAll(IMPORT)].flatMap((match) => {
    const specifier = match[1] ?? match[2] ?? match[3] ?? "";
    const door = doors.get(specifier);
    if (door !== undefined) return [join(ROOT, door)];
    return specifier.startsWith(".") && specifier.endsWith(".ts") ? [join(file, "..", specifier)] : [];
  });
}

/** By file: the files that import it, of all that the differential loads. */
function importersFrom(entry: string): ReadonlyMap<string, readonly string[]> {
  const importers = new Map<string, string[]>([[entry, []]]);
  const open = [entry];
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    for (const imported of importsOf(file)) {
      const known = importers.get(imported);
      if (known === undefined) open.push(imported);
      importers.set(imported, [...(known ?? []), file]);
    }
  }
  return importers;
}

function dependentsOf(file: string, importers: ReadonlyMap<string, readonly string[]>): ReadonlySet<string> {
  const found = new Set([file]);
  for (const each of found) for (const importer of importers.get(each) ?? []) found.add(importer);
  return found;
}

/** The source of the file with the bug. */
function planted(bug: PlantedBug): string {
  const parts = readFileSync(join(ROOT, "compiler", bug.file), "utf8").split(bug.from);
  if (parts.length !== 2) throw new Error(`${bug.name}: ${bug.file} does not have the place once`);
  return stripTypeScriptTypes(parts.join(bug.to));
}

/** Loads the differential with each of the bugs, on demand. At most once in a process. */
export function plant(bugs: readonly PlantedBug[]): (bug: PlantedBug) => Promise<typeof Comparing> {
  const importers = importersFrom(ENTRY);
  const plots = bugs.map((bug) => {
    const file = join(ROOT, "compiler", bug.file);
    const anew = dependentsOf(file, importers);
    if (!anew.has(ENTRY)) throw new Error(`${bug.name}: the differential does not load ${bug.file}`);
    return { file, anew, source: planted(bug) };
  });
  const plotOf = (url: string | undefined): (typeof plots)[number] | undefined =>
    plots[Number(url?.split(MARK)[1] ?? Number.NaN)];
  registerHooks({
    resolve: (specifier, context, nextResolve) => {
      const resolved = nextResolve(specifier, context);
      const plot = plotOf(context.parentURL);
      if (plot === undefined || !resolved.url.startsWith("file:")) return resolved;
      if (!plot.anew.has(fileURLToPath(resolved.url))) return resolved;
      return { ...resolved, url: `${resolved.url}${MARK}${String(plots.indexOf(plot))}` };
    },
    load: (url, context, nextLoad) => {
      const plot = plotOf(url);
      if (plot === undefined || fileURLToPath(url) !== plot.file) return nextLoad(url, context);
      return { format: "module", source: plot.source, shortCircuit: true };
    },
  });
  return async (bug) =>
    (await import(`${pathToFileURL(ENTRY).href}${MARK}${String(bugs.indexOf(bug))}`)) as typeof Comparing;
}
