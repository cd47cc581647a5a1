// Load process: as many requests as the connections carry, by autocannon. Usage: node saturate.ts '<LoadTarget JSON>'.
import autocannon from "autocannon";
import type { LoadReport, LoadTarget } from "./target.ts";

const target = JSON.parse(process.argv[2] ?? "") as LoadTarget;

async function run(seconds: number): Promise<LoadReport> {
  const result = await autocannon({
    url: target.url,
    method: "POST",
    headers: target.headers,
    body: target.body,
    connections: target.connections,
    duration: seconds,
  });
  return {
    answered: result["2xx"],
    failed: result.non2xx + result.errors + result.timeouts,
    perSecond: result["2xx"] / result.duration,
    latency: undefined,
  };
}

if (target.warmUpMs > 0) await run(target.warmUpMs / 1_000);
process.stdout.write(`${JSON.stringify(await run(target.durationMs / 1_000))}\n`);
