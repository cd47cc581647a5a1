// Who a listen on tasks is judged as: the caller as its token reads at the moment, not as it read when the listen opened.
import { randomBytes } from "node:crypto";
import { expect, it } from "vitest";
import type { AuditLog } from "#audit";
import type { PrincipalFacts, RequestFacts } from "#bundle";
import { META_CLIENT_CAPABILITIES } from "#mcp";
import { createSealer } from "#sealing";
import type { ExchangeObserver } from "#upstream";
import type { Recorded } from "../../../runtime/pipeline/exchange.ts";
import type { Snapshot } from "../../../runtime/snapshot/snapshot.ts";
import { sealTaskId, taskBinding } from "../../../runtime/tasks/task-ids.ts";
import type { TaskReference } from "../../../runtime/tasks/task-ids.ts";
import { watchTasks } from "../../../runtime/tasks/task-listens.ts";

const AT = "2026-11-22T10:00:00Z";
const PATH = "/jobs/mcp";
const TASK: TaskReference = {
  ...{ server: "jobs", upstreamId: "task-1", action: "tools/call:jobs/report" },
  ...{ argumentsDigest: "abc", createdAtMs: Date.parse(AT) },
};
const sealer = createSealer({ key: randomBytes(32), nowMs: () => Date.parse(AT) });
const id = sealTaskId(sealer, taskBinding("dana", PATH), TASK);
const factsOf = (...roles: string[]): PrincipalFacts => ({ id: "dana", roles }) as unknown as PrincipalFacts;

/** A server that tells of its tasks when it is asked to. */
class TellingServer {
  #observer: ExchangeObserver | undefined;
  readonly request = (_pin: unknown, _request: unknown, observer: ExchangeObserver): Promise<never> => {
    this.#observer = observer;
    return new Promise(() => undefined);
  };
  tell(status: string): void {
    const task = { taskId: "task-1", status, createdAt: AT, lastUpdatedAt: AT, ttlMs: 60_000 };
    this.#observer?.onNotification({ jsonrpc: "2.0", method: "notifications/tasks", params: task });
  }
}

/** One endpoint with one server, whose tool is for developers. */
function openedBy(server: TellingServer, principal: object): { exchange: Recorded; snapshot: Snapshot } {
  const leaf = { action: TASK.action, name: "report" };
  const entry = { id: "jobs", leaves: [leaf], eras: { modern: { capabilities: {} } } };
  const methods = new Map([["tasks/get", { action: "tasks/get:jobs" }]]);
  const route = {
    entry: { path: PATH, tenant: "default" },
    servers: [{ entry, methods, binding: { upstream: server } }],
  };
  const snapshot = {
    routes: new Map([[PATH, route]]),
    evaluator: {
      visible: (_tenant: string, _action: string, { roles }: PrincipalFacts) => roles.includes("Developer"),
      prepare: () => Promise.resolve({ ok: true, query: {} }),
      decide: () => ({ effect: "allow", errors: [], reasons: ["p"] }),
    },
    transformFor: () => undefined,
  };
  const meta = { [META_CLIENT_CAPABILITIES]: { extensions: { "io.modelcontextprotocol/tasks": {} } } };
  const exchange = {
    ...{ id: "e", era: "modern", protocolVersion: "2026-07-28", receivedAtMs: 0, route, snapshot, principal },
    inbound: { remoteAddress: "" },
    message: { kind: "request", params: { notifications: { taskIds: [id] }, _meta: meta } },
  };
  return { exchange: exchange as unknown as Recorded, snapshot: snapshot as unknown as Snapshot };
}

it("hears of a task while its caller could ask for it, as the caller's token reads after a swap", async () => {
  const server = new TellingServer();
  const opening = { bindingKey: "dana", issuer: "i", facts: factsOf("Developer"), missingAttributes: [] };
  const { exchange, snapshot } = openedBy(server, opening);
  const audit = { append: () => Promise.resolve({}), fingerprint: () => "f" } as unknown as AuditLog;
  const signal = new AbortController().signal;
  const watched = await watchTasks(exchange, signal, { sealer, audit, snapshot: () => snapshot });
  expect(watched?.taskIds).toEqual([id]);
  const request = {} as RequestFacts;
  let listener = {
    ...{ principal: factsOf("Developer"), missingAttributes: [] as string[], request },
  };
  const heard: unknown[] = [];
  watched?.start(
    (_method, { taskId, status }) => void heard.push([taskId, status]),
    signal,
    () => listener,
  );
  server.tell("working");
  listener = { ...listener, principal: factsOf() };
  server.tell("working");
  listener = { ...listener, principal: factsOf("Developer"), missingAttributes: ["is_external"] };
  server.tell("working");
  listener = { ...listener, missingAttributes: [] };
  server.tell("cancelled");
  expect(heard).toEqual([
    [id, "working"],
    [id, "cancelled"],
  ]);
});
