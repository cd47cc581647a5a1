// Loaded into the gateway before its own code: watches the event loop, and on SIGUSR2 writes the longest delay since the
// last signal to the file that AEGIS_STALL_FILE names.
import { writeFileSync } from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";

const RESOLUTION_MS = 1;
const file = process.env["AEGIS_STALL_FILE"] ?? "";
const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
histogram.enable();
process.on("SIGUSR2", () => {
  const { max, count } = histogram;
  histogram.reset();
  writeFileSync(file, JSON.stringify({ maxMs: max / 1e6 - RESOLUTION_MS, count }));
});
