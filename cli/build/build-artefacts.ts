// Builds what ships, under dist/: the gateway and the CLI as packages, and the GitHub Action. Run with `npm run build`;
// `npm run build -- --commit-action` also renews github-action/dist, which is committed.
import { buildAction, COMMITTED_ACTION_DIR } from "./build-action.ts";
import { buildCli } from "./build-cli.ts";
import { buildGateway } from "./build-gateway.ts";

export { buildAction, COMMITTED_ACTION_DIR } from "./build-action.ts";
export { buildCli } from "./build-cli.ts";
export { GATEWAY_ENTRIES, buildGateway } from "./build-gateway.ts";

if (import.meta.main) {
  await buildGateway();
  await buildCli();
  await buildAction();
  if (process.argv.includes("--commit-action")) await buildAction(COMMITTED_ACTION_DIR);
}
