// Runs commands in this process with captured streams, in a directory of their own.
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from "node:fs";
import { hash } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runCli } from "#cli";
import type { CliIo, ExitCode } from "#cli";

export const ROOT = join(import.meta.dirname, "../../..");
export const TEMPLATE = join(ROOT, "policy-repo-template");

export interface Outcome {
  readonly code: ExitCode;
  readonly out: string;
  readonly err: string;
}

export interface Desk {
  readonly dir: string;
  readonly path: (...parts: string[]) => string;
  /** `aegis …` in this directory. */
  readonly run: (...argv: string[]) => Promise<Outcome>;
  /** The same, which must exit 0. */
  readonly ok: (...argv: string[]) => Promise<Outcome>;
  readonly runWith: (io: Partial<CliIo>, ...argv: string[]) => Promise<Outcome>;
  /** Every file below the directory, with its mode and hash: what a refused command must leave as it was. */
  readonly listing: () => Readonly<Record<string, string>>;
  readonly remove: () => void;
}

/** A directory; `with` "template" puts a policy repository into `repo`. */
export function createDesk(content: "empty" | "template" = "empty"): Desk {
  const dir = mkdtempSync(join(tmpdir(), "aegis-cli-"));
  if (content === "template") cpSync(TEMPLATE, join(dir, "repo"), { recursive: true });
  const runWith = async (overrides: Partial<CliIo>, ...argv: string[]): Promise<Outcome> => {
    let out = "";
    let err = "";
    const io: CliIo = {
      out: (text) => (out += text),
      err: (text) => (err += text),
      colorOut: false,
      colorErr: false,
      showProgress: false,
      cwd: dir,
      env: {},
      ...overrides,
    };
    const code = await runCli(argv, io);
    return { code, out, err };
  };
  const run = (...argv: string[]): Promise<Outcome> => runWith({}, ...argv);
  return {
    dir,
    path: (...parts) => join(dir, ...parts),
    run,
    runWith,
    ok: async (...argv) => {
      const outcome = await run(...argv);
      if (outcome.code !== 0)
        throw new Error(`aegis ${argv.join(" ")} exits ${outcome.code}: ${outcome.err}`);
      return outcome;
    },
    listing: () => listing(dir),
    remove: () => rmSync(dir, { recursive: true, force: true }),
  };
}

function listing(dir: string): Readonly<Record<string, string>> {
  const entries = readdirSync(dir, { recursive: true, withFileTypes: true });
  const files = entries.map((entry): [string, string] => {
    const path = join(entry.parentPath, entry.name);
    const { mode } = statSync(path);
    return [
      path,
      entry.isFile() ? `${mode.toString(8)} ${hash("sha256", readFileSync(path))}` : mode.toString(8),
    ];
  });
  return Object.fromEntries(files.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Keys, a root with one release key, a bundle: what a release needs. Files: `k.json`, `root.json`, `p.aegis`. */
export async function prepareRelease(desk: Desk): Promise<void> {
  await desk.ok("keys", "new", "k.json");
  await desk.ok("root", "init", "--key", "k.json", "-o", "root.json");
  await desk.ok("build", "repo", "-o", "p.aegis");
}

export const RELEASE = [
  "release",
  "p.aegis",
  "--key",
  "k.json",
  "--root",
  "root.json",
  "--channel",
  "prod",
  "-o",
  "ch",
];
