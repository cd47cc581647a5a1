// The plan of a run: which decisions change against the base.
import { WorkspaceError, compile, gitWorkspace, renderText, showHidden } from "#compiler";
import type { CompileResult, Workspace } from "#compiler";
import {
  checkInvariants,
  describeGate,
  planChanges,
  renderPlanJson,
  renderPlanMarkdown,
  renderPlanText,
  violated,
  violatedGates,
  withGates,
} from "#plan";
import type { GateResult, Plan } from "#plan";
import { ActionError } from "./action-error.ts";
import { findBase, pullRequestLabels } from "./base-ref.ts";
import type { ActionInputs } from "./inputs.ts";
import { EXIT, writeResult } from "./step-report.ts";
import type { StepReport } from "./step-report.ts";
import { escapeMarkdown } from "./step-summary.ts";
import { logBlock } from "./workflow-commands.ts";
import type { Annotation } from "./workflow-commands.ts";

/** Throws ActionError where the base is named but cannot be read. */
export async function runPlan(
  inputs: ActionInputs,
  head: CompileResult,
  log: (text: string) => void,
): Promise<StepReport> {
  const found = findBase(inputs);
  if (!found.found) return withoutPlan(inputs, [head], found.reason);
  const base = await compileAt(inputs, found.ref);
  const tip = found.gatesRef === found.ref ? base : await compileAt(inputs, found.gatesRef);
  const sides = [head, base, tip];
  if (base.bundle === undefined) {
    logErrors(base, log);
    const reason = `the base (${found.description}) does not check, so it decides nothing to compare with`;
    return withoutPlan(inputs, sides, reason);
  }
  if (tip.bundle === undefined && sides.some(mayHaveGates)) {
    logErrors(tip, log);
    const reason = `the tip of the base (${found.gatesRef.slice(0, 12)}) does not check, so its gates cannot be asked`;
    return withoutPlan(inputs, sides, reason);
  }
  const changes = await planChanges(base, head, { base: { kind: "git", ref: found.ref } });
  const invariants = await checkInvariants(head, head.model.invariants);
  const checked: Plan = invariants.length === 0 ? changes : { ...changes, invariants };
  const plan = withGates(checked, tip.bundle === undefined ? base : tip, head, {
    labels: pullRequestLabels(inputs),
  });
  log(
    logBlock(`aegis plan --base ${found.ref}`, renderPlanText(plan, { color: false, printable: showHidden })),
  );
  return reportPlan(inputs, plan, found.description);
}

async function compileAt({ projectDir }: ActionInputs, ref: string): Promise<CompileResult> {
  return await compile({ dir: projectDir, workspace: openBase(projectDir, ref) });
}

function logErrors({ diagnostics, model }: CompileResult, log: (text: string) => void): void {
  const errors = diagnostics.filter(({ severity }) => severity === "error");
  log(logBlock("aegis check of the base", renderText(errors, { color: false, sourceOf: model.textOf })));
}

function openBase(dir: string, ref: string): Workspace {
  try {
    return gitWorkspace(dir, ref);
  } catch (cause) {
    const detail = cause instanceof WorkspaceError ? `${cause.path}: ${cause.message}` : String(cause);
    throw new ActionError(`the base ${ref} cannot be read: ${detail}`, { cause });
  }
}

/** True where there are gates, and where aegis.yaml is there but cannot be read. */
function mayHaveGates({ model }: CompileResult): boolean {
  return model.gates.length > 0 || (model.name === "" && model.textOf("aegis.yaml") !== undefined);
}

/** What cannot be shown to be harmless passes no gate; a repair of a base without gates passes. */
function withoutPlan(inputs: ActionInputs, sides: readonly CompileResult[], reason: string): StepReport {
  const hasGates = sides.some(mayHaveGates);
  const gated = hasGates || inputs.failOn !== "none";
  const message = `no plan: ${reason}`;
  const text = hasGates ? `${message}; the gates of aegis.yaml are violated` : message;
  return {
    annotations: [
      hasGates
        ? { level: "error", title: "GATE_VIOLATED", message: text }
        : { level: gated ? "error" : "notice", title: "Aegis plan", message: text },
    ],
    sections: [`### Policy plan: none\n\n${escapeMarkdown(hasGates ? text : reason)}\n`],
    outputs: new Map([["plan-summary", message]]),
    exitCode: gated ? EXIT.gate : EXIT.ok,
  };
}

async function reportPlan(inputs: ActionInputs, plan: Plan, base: string): Promise<StepReport> {
  const { newlyAllowed, newlyDenied, transformsChanged, structural } = plan.summary;
  const changed = transformsChanged + structural;
  const summary = `${newlyAllowed} newly allowed, ${newlyDenied} newly denied, ${changed} other changes, ${plan.searched.calls} calls searched`;
  const markdown = renderPlanMarkdown(plan);
  const stopped = gateOf(inputs, plan);
  return {
    annotations: [
      stopped === undefined
        ? { level: "notice", title: "Aegis plan", message: summary }
        : { level: "error", title: "Aegis plan", message: `${stopped}: ${summary}` },
      ...violatedGates(plan).map((gate) => gateAnnotation(gate, inputs.pathPrefix)),
    ],
    sections: [`${markdown}\nCompared with ${escapeMarkdown(base)}.\n`],
    outputs: new Map([
      ["plan-json", await writeResult(inputs, "aegis-plan.json", renderPlanJson(plan))],
      ["plan-markdown", await writeResult(inputs, "aegis-plan.md", markdown)],
      ["plan-summary", summary],
      ["newly-allowed", String(newlyAllowed)],
      ["newly-denied", String(newlyDenied)],
      ["changed", String(changed)],
    ]),
    exitCode: stopped === undefined ? EXIT.ok : EXIT.gate,
  };
}

/** A place in the base is none of the pull request's files: its lines may have moved. */
function gateAnnotation(gate: GateResult, prefix: string): Annotation {
  const { at, side } = gate;
  const message = describeGate(gate);
  if (at === undefined || side === "base") return { level: "error", title: "GATE_VIOLATED", message };
  return {
    ...{ level: "error", title: "GATE_VIOLATED", message },
    ...{ file: prefix + at.file, line: at.line, column: at.column },
  };
}

/** Why the plan does not pass; undefined = it does. */
function gateOf(inputs: ActionInputs, plan: Plan): string | undefined {
  if (violatedGates(plan).length > 0) return "a gate of aegis.yaml stops the plan";
  if (violated(plan.invariants ?? []).length > 0) return "an invariant does not hold";
  switch (inputs.failOn) {
    case "none":
      return undefined;
    case "newly-allowed":
      return plan.summary.newlyAllowed > 0 ? "the plan allows new calls" : undefined;
    case "changes":
      return plan.changes.length > 0 ? "the plan has changes" : undefined;
  }
}
