// The commit a plan compares with, from the event that started the workflow.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { ActionError } from "./action-error.ts";
import type { ActionInputs } from "./inputs.ts";

const GIT_TIMEOUT_MS = 30_000;
const OBJECT_ID = /^[0-9a-f]{40,64}$/u;
const NO_COMMIT = /^0+$/u;

export type Base =
  | {
      readonly found: true;
      readonly ref: string;
      /** Whose gates hold: the tip of the base branch, which nobody chooses by where a branch begins. */
      readonly gatesRef: string;
      readonly description: string;
    }
  /** Nothing to compare with, and why: not a fault. */
  | { readonly found: false; readonly reason: string };

/** Throws ActionError where the base is named but is not in the clone, or Git refuses the directory. */
export function findBase(inputs: ActionInputs): Base {
  const { projectDir } = inputs;
  if (inputs.base !== undefined) {
    // A branch that is not checked out exists only as a remote-tracking branch.
    const ref = [inputs.base, `origin/${inputs.base}`].find(
      (name) => commitOf(projectDir, name) !== undefined,
    );
    if (ref === undefined) throw notInClone(projectDir, inputs.base);
    return foundAt(ref, ref);
  }
  const event = readEvent(inputs.eventPath);
  switch (inputs.eventName) {
    case "pull_request":
    case "pull_request_target":
      return pullRequestBase(projectDir, event);
    case "merge_group":
      return namedCommit(projectDir, textAt(event, "merge_group", "base_sha"), "the base of the merge group");
    case "push":
      return namedCommit(projectDir, textAt(event, "before"), "the commit before the push");
    default:
      return {
        found: false,
        reason: `a run for ${inputs.eventName || "no event"} has no base; set the input \`base\``,
      };
  }
}

/** Names of the labels that the pull request carried when the event was sent; none for other events. */
export function pullRequestLabels(inputs: ActionInputs): readonly string[] {
  const { eventName, eventPath } = inputs;
  if (eventName !== "pull_request" && eventName !== "pull_request_target") return [];
  const labels = valueAt(readEvent(eventPath), "pull_request", "labels");
  if (!Array.isArray(labels)) return [];
  return labels.flatMap((label: unknown) => textAt(label, "name") ?? []);
}

function namedCommit(cwd: string, commit: string | undefined, description: string): Base {
  if (commit === undefined || NO_COMMIT.test(commit)) {
    return { found: false, reason: `the event does not name ${description}: this branch is new` };
  }
  if (!OBJECT_ID.test(commit) || commitOf(cwd, commit) === undefined) throw notInClone(cwd, commit);
  return foundAt(commit, `${commit.slice(0, 12)}, ${description}`);
}

function foundAt(ref: string, description: string, gatesRef = ref): Base {
  return { found: true, ref, gatesRef, description };
}

/**
 * Where the merge commit of the pull request is checked out, its first parent is the base it was merged with, newer
 * than the one of the event. Else the merge base: what others changed since is not part of this plan, but their gates
 * hold.
 */
function pullRequestBase(cwd: string, event: unknown): Base {
  const base = textAt(event, "pull_request", "base", "sha");
  const head = textAt(event, "pull_request", "head", "sha");
  const merged = commitOf(cwd, "HEAD^2");
  const parent = commitOf(cwd, "HEAD^1");
  if (merged !== undefined && merged === head && parent !== undefined) {
    return foundAt(parent, `${parent.slice(0, 12)}, the base of the pull request`);
  }
  if (base === undefined || !OBJECT_ID.test(base)) {
    return {
      found: false,
      reason: "the event does not name the base of the pull request; set the input `base`",
    };
  }
  if (commitOf(cwd, base) === undefined) throw notInClone(cwd, base);
  const fork = git(cwd, ["merge-base", base, "HEAD"]);
  if (fork === undefined) throw notInClone(cwd, base);
  return foundAt(fork, `${fork.slice(0, 12)}, where the pull request branched off`, base);
}

function notInClone(cwd: string, ref: string): ActionError {
  const unsafe = gitFault(cwd);
  if (unsafe !== undefined) return new ActionError(`Git cannot read the checkout: ${unsafe}`);
  return new ActionError(
    `the base ${JSON.stringify(ref)} is not in this clone, so there is nothing to plan against`,
    {
      help: "give actions/checkout `fetch-depth: 0`, or fetch the base in a step before this one",
    },
  );
}

function readEvent(path: string | undefined): unknown {
  if (path === undefined) return undefined;
  try {
    return JSON.parse(readFileSync(path, "utf8")) as unknown;
  } catch (cause) {
    throw new ActionError(`the event file ${path} cannot be read`, { cause });
  }
}

function textAt(value: unknown, ...path: readonly string[]): string | undefined {
  const found = valueAt(value, ...path);
  return typeof found === "string" ? found : undefined;
}

function valueAt(value: unknown, ...path: readonly string[]): unknown {
  let at = value;
  for (const name of path) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, name)) return undefined;
    at = (at as Readonly<Record<string, unknown>>)[name];
  }
  return at;
}

function commitOf(cwd: string, ref: string): string | undefined {
  return git(cwd, ["rev-parse", "--verify", "--quiet", "--end-of-options", `${ref}^{commit}`]);
}

function git(cwd: string, args: readonly string[]): string | undefined {
  try {
    const output = execFileSync("git", [...args], {
      cwd,
      encoding: "utf8",
      timeout: GIT_TIMEOUT_MS,
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
    return output === "" ? undefined : output;
  } catch {
    return undefined;
  }
}

/** Why Git does not work here at all, e.g. a checkout that belongs to another user; undefined = it works. */
function gitFault(cwd: string): string | undefined {
  try {
    execFileSync("git", ["rev-parse", "--git-dir"], {
      cwd,
      encoding: "utf8",
      timeout: GIT_TIMEOUT_MS,
      stdio: ["ignore", "pipe", "pipe"],
    });
    return undefined;
  } catch (fault) {
    const { stderr, message } = fault as { readonly stderr?: string; readonly message?: string };
    return (stderr ?? "").trim() || (message ?? "it failed");
  }
}
