// What makes a folder of bundles a package: manifest with exact dependencies, launcher, licence.
import { chmod, copyFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { EXTERNAL_PACKAGES, ROOT } from "./esbuild-options.ts";

interface RootManifest {
  readonly version: string;
  readonly license: string;
  readonly engines: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

export interface PackageShape {
  readonly name: string;
  readonly description: string;
  readonly bin: Readonly<Record<string, string>>;
  /** Packages that a user adds where a command asks for them. */
  readonly optionalPeers?: readonly string[];
}

/** Writes package.json: nothing but the packages that stay outside the bundles, in the versions of the lockfile. */
export async function writeManifest(outdir: string, shape: PackageShape): Promise<void> {
  const root = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8")) as RootManifest;
  const exact = (name: string): readonly [string, string] => {
    const version = root.dependencies[name] ?? root.devDependencies[name];
    if (version === undefined || !/^\d+\.\d+\.\d+$/u.test(version))
      throw new Error(`${name} has no exact version`);
    return [name, version];
  };
  const { optionalPeers = [] } = shape;
  const optional = { peerDependencies: Object.fromEntries(optionalPeers.map(exact)) };
  const meta = Object.fromEntries(optionalPeers.map((name) => [name, { optional: true }]));
  const manifest = {
    name: shape.name,
    version: root.version,
    description: shape.description,
    license: root.license,
    type: "module",
    engines: root.engines,
    bin: shape.bin,
    dependencies: Object.fromEntries(EXTERNAL_PACKAGES.map(exact)),
    ...(optionalPeers.length === 0 ? {} : { ...optional, peerDependenciesMeta: meta }),
  };
  await writeFile(join(outdir, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  await copyFile(join(ROOT, "LICENSE"), join(outdir, "LICENSE"));
}

/** Copies a launcher of the checkout so that it starts `entry` beside it instead of the source. */
export async function writeLauncher(source: string, target: string, entry: string): Promise<void> {
  const text = await readFile(join(ROOT, source), "utf8");
  const started = text.replace('import("../main.ts")', `import("./${entry}")`);
  if (started === text) throw new Error(`${source} does not start ../main.ts`);
  await writeFile(
    target,
    started
      .replace("Launcher in a checkout: refuses", "Launcher: refuses")
      .replace("from source", "beside it"),
  );
  await chmod(target, 0o755);
}
