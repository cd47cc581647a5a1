// A policy repository in Git, and the environment a runner gives to an action.
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runAction } from "../../../github-action/run-action.ts";

export const ROOT = join(import.meta.dirname, "../../..");

export interface Runner {
  /** GITHUB_WORKSPACE: the checkout. */
  readonly workspace: string;
  /** Where the policy repository is in it. */
  readonly project: string;
  readonly git: (...args: string[]) => string;
  /** Commits everything and returns the commit. */
  readonly commit: (message: string) => string;
  readonly read: (file: string) => string;
  readonly edit: (file: string, change: (text: string) => string) => void;
  /** The environment of a step: `inputs` by their name in action.yml. */
  readonly env: (options: RunOptions) => Record<string, string>;
  readonly remove: () => void;
}

export interface RunOptions {
  readonly inputs?: Readonly<Record<string, string>>;
  readonly eventName?: string;
  readonly event?: unknown;
}

export interface RunResult {
  readonly exitCode: number;
  readonly log: string;
  readonly annotations: readonly string[];
  readonly summary: string;
  readonly outputs: ReadonlyMap<string, string>;
}

/** The template, committed on `main` of a new repository, at `folder` of the workspace. */
export function createRunner(folder = ""): Runner {
  const base = mkdtempSync(join(tmpdir(), "aegis-action-"));
  const workspace = join(base, "work");
  const project = join(workspace, folder);
  mkdirSync(project, { recursive: true });
  mkdirSync(join(base, "temp"));
  cpSync(join(ROOT, "policy-repo-template"), project, { recursive: true });
  const git = (...args: string[]): string =>
    execFileSync("git", ["-c", "user.name=Test", "-c", "user.email=test@example.com", ...args], {
      cwd: workspace,
      encoding: "utf8",
      env: { PATH: process.env["PATH"], HOME: base, GIT_CONFIG_NOSYSTEM: "1" },
      stdio: ["ignore", "pipe", "pipe"],
    }).trim();
  const commit = (message: string): string => {
    git("add", "--all");
    git("commit", "--quiet", "--allow-empty", "-m", message);
    return git("rev-parse", "HEAD");
  };
  git("init", "--quiet", "--initial-branch=main");
  commit("policies");
  return {
    workspace,
    project,
    git,
    commit,
    read: (file) => readFileSync(join(project, file), "utf8"),
    edit: (file, change) => {
      const path = join(project, file);
      writeFileSync(path, change(existsSync(path) ? readFileSync(path, "utf8") : ""));
    },
    env: (options) => environment(base, workspace, options),
    remove: () => rmSync(base, { recursive: true, force: true }),
  };
}

function environment(base: string, workspace: string, options: RunOptions): Record<string, string> {
  writeFileSync(join(base, "event.json"), JSON.stringify(options.event ?? {}));
  for (const file of ["summary.md", "output.txt"]) writeFileSync(join(base, file), "");
  const inputs = Object.entries(options.inputs ?? {}).map(([name, value]) => [
    `INPUT_${name.toUpperCase()}`,
    value,
  ]);
  return {
    PATH: process.env["PATH"] ?? "",
    HOME: base,
    CI: "true",
    GITHUB_ACTIONS: "true",
    GITHUB_WORKSPACE: workspace,
    GITHUB_EVENT_NAME: options.eventName ?? "workflow_dispatch",
    GITHUB_EVENT_PATH: join(base, "event.json"),
    GITHUB_STEP_SUMMARY: join(base, "summary.md"),
    GITHUB_OUTPUT: join(base, "output.txt"),
    RUNNER_TEMP: join(base, "temp"),
    ...(Object.fromEntries(inputs) as Record<string, string>),
  };
}

/** Runs the Action in this process. */
export async function runHere(runner: Runner, options: RunOptions = {}): Promise<RunResult> {
  const env = runner.env(options);
  let log = "";
  const exitCode = await runAction(env, (text) => (log += text));
  return resultOf(env, exitCode, log);
}

export function resultOf(env: Readonly<Record<string, string>>, exitCode: number, log: string): RunResult {
  return {
    exitCode,
    log,
    annotations: commandsOf(log).filter((line) => /^::(?:error|warning|notice) /u.test(line)),
    summary: readFileSync(env["GITHUB_STEP_SUMMARY"] ?? "", "utf8"),
    outputs: parseOutputs(readFileSync(env["GITHUB_OUTPUT"] ?? "", "utf8")),
  };
}

/** What a runner would take for a command: lines outside a `stop-commands` block. */
export function commandsOf(log: string): readonly string[] {
  const commands: string[] = [];
  let token: string | undefined;
  for (const line of log.split("\n")) {
    if (token !== undefined) {
      if (line === `::${token}::`) token = undefined;
      continue;
    }
    token = /^::stop-commands::(.+)$/u.exec(line)?.[1];
    if (line.trimStart().startsWith("::") || line.includes("##[")) commands.push(line);
  }
  return commands;
}

/** As the runner reads GITHUB_OUTPUT. */
export function parseOutputs(text: string): ReadonlyMap<string, string> {
  const outputs = new Map<string, string>();
  const lines = text.split("\n");
  for (let index = 0; index < lines.length; index += 1) {
    const match = /^([^=<]+)<<(.+)$/u.exec(lines[index] ?? "");
    if (match === null) continue;
    const end = lines.indexOf(match[2] ?? "", index + 1);
    if (end < 0) throw new Error("an output has no end");
    outputs.set(match[1] ?? "", lines.slice(index + 1, end).join("\n"));
    index = end;
  }
  return outputs;
}
