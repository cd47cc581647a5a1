import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runCorpus } from "../../attack/run-corpus.ts";
import { PARAM_TOOL, startBareEndpoint } from "./bare-endpoint.ts";
import type { BareEndpoint } from "./bare-endpoint.ts";

const PATH = "/sql-prod/mcp";
const TOOL = "sql.query";

let endpoint: BareEndpoint;
beforeAll(async () => {
  endpoint = await startBareEndpoint(PATH);
});
afterAll(() => endpoint.listener.close(0));

describe.each(["http", "json"])("attack corpus %s.yaml", (name) => {
  it("is answered as stated, case by case", async () => {
    const results = await runCorpus({
      host: "127.0.0.1",
      port: endpoint.listener.port,
      path: PATH,
      token: "unused",
      file: new URL(`../../data/attack/${name}.yaml`, import.meta.url).pathname,
      variables: { tool: TOOL, toolBase64: Buffer.from(TOOL).toString("base64"), paramTool: PARAM_TOOL },
      offers: ["modern", "legacy", "goodOrigin", "routes", "paramHeaders"],
      upstreamCalls: () => endpoint.passed.length,
    });
    expect(results.filter((result) => result.outcome !== "pass")).toEqual([]);
    expect(results.length).toBeGreaterThan(50);
    expect(endpoint.faults).toEqual([]);
  });
});
