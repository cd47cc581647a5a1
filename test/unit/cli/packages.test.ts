// What is published works outside the checkout, with nothing but the dependencies its manifest names.
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildCli, buildGateway } from "../../../cli/build/build-artefacts.ts";
import { ROOT } from "./cli-fixture.ts";

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly bin: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
}

let place: string;
beforeAll(async () => {
  place = mkdtempSync(join(tmpdir(), "aegis-packages-"));
  await buildCli(join(place, "cli"));
  await buildGateway(join(place, "gateway"));
  for (const name of ["cli", "gateway"]) installDependencies(join(place, name));
});
afterAll(() => rmSync(place, { recursive: true, force: true }));

const manifestOf = (directory: string): Manifest =>
  JSON.parse(readFileSync(join(directory, "package.json"), "utf8")) as Manifest;

/** As npm would: the dependencies of the manifest, and theirs. */
function installDependencies(directory: string): void {
  const wanted = Object.keys(manifestOf(directory).dependencies);
  for (let name = wanted.shift(); name !== undefined; name = wanted.shift()) {
    const target = join(directory, "node_modules", name);
    if (existsSync(target)) continue;
    mkdirSync(dirname(target), { recursive: true });
    cpSync(join(ROOT, "node_modules", name), target, { recursive: true });
    wanted.push(...Object.keys(manifestOf(target).dependencies ?? {}));
  }
}

function run(
  script: string,
  args: readonly string[],
  flags: readonly string[] = [],
): ReturnType<typeof spawn> {
  return spawn([...flags, join(place, script), ...args]);
}

function spawn(argv: readonly string[]) {
  return spawnSync(process.execPath, argv, {
    cwd: place,
    encoding: "utf8",
    env: { PATH: process.env["PATH"], HOME: place },
    timeout: 60_000,
  });
}

describe.each([
  ["cli", "@aegis/cli", "aegis"],
  ["gateway", "@aegis/gateway", "aegis-gateway"],
])("dist/%s", (folder, name, bin) => {
  it("is a package with exact dependencies: those that read files beside themselves", () => {
    const manifest = manifestOf(join(place, folder));
    const root = manifestOf(ROOT);
    expect(manifest).toMatchObject({ name, version: root.version, bin: { [bin]: `./${bin}.js` } });
    expect(manifest.private).toBeUndefined();
    expect(manifest.dependencies).toEqual({
      "@cedar-policy/cedar-wasm": root.dependencies["@cedar-policy/cedar-wasm"],
      "libpg-query": root.dependencies["libpg-query"],
    });
    for (const version of Object.values(manifest.dependencies)) expect(version).toMatch(/^\d+\.\d+\.\d+$/u);
    expect(existsSync(join(place, folder, "LICENSE"))).toBe(true);
  });

  it("has a launcher that can be run and refuses an old Node before it loads anything", () => {
    const launcher = join(place, folder, `${bin}.js`);
    expect(statSync(launcher).mode & 0o111).toBe(0o111);
    const text = readFileSync(launcher, "utf8");
    expect(text).toContain("needs Node 22.19 or newer");
    expect(text).not.toMatch(/^import /mu);
    expect(text).not.toContain("main.ts");
  });
});

describe("dist/cli outside the checkout", () => {
  it("prints its version and its help", () => {
    expect(run("cli/aegis.js", ["--version"]).stdout).toBe(`${manifestOf(ROOT).version}\n`);
    expect(run("cli/aegis.js", ["--help"]).stdout).toContain("Usage: aegis");
  });

  it("makes a repository, checks it, tests it, and builds what the checkout builds", () => {
    const steps = [
      ["init", "policies"],
      ["check", "policies"],
      ["test", "policies"],
      ["build", "policies", "-o", "p.aegis"],
      ["inspect", "p.aegis"],
      ["plan", "policies", "--base", "p.aegis"],
    ];
    for (const step of steps) {
      const { status, stderr } = run("cli/aegis.js", step);
      expect(status, `${step.join(" ")}: ${stderr}`).toBe(0);
    }
    const fromSource = spawn([join(ROOT, "cli/main.ts"), "build", "policies", "-o", "source.aegis"]);
    expect(fromSource.status).toBe(0);
    expect(readFileSync(join(place, "source.aegis"))).toEqual(readFileSync(join(place, "p.aegis")));
  });

  it("has the gateway beside it", () => {
    const { status, stderr } = run("cli/aegis.js", ["gateway", "--config", "none.json"]);
    expect(status).toBe(1);
    expect(stderr).toContain("none.json is not usable");
  });
});

describe("dist/gateway outside the checkout", () => {
  const flags = ["--disallow-code-generation-from-strings"];

  it("prints its version without generating code", () => {
    const { status, stdout, stderr } = run("gateway/gateway.js", ["--version"], flags);
    expect([status, stdout, stderr]).toEqual([0, `${manifestOf(ROOT).version}\n`, ""]);
    expect(run("gateway/aegis-gateway.js", ["--version"], flags).stdout).toBe(stdout);
  });

  it("refuses a missing configuration", () => {
    const { status, stderr } = run("gateway/aegis-gateway.js", ["--config", "none.json"], flags);
    expect(status).toBe(1);
    expect(stderr).toContain("none.json is not usable");
  });
});
