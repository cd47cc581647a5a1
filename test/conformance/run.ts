// Usage: node test/conformance/run.ts [--leg TEXT] [--verbose]
// Runs the legs of the server suite whose id contains TEXT, and prints what is worse than the direct run.
import { parseArgs } from "node:util";
import { total } from "./compare.ts";
import { startConformanceWorld } from "./conformance-world.ts";
import { runServerLegs } from "./server-legs.ts";

const { values } = parseArgs({
  options: { leg: { type: "string", default: "" }, verbose: { type: "boolean", default: false } },
});

const world = await startConformanceWorld();
try {
  const run = await runServerLegs(world, ({ id }) => id.includes(values.leg));
  for (const [id, result] of run.baselines) {
    const { passed, failed } = total(result);
    process.stdout.write(`${id}: ${String(passed)} passed, ${String(failed)} failed\n`);
  }
  for (const { leg, result, differences, accepted } of run.legs) {
    const { passed, failed } = total(result);
    process.stdout.write(
      `${leg.id}: ${String(passed)} passed, ${String(failed)} failed, ${String(differences.length)} worse, ${String(accepted.length)} unreachable\n`,
    );
    for (const { scenario, check, before, after, why } of differences)
      process.stdout.write(`  ${scenario} / ${check}: ${before} -> ${after}: ${why.slice(0, 300)}\n`);
  }
  if (values.verbose) process.stdout.write(`${world.gateway.log.join("\n")}\n`);
} finally {
  await world.stop();
}
