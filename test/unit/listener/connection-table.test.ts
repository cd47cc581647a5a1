// The end of all connections: those that are open, those that are being opened, and messages to them.
import { expect, it } from "vitest";
import { ConnectionTable } from "../../../runtime/listener/connection/connection-table.ts";
import type { EndReason, OpenConnection } from "../../../runtime/listener/connection/connection-table.ts";

const OWNER = { routePath: "/m", tenant: "acme", issuer: "i", bindingKey: "dana", ownerKey: "dana" };

function connection(idle: Promise<void>): { entry: Omit<OpenConnection, "id">; ended: EndReason[] } {
  const closing = new AbortController();
  const ended: EndReason[] = [];
  const entry = {
    owner: OWNER,
    connection: { closed: closing.signal, drain: () => idle } as never,
    expiresAtMs: Number.POSITIVE_INFINITY,
    end: (reason: EndReason) => {
      if (closing.signal.aborted) return;
      ended.push(reason);
      closing.abort();
    },
  };
  return { entry, ended };
}

it("takes no messages and no connections while it drains, and ends one that was being opened", async () => {
  const table = new ConnectionTable({ maxConnections: 8, maxConnectionsPerPrincipal: 8 });
  const busy = Promise.withResolvers<undefined>();
  const open = connection(busy.promise.then(() => undefined));
  const { id } = table.add(open.entry);
  expect(table.find(id, "/m", "dana").id).toBe(id);
  const drained = table.drain(10_000);
  expect(() => table.find(id, "/m", "dana")).toThrow("no more messages");
  expect(() => table.find(id, "/m", "erin")).toThrow("another principal");
  expect(() => table.reserve("dana")).toThrow("no more connections");
  const late = connection(Promise.resolve());
  table.add(late.entry);
  expect(late.ended).toEqual(["stopping"]);
  expect(open.ended).toEqual([]);
  busy.resolve(undefined);
  await drained;
  expect(open.ended).toEqual(["stopping"]);
  expect(table.size).toBe(0);
});

it("ends a connection that was being opened when a swap took its route away", () => {
  const table = new ConnectionTable({ maxConnections: 8, maxConnectionsPerPrincipal: 8 });
  table.reauthorise(({ routePath }) => routePath !== "/m");
  const late = connection(Promise.resolve());
  table.add(late.entry);
  expect(late.ended).toEqual(["unauthorised"]);
  table.reauthorise(() => true);
  const next = connection(Promise.resolve());
  table.add(next.entry);
  expect(next.ended).toEqual([]);
});
