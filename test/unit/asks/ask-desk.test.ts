// The answer of a client is decided under the release of its moment, whatever kind of answer it is.
import { expect, it } from "vitest";
import type { AuditLog } from "#audit";
import type { AskContext } from "../../../runtime/asks/ask-context.ts";
import { createAskDesk } from "../../../runtime/asks/ask-desk.ts";
import type { Snapshot } from "../../../runtime/snapshot/snapshot.ts";

it("keeps what a client says in an error from a server that may not ask any more", async () => {
  const records: unknown[] = [];
  const audit = {
    append: (record: unknown) => Promise.resolve(void records.push(record)),
    fingerprint: () => "f",
  } as unknown as AuditLog;
  let isPermitted = true;
  const leaf = { action: "roots/list:desk" };
  const server = { entry: { id: "desk", leaves: [] }, methods: new Map([["roots/list", leaf]]) };
  const route = { entry: { path: "/mcp/desk", tenant: "acme", issuers: ["idp"] }, servers: [server] };
  const snapshot = {
    routes: new Map([["/mcp/desk", route]]),
    evaluator: { visible: () => isPermitted },
    transformFor: () => undefined,
  } as unknown as Snapshot;
  const principal = { issuer: "idp", subject: "ada", facts: { id: "ada", roles: [] } };
  const context = {
    ...{
      snapshot,
      route,
      server,
      capabilities: { roots: {} },
      during: "call-1",
      action: "tools/call:desk/t",
    },
    caller: {
      principal,
      facts: principal.facts,
      missingAttributes: [],
      request: {},
      era: "legacy",
      address: "",
    },
    signal: new AbortController().signal,
  } as unknown as AskContext;
  const desk = createAskDesk({ audit, currentSnapshot: () => snapshot });
  const error = { code: -1, message: "my home is /home/ada" };
  const [first, second] = [
    await desk.ask(context, "roots/list", {}),
    await desk.ask(context, "roots/list", {}),
  ];
  if (!first.ok || !second.ok) throw new Error("refused");
  expect(await desk.answer(first, { kind: "error", error })).toMatchObject({ kind: "error", error });
  isPermitted = false;
  const refused = await desk.answer(second, { kind: "error", error });
  expect(refused).toMatchObject({ kind: "refused", refusal: { code: "POLICY_DENIED" } });
  expect(records.at(-1)).toMatchObject({
    event: "result",
    body: { outcome: "denied", code: "POLICY_DENIED" },
  });
});
