// aegis plan: which decisions change between a base and the working tree.
import type { Command } from "commander";
import { showHidden } from "#compiler";
import {
  checkInvariants,
  describeGate,
  notedPolicies,
  planChanges,
  violated,
  violatedGates,
  withGates,
} from "#plan";
import type { Plan } from "#plan";
import { EXIT } from "../output/exit-codes.ts";
import { compileProject, projectDir, showDiagnostics } from "../output/project.ts";
import { openBase } from "../plan/open-base.ts";
import { parseFormat, parseLabels, planOptions } from "../plan/options.ts";
import type { PlanCommandOptions } from "../plan/options.ts";
import { writePlan } from "../plan/output.ts";
import { replayRecorded } from "../plan/replay.ts";
import { provePlan } from "../plan/symbolic.ts";
import type { CommandHost } from "../program.ts";

export function registerPlan(program: Command, host: CommandHost): void {
  const command = program
    .command("plan")
    .argument("[dir]", "policy repository", ".")
    .description(
      "Show which decisions change against a base: newly allowed, newly denied, and a call for each.",
    );
  planOptions(command).action(
    host.action(async (dir: string, options: PlanCommandOptions) => {
      const format = parseFormat(options.format);
      const labels = parseLabels(options.label ?? []);
      const head = await compileProject(dir, host.io);
      if (head.bundle === undefined) {
        showDiagnostics(head, host.io);
        host.io.err("not planned: the repository does not compile\n");
        return EXIT.checkFailed;
      }
      const { kind, input } = await openBase(options.base, await projectDir(dir, host.io), host.io);
      const replayed = await replayRecorded(options.replay ?? [], input, head, host.io);
      const searched = await planChanges(input, head, {
        base: { kind, ref: options.base },
        ...(replayed === undefined ? {} : { replayed }),
      });
      const changes = notedPolicies(await provePlan(searched, input, head, options, host.io));
      const invariants = await checkInvariants(head, head.model.invariants);
      const checked: Plan = invariants.length === 0 ? changes : { ...changes, invariants };
      const plan = withGates(checked, input, head, { labels });
      await writePlan(plan, format, options.out, host.io);
      const stopped = violatedGates(plan);
      for (const gate of stopped) host.io.err(`gate violated: ${showHidden(describeGate(gate))}\n`);
      const broken = violated(invariants);
      for (const { name, at } of broken)
        host.io.err(
          `invariant violated: ${showHidden(`${at.file}:${String(at.line)}:${String(at.column)} ${name}`)}\n`,
        );
      if (stopped.length + broken.length > 0) return EXIT.gate;
      return options.detailedExitcode === true && plan.changes.length > 0 ? EXIT.changes : EXIT.ok;
    }),
  );
}
