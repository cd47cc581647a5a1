// What a run says and how it ends, for each event, input and fault.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { commandsOf, createRunner, runHere } from "./action-fixture.ts";
import type { RunOptions, Runner } from "./action-fixture.ts";

let runner: Runner;
beforeEach(() => {
  runner = createRunner();
});
afterEach(() => runner.remove());

/** A branch that denies what the base allows; the base moves on meanwhile. */
function branchAndMove(): { readonly base: string; readonly moved: string; readonly head: string } {
  const base = runner.git("rev-parse", "HEAD");
  runner.git("switch", "--quiet", "-c", "change");
  runner.edit("policies/jira.yaml", (text) => text.replaceAll("jira.search", "jira.gone"));
  rmSync(join(runner.project, "policies/jira.yaml"));
  const head = runner.commit("take jira.search away");
  runner.git("switch", "--quiet", "main");
  rmSync(join(runner.project, "policies/sql-prod.cedar"));
  // Its last test names a policy of that file.
  runner.edit("tests/access_test.yaml", (text) => text.slice(0, text.indexOf("  - name: external staff")));
  const moved = runner.commit("another's change");
  runner.git("switch", "--quiet", "change");
  return { base, moved, head };
}

const widen = (text: string): string => text.replace("in: [Employee]", "in: [Developer, Employee]");

const pullRequest = (base: string, head: string): RunOptions => ({
  eventName: "pull_request",
  event: { pull_request: { base: { sha: base }, head: { sha: head } } },
  inputs: { command: "plan" },
});

describe("the base of a plan", () => {
  it("is where a pull request branched off, when its branch is checked out", async () => {
    const { moved, head } = branchAndMove();
    const result = await runHere(runner, pullRequest(moved, head));
    expect(result.exitCode).toBe(0);
    expect(Number(result.outputs.get("newly-denied"))).toBeGreaterThan(0);
    // What the other change took away is not this pull request's doing, nor given back by it.
    expect(result.outputs.get("newly-allowed")).toBe("0");
    expect(result.summary).toContain("where the pull request branched off");
  });

  it("is the first parent of a merge commit that is checked out", async () => {
    const { base, head } = branchAndMove();
    runner.git("switch", "--quiet", "main");
    runner.git("merge", "--quiet", "--no-ff", "-m", "merge", "change");
    const result = await runHere(runner, pullRequest(base, head));
    expect(result.summary).toContain("the base of the pull request");
    expect(result.outputs.get("newly-allowed")).toBe("0");
  });

  it("is the commit before a push, the base of a merge group, or what the input names", async () => {
    const { base, head } = branchAndMove();
    const events: readonly RunOptions[] = [
      { eventName: "push", event: { before: base } },
      { eventName: "merge_group", event: { merge_group: { base_sha: base } } },
      { inputs: { base } },
      { inputs: { base: "HEAD~1" } },
    ];
    for (const options of events) {
      const result = await runHere(runner, { ...options, inputs: { command: "plan", ...options.inputs } });
      expect(result.exitCode).toBe(0);
      expect(Number(result.outputs.get("newly-denied"))).toBeGreaterThan(0);
    }
    expect(head).toMatch(/^[0-9a-f]{40}$/u);
  });

  it.each([
    ["a first push", { eventName: "push", event: { before: "0".repeat(40) } }],
    ["a manual run", { eventName: "workflow_dispatch", event: {} }],
  ])("is absent for %s: no plan, and a gate does not pass", async (_name, options) => {
    const plain = await runHere(runner, options);
    expect(plain.exitCode).toBe(0);
    expect(plain.outputs.get("plan-summary")).toMatch(/^no plan: /u);
    const gated = await runHere(runner, { ...options, inputs: { "fail-on": "newly-allowed" } });
    expect(gated.exitCode).toBe(5);
  });

  it("is refused with the remedy where it is not in the clone", async () => {
    const missing = "1".repeat(40);
    const result = await runHere(runner, pullRequest(missing, missing));
    expect(result.exitCode).toBe(1);
    expect(result.annotations[0]).toContain(`the base "${missing}" is not in this clone`);
    expect(result.annotations[0]).toContain("fetch-depth: 0");
    expect(result.summary).toContain("is not in this clone");
  });

  it.each(["--upload-pack=touch /tmp/x", "main; touch x", "refs/heads/none", "HEAD:policies"])(
    "is refused for %s",
    async (base) => {
      const result = await runHere(runner, { inputs: { base } });
      expect(result.exitCode).toBe(1);
      expect(result.annotations[0]).toContain("is not in this clone");
    },
  );

  it("leaves no plan where the base does not check, so that a repair can pass", async () => {
    runner.edit("policies/baseline.yaml", (text) => `${text}\nnonsense: 1\n`);
    const broken = runner.commit("break it");
    runner.git("revert", "--no-edit", "HEAD");
    const result = await runHere(runner, { eventName: "push", event: { before: broken } });
    expect(result.exitCode).toBe(0);
    expect(result.outputs.get("plan-summary")).toContain("does not check");
  });
});

describe("gates", () => {
  it("asks the gates of aegis.yaml about the labels of the pull request", async () => {
    runner.edit(
      "aegis.yaml",
      (text) => `${text}\ngates: { newlyAllowed: { require: "label:security-approved" } }\n`,
    );
    const base = runner.commit("gates");
    runner.edit("policies/jira.yaml", (text) => text.replace("in: [Employee]", "in: [Developer, Employee]"));
    const head = runner.commit("developers search");
    const withLabels = (...names: readonly string[]): ReturnType<typeof runHere> =>
      runHere(runner, {
        inputs: { command: "plan" },
        eventName: "pull_request",
        event: {
          pull_request: { base: { sha: base }, head: { sha: head }, labels: names.map((name) => ({ name })) },
        },
      });
    const stopped = await withLabels("bug");
    expect(stopped.exitCode).toBe(5);
    expect(stopped.annotations.join("\n")).toMatch(
      /file=aegis\.yaml,line=\d+.*GATE_VIOLATED.*2 rows without the label/u,
    );
    expect(stopped.summary).toContain("#### Gates");
    expect((await withLabels("bug", "security-approved")).exitCode).toBe(0);
  });

  it("asks those of the tip of the base, wherever the pull request branched off", async () => {
    runner.git("switch", "--quiet", "-c", "change");
    runner.edit("policies/jira.yaml", widen);
    const head = runner.commit("developers search");
    runner.git("switch", "--quiet", "main");
    runner.edit("aegis.yaml", (text) => `${text}\ngates: { newlyAllowed: deny }\n`);
    const tip = runner.commit("gates");
    runner.git("switch", "--quiet", "change");
    const result = await runHere(runner, pullRequest(tip, head));
    expect(result.summary).toContain("where the pull request branched off");
    expect(result.exitCode).toBe(5);
    expect(result.annotations.join("\n")).toContain("GATE_VIOLATED");
  });

  it("are violated where the tip of the base does not check", async () => {
    runner.git("switch", "--quiet", "-c", "change");
    runner.edit("policies/jira.yaml", widen);
    const head = runner.commit("developers search");
    runner.git("switch", "--quiet", "main");
    runner.edit("aegis.yaml", (text) => `${text}\ngates: { newlyAllowed: allow }\nnonsense: 1\n`);
    const tip = runner.commit("gates that cannot be read");
    runner.git("switch", "--quiet", "change");
    const result = await runHere(runner, pullRequest(tip, head));
    expect(result.exitCode).toBe(5);
    expect(result.outputs.get("plan-summary")).toContain("its gates cannot be asked");
  });

  it.each([
    ["gates of the head", "", "gates: { newlyAllowed: warn }"],
    ["gates of the base", "gates: { newlyAllowed: warn }", ""],
    ["a base whose gates cannot be read", "gates: { newlyAllowed: sometimes }", ""],
  ])("are violated where there is no plan: %s", async (_name, inBase, inHead) => {
    const original = runner.read("aegis.yaml");
    runner.edit("aegis.yaml", () => `${original}\n${inBase}\n`);
    runner.edit("policies/broken.yaml", () => "nonsense: 1\n");
    const broken = runner.commit("a base that does not check");
    runner.edit("aegis.yaml", () => `${original}\n${inHead}\n`);
    rmSync(join(runner.project, "policies/broken.yaml"));
    runner.commit("the repair");
    const result = await runHere(runner, {
      eventName: "push",
      event: { before: broken },
      inputs: { command: "plan" },
    });
    expect(result.outputs.get("plan-summary")).toContain("does not check");
    expect(result.exitCode).toBe(5);
    expect(result.annotations.join("\n")).toContain("GATE_VIOLATED");
  });

  it("are violated where the event names no base", async () => {
    runner.edit("aegis.yaml", (text) => `${text}\ngates: { newlyAllowed: warn }\n`);
    const event = { before: "0".repeat(40) };
    const result = await runHere(runner, { eventName: "push", event, inputs: { command: "plan" } });
    expect(result.exitCode).toBe(5);
  });

  it("fails on what fail-on names, and on nothing else", async () => {
    const { base } = branchAndMove();
    const exits = [];
    for (const failOn of ["none", "newly-allowed", "changes"]) {
      exits.push((await runHere(runner, { inputs: { command: "plan", base, "fail-on": failOn } })).exitCode);
    }
    expect(exits).toEqual([0, 0, 5]);
  });

  it("fails where there are more warnings than allowed", async () => {
    runner.edit("policies/sql-prod.cedar", (text) => text.replace("^\\\\s*SELECT", "SELECT"));
    expect((await runHere(runner, { inputs: { command: "check", "max-warnings": "1" } })).exitCode).toBe(0);
    const result = await runHere(runner, { inputs: { command: "check", "max-warnings": "0" } });
    expect(result.exitCode).toBe(3);
    expect(result.annotations[0]).toBe("::error title=Aegis check::1 warning, at most 0 allowed");
  });
});

describe("findings", () => {
  it("annotates the first ten errors, counts the rest, and runs no test and no plan", async () => {
    const tools = Array.from({ length: 14 }, (_, index) => `  - "sql-prod/nothing-${index}"`).join("\n");
    runner.edit("policies/wrong.yaml", () => `deny:\n  tools:\n${tools.replaceAll("  - ", "    - ")}\n`);
    const result = await runHere(runner, { inputs: { base: "HEAD" } });
    expect(result.exitCode).toBe(3);
    expect(result.annotations.filter((line) => line.startsWith("::error"))).toHaveLength(10);
    expect(result.annotations.filter((line) => line.startsWith("::error"))[0]).toContain(
      "file=policies/wrong.yaml,line=3",
    );
    expect(result.annotations.find((line) => line.startsWith("::notice"))).toContain("4 more errors");
    expect(result.summary).toContain("### Check: failed (14 errors");
    expect(result.summary).toContain("### Test: not run");
    expect(result.outputs.get("digest")).toBe("");
    expect(result.outputs.has("plan-json")).toBe(false);
  });

  it("takes nothing in a pull request for a command of the workflow", async () => {
    const hostile = "::error::owned\\n::set-output name=digest::x\\n##[set-output name=digest;]x";
    runner.edit("tests/access_test.yaml", (text) =>
      text.replace("name: truth table", `name: "${hostile}"`).replace("      - [external, select]\n", ""),
    );
    runner.edit("policies/sql-prod.cedar", (text) => text.replace("^\\\\s*SELECT", "SELECT"));
    const result = await runHere(runner, { inputs: { command: "test" } });
    expect(result.exitCode).toBe(4);
    const commands = commandsOf(result.log).map((line) => /^::([\w-]+)/u.exec(line)?.[1]);
    expect([...new Set(commands)].sort()).toEqual(["endgroup", "error", "group", "stop-commands", "warning"]);
    expect(result.annotations.filter((line) => line.startsWith("::error"))).toHaveLength(2);
    expect(result.outputs.get("digest")).toMatch(/^[0-9a-f]{64}$/u);
    expect(result.summary).not.toContain("\n::");
  });
});

describe("inputs", () => {
  it.each([
    [{ command: "check,deploy" }, 'command "deploy" is none of check, test, plan'],
    [{ command: "," }, "command is empty"],
    [{ "fail-on": "everything" }, 'fail-on "everything" is none of'],
    [{ "max-warnings": "few" }, "max-warnings must be a number"],
    [{ "working-directory": ".." }, "working-directory leads out of the workspace"],
    [{ "working-directory": "policies" }, "policies is not a policy repository"],
  ])("%j is refused", async (inputs, message) => {
    const result = await runHere(runner, { inputs });
    expect(result.exitCode).toBe(1);
    expect(result.annotations).toHaveLength(1);
    expect(result.annotations[0]).toContain(message);
    expect(result.outputs.size).toBe(0);
  });

  it("fails where an invariant is broken, at the line that states it", async () => {
    mkdirSync(join(runner.project, "invariants"));
    runner.edit(
      "invariants/money.yaml",
      () =>
        "invariants:\n  - name: nobody searches\n    targets: { tools: [jira.search] }\n    expect: denied\n",
    );
    const result = await runHere(runner, { inputs: { command: "test" } });
    expect(result.exitCode).toBe(5);
    expect(commandsOf(result.log).join("\n")).toContain("INVARIANT_VIOLATED");
    expect(result.log).toContain("invariants/money.yaml");
  });

  it("needs none of the runner's files", async () => {
    const env = runner.env({ inputs: { command: "check" } });
    const { runAction } = await import("../../../github-action/run-action.ts");
    const { GITHUB_OUTPUT: _output, GITHUB_STEP_SUMMARY: _summary, GITHUB_EVENT_PATH: _event, ...rest } = env;
    expect(await runAction(rest, () => undefined)).toBe(0);
  });

  it("says so where the event file is broken", async () => {
    const env = runner.env({ eventName: "push" });
    writeFileSync(env["GITHUB_EVENT_PATH"] ?? "", "{");
    const { runAction } = await import("../../../github-action/run-action.ts");
    let log = "";
    expect(await runAction(env, (text) => (log += text))).toBe(1);
    expect(log).toContain("the event file");
  });
});
