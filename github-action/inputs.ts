// What the workflow asked for, and where on the runner it happens.
import { existsSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, resolve, sep } from "node:path";
import { ActionError } from "./action-error.ts";

/** The environment of the process; GITHUB_* and RUNNER_* as the runner sets them, INPUT_* from action.yml. */
export type Environment = Readonly<Record<string, string | undefined>>;

export const COMMANDS = ["check", "test", "plan"] as const;
export type ActionCommand = (typeof COMMANDS)[number];

const FAIL_ON = ["none", "newly-allowed", "changes"] as const;
export type FailOn = (typeof FAIL_ON)[number];

export interface ActionInputs {
  readonly commands: ReadonlySet<ActionCommand>;
  /** Absolute path of the policy repository. */
  readonly projectDir: string;
  /** Put before a path of the repository, it names the file from the workspace: "" or "folder/". */
  readonly pathPrefix: string;
  /** Git reference from the workflow; undefined = from the event. */
  readonly base: string | undefined;
  /** Undefined = any number. */
  readonly maxWarnings: number | undefined;
  readonly failOn: FailOn;
  /** Where files for later steps go. */
  readonly tempDir: string;
  readonly eventName: string;
  readonly eventPath: string | undefined;
}

/** Throws ActionError for a value that is not one of those action.yml documents. */
export function readInputs(env: Environment): ActionInputs {
  const workspace = resolve(present(env["GITHUB_WORKSPACE"]) ?? process.cwd());
  const projectDir = resolve(workspace, input(env, "working-directory") ?? ".");
  const pathPrefix = prefixOf(workspace, projectDir);
  return {
    commands: parseCommands(input(env, "command") ?? COMMANDS.join(",")),
    projectDir,
    pathPrefix,
    base: input(env, "base"),
    maxWarnings: parseMaxWarnings(input(env, "max-warnings")),
    failOn: parseFailOn(input(env, "fail-on") ?? "none"),
    tempDir: present(env["RUNNER_TEMP"]) ?? tmpdir(),
    eventName: env["GITHUB_EVENT_NAME"] ?? "",
    eventPath: present(env["GITHUB_EVENT_PATH"]),
  };
}

function present(text: string | undefined): string | undefined {
  const trimmed = text?.trim() ?? "";
  return trimmed === "" ? undefined : trimmed;
}

// The runner upper-cases the name of an input and keeps its hyphens.
function input(env: Environment, name: string): string | undefined {
  return present(env[`INPUT_${name.toUpperCase()}`]);
}

function prefixOf(workspace: string, projectDir: string): string {
  const path = relative(workspace, projectDir);
  if (path === ".." || path.startsWith(`..${sep}`)) {
    throw new ActionError("working-directory leads out of the workspace");
  }
  if (!existsSync(join(projectDir, "aegis.yaml")) || !statSync(projectDir).isDirectory()) {
    throw new ActionError(
      `${path === "" ? "the workspace" : path} is not a policy repository: it has no aegis.yaml`,
      {
        help: "check the repository out first, and name its folder in `working-directory`",
      },
    );
  }
  return path === "" ? "" : `${path.split(sep).join("/")}/`;
}

function parseCommands(text: string): ReadonlySet<ActionCommand> {
  const names = text
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  const commands = names.map((name) => {
    const command = COMMANDS.find((candidate) => candidate === name);
    if (command === undefined)
      throw new ActionError(`command ${JSON.stringify(name)} is none of ${COMMANDS.join(", ")}`);
    return command;
  });
  if (commands.length === 0) throw new ActionError(`command is empty; it takes ${COMMANDS.join(", ")}`);
  return new Set(commands);
}

function parseMaxWarnings(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,6}$/u.test(text))
    throw new ActionError(`max-warnings must be a number, not ${JSON.stringify(text)}`);
  return Number(text);
}

function parseFailOn(text: string): FailOn {
  const failOn = FAIL_ON.find((candidate) => candidate === text);
  if (failOn === undefined)
    throw new ActionError(`fail-on ${JSON.stringify(text)} is none of ${FAIL_ON.join(", ")}`);
  return failOn;
}
