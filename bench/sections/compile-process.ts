// Compiles one big repository, cold. Usage: node compile-process.ts <tools> <policies>; JSON on stdout.
import { compile, memoryWorkspace } from "#compiler";
import { MAX_OWN_POLICIES, benchRepo } from "../repo/bench-repo.ts";
import type { CompileSample } from "./compile.ts";

const tools = Number(process.argv[2]);
const policies = Number(process.argv[3]);
const files = benchRepo({
  ownPolicies: MAX_OWN_POLICIES,
  loaded: true,
  otherTools: tools - 1,
  otherPolicies: policies - MAX_OWN_POLICIES,
});
const startMs = performance.now();
const { bundle } = await compile({ dir: "", workspace: memoryWorkspace(files) });
const compileMs = performance.now() - startMs;
if (bundle === undefined) throw new Error("the bench repository does not compile");
const sample: CompileSample = {
  compileMs,
  maxRssBytes: process.resourceUsage().maxRSS * 1_024,
  bundleBytes: bundle.bytes.byteLength,
};
process.stdout.write(`${JSON.stringify(sample)}\n`);
