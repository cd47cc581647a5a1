// Frozen surfaces as literals. When one goes red, users are affected: change the pin, docs and CHANGELOG.md together.
import { describe, expect, it } from "vitest";
import { ERROR_CODES, TRUST_CODES } from "#errors";
import { buildRequestPipeline } from "../../runtime/pipeline/request-pipeline.ts";
import { buildResponsePipeline } from "../../runtime/pipeline/response-pipeline.ts";
import type { Stages } from "../../runtime/stages/stages.ts";
import { createStages } from "../../runtime/stages/create-stages.ts";

function anyStages(): Stages {
  const unused = {} as never;
  return createStages({
    transport: { allowedHosts: [], allowedOrigins: [] },
    sessions: unused,
    limiter: unused,
    audit: unused,
    clock: unused,
    sealer: unused,
    bridge: unused,
    streams: unused,
    maxRequestBytes: 1,
    onNotification: () => undefined,
    onUpstream: () => undefined,
  });
}

describe("pinned surfaces", () => {
  it("runs the stages in this order", () => {
    expect(buildRequestPipeline(anyStages()).names).toEqual([
      "listener",
      "endpoint",
      "authenticate",
      "admit",
      "target",
      "pin+project",
      "authorize",
      "throttle",
      "transform",
      "record",
      "dispatch",
    ]);
    expect(buildResponsePipeline(anyStages()).names).toEqual([
      "check-result",
      "transform-response",
      "record-result",
    ]);
  });

  it("keeps error codes, numbers and statuses", () => {
    const table = Object.entries(ERROR_CODES).map(
      ([code, entry]) => `${code} ${entry.jsonrpc} ${entry.http}`,
    );
    expect(table).toMatchSnapshot();
    expect(Object.keys(ERROR_CODES)).toEqual(Object.keys(ERROR_CODES).sort());
  });

  it("keeps trust codes", () => {
    expect(Object.keys(TRUST_CODES)).toMatchSnapshot();
    expect(Object.keys(TRUST_CODES)).toEqual(Object.keys(TRUST_CODES).sort());
  });

  it("keeps policy denials outside the range JSON-RPC reserves", () => {
    for (const [code, { jsonrpc }] of Object.entries(ERROR_CODES)) {
      const isReserved = jsonrpc >= -32_768 && jsonrpc <= -32_000;
      const isProtocol = [-32700, -32600, -32601, -32602, -32603, -32020, -32021, -32022].includes(jsonrpc);
      expect(isReserved ? isProtocol : true, code).toBe(true);
    }
  });
});
