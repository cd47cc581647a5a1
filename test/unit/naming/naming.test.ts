// What clients are shown is what they may send, and no two servers of an endpoint share a name or a URI.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { LeafEntry, LeafKind } from "#bundle";
import {
  createRouteNames,
  fromClientName,
  fromClientUri,
  locate,
  readNames,
  rewriteAnswer,
  rewriteAsk,
  rewriteDefinition,
  rewriteErrorData,
  rewriteNotification,
  toClientName,
  toClientUri,
  writeNames,
} from "#naming";
import type { NamedRoute, NamedServer } from "#naming";
import { createResourceIndex } from "#resources";
import type { JsonObject } from "#std";

type Named = readonly (readonly [kind: LeafKind, name: string])[];

function serverOf(id: string, named: Named = []): NamedServer {
  const leaves = named.map(([kind, name]): LeafEntry => ({
    ...{ action: `x:${id}/${name}`, kind, name, definitions: [], paramHeaders: [] },
    argumentsProgram: { kind: "any" } as never,
  }));
  return { entry: { id, leaves }, resources: createResourceIndex(leaves) };
}

function routeOf(...servers: readonly NamedServer[]): NamedRoute {
  return { servers, names: createRouteNames(servers) };
}

const serverId = fc.stringMatching(/^[a-z0-9](?:[a-z0-9-]{0,9}[a-z0-9])?$/u);
const serverIds = fc.uniqueArray(serverId, { minLength: 2, maxLength: 5 });
const toolName = fc.oneof(
  fc.stringMatching(/^[A-Za-z0-9_.-]{1,24}$/u),
  fc.constantFrom("__", "a__b", "_", "__proto__", "a__", "__a"),
);
const RUNS = { numRuns: 300, seed: 7 };

const segment = fc.constantFrom("a", "ab", "b", "c", "doc", "x%20y");
const uri = fc
  .tuple(fc.constantFrom("file://", "desk://host", "aegis:a", "note:x"), fc.array(segment, { maxLength: 3 }))
  .map(([head, rest]) => [head, ...rest].join("/"));
const resourceLeaf = fc.oneof(
  uri.map((name) => ["resource", name] as const),
  uri.map((name) => ["resource-template", `${name}/{id}`] as const),
  uri.map((name) => ["resource-rule", `${name}/**`] as const),
);

describe("with several servers", () => {
  test("a name comes back as what it was, and no two are one", () => {
    fc.assert(
      fc.property(serverIds, fc.array(toolName, { minLength: 1, maxLength: 6 }), (ids, names) => {
        const route = routeOf(...ids.map((id) => serverOf(id)));
        const seen = new Set<string>();
        for (const server of route.servers) {
          for (const name of new Set(names)) {
            const shown = toClientName(route, server, name);
            expect(fromClientName(route, shown)).toEqual({ server, name });
            expect(seen.has(shown)).toBe(false);
            seen.add(shown);
          }
        }
      }),
      RUNS,
    );
  });

  test("a URI that a server governs comes back as what it was, and is no other server's", () => {
    const leavesOf = fc.uniqueArray(resourceLeaf, { maxLength: 4, selector: String });
    fc.assert(
      fc.property(fc.array(leavesOf, { minLength: 2, maxLength: 4 }), uri, (all, asked) => {
        const route = routeOf(...all.map((leaves, index) => serverOf(`s${index}`, leaves)));
        const shown = new Map<string, string>();
        for (const server of route.servers) {
          const own = [asked, ...server.entry.leaves.map(({ name }) => name.replace("{id}", "7"))];
          for (const spelled of own) {
            if (server.resources.faultOf(spelled) !== undefined) continue;
            if (server.resources.leafOf(spelled) === undefined) continue;
            const text = toClientUri(route, server, spelled);
            expect(fromClientUri(route, text)).toEqual({ server, uri: spelled });
            expect(shown.get(text) ?? server.entry.id).toBe(server.entry.id);
            shown.set(text, server.entry.id);
          }
        }
        // What is not governed never leads to another server.
        for (const server of route.servers) {
          const led = fromClientUri(route, toClientUri(route, server, asked));
          if (led !== undefined) expect(led).toEqual({ server, uri: asked });
        }
      }),
      RUNS,
    );
  });

  test("are the same where they were carried to another thread as text", () => {
    const served = fc.tuple(
      fc.array(resourceLeaf, { maxLength: 4 }),
      fc.array(resourceLeaf, { maxLength: 4 }),
    );
    fc.assert(
      fc.property(served, fc.array(fc.oneof(uri, toolName), { maxLength: 8 }), ([ofA, ofB], mentioned) => {
        const here = routeOf(serverOf("a", ofA), serverOf("b", ofB));
        const there = readNames(writeNames(here));
        const uris = [...mentioned, ...[...ofA, ...ofB].map(([, name]) => name)];
        for (const [index, server] of here.servers.entries()) {
          const other = there.servers[index];
          if (other === undefined) throw new Error("a server is missing");
          for (const each of uris)
            expect(toClientUri(there, other, each)).toBe(toClientUri(here, server, each));
        }
      }),
      RUNS,
    );
  });

  const alpha = serverOf("alpha", [
    ["resource", "desk://shared/note"],
    ["resource", "desk://alpha/own"],
    ["resource-template", "desk://pages/{page}"],
    ["resource", "desk://pages/front"],
  ]);
  const beta = serverOf("beta", [
    ["resource", "desk://shared/note"],
    ["resource-rule", "desk://pages/archive/**"],
    ["resource", "aegis:beta/odd"],
  ]);
  const route = routeOf(alpha, beta);

  test("keeps URIs that one server alone could mean, and names the server in the others", () => {
    expect(toClientUri(route, alpha, "desk://alpha/own")).toBe("desk://alpha/own");
    expect(toClientUri(route, alpha, "desk://shared/note")).toBe("aegis:alpha/desk://shared/note");
    expect(toClientUri(route, beta, "desk://shared/note")).toBe("aegis:beta/desk://shared/note");
    // The template overlaps a rule of the other server: so do all its expansions, also the pinned one.
    expect(toClientUri(route, alpha, "desk://pages/{page}")).toBe("aegis:alpha/desk://pages/{page}");
    expect(toClientUri(route, alpha, "desk://pages/3")).toBe("aegis:alpha/desk://pages/3");
    expect(toClientUri(route, alpha, "desk://pages/front")).toBe("aegis:alpha/desk://pages/front");
    expect(toClientUri(route, beta, "aegis:beta/odd")).toBe("aegis:beta/aegis:beta/odd");
    // Nobody serves it: a client may fetch it itself.
    expect(toClientUri(route, alpha, "https://example.com/")).toBe("https://example.com/");
    // Another server serves it, this one only mentions it.
    expect(toClientUri(route, beta, "desk://alpha/own")).toBe("aegis:beta/desk://alpha/own");
  });

  test.each([
    "desk://shared/note",
    "aegis:alpha/desk://alpha/own",
    "aegis:gamma/desk://shared/note",
    "aegis:beta/odd",
    "aegis:alpha",
    "aegis:/desk://shared/note",
    "aegis:alpha//desk://shared/note",
    "AEGIS:alpha/desk://shared/note",
    "desk://nowhere",
    "",
  ])("%j stands for nothing", (spelled) => {
    expect(fromClientUri(route, spelled)).toBeUndefined();
  });

  test.each(["look", "gamma__look", "__look", "alpha_look", "alpha", "", "Alpha__look"])(
    "%j names nothing",
    (name) => {
      expect(fromClientName(route, name)).toBeUndefined();
    },
  );

  test("requests are for one server, in its own words", () => {
    expect(locate(route, "tool", { name: "beta__x__y", arguments: { a: 1 } })).toEqual({
      server: beta,
      params: { name: "x__y", arguments: { a: 1 } },
    });
    expect(locate(route, "resource", { uri: "aegis:beta/desk://shared/note" })).toEqual({
      server: beta,
      params: { uri: "desk://shared/note" },
    });
    const argument = { name: "page", value: "1" };
    const ref = { type: "ref/resource", uri: "aegis:alpha/desk://pages/{page}" };
    expect(locate(route, "completion", { ref, argument })).toEqual({
      server: alpha,
      params: { ref: { type: "ref/resource", uri: "desk://pages/{page}" }, argument },
    });
    expect(locate(route, "completion", { ref: { type: "ref/prompt", name: "alpha__p" } })?.params).toEqual({
      ref: { type: "ref/prompt", name: "p" },
    });
    for (const params of [undefined, {}, { name: 1 }, { name: "x" }, { uri: "desk://shared/note" }]) {
      for (const target of ["tool", "prompt", "resource", "completion", "method", "task", "none"] as const)
        expect(locate(route, target, params)).toBeUndefined();
    }
  });

  test("answers, wherever MCP has a URI in them", () => {
    const shared = "desk://shared/note";
    const shown = "aegis:alpha/desk://shared/note";
    const blocks = (text: string): readonly unknown[] => [
      { type: "text", text: "desk://shared/note" },
      { type: "resource_link", uri: text, name: "n" },
      { type: "resource", resource: { uri: text, text: "desk://shared/note" } },
      { type: "tool_result", toolUseId: "t", content: [{ type: "resource_link", uri: text, name: "n" }] },
      7,
    ];
    const rewritten = (method: string, answer: object): unknown =>
      rewriteAnswer(route, alpha, method, answer as never);
    const structuredContent = { uri: shared };
    expect(rewritten("tools/call", { content: blocks(shared), structuredContent })).toEqual({
      content: blocks(shown),
      structuredContent,
    });
    expect(rewritten("tasks/get", { status: "completed", result: { content: blocks(shared) } })).toEqual({
      status: "completed",
      result: { content: blocks(shown) },
    });
    const [, link] = blocks(shared);
    const [, shownLink] = blocks(shown);
    expect(rewritten("prompts/get", { messages: [{ role: "user", content: link }] })).toEqual({
      messages: [{ role: "user", content: shownLink }],
    });
    expect(rewritten("resources/read", { contents: [{ uri: shared, text: shared }, null] })).toEqual({
      contents: [{ uri: shown, text: shared }, null],
    });
    const ask = (text: string): JsonObject =>
      ({ messages: [{ role: "user", content: blocks(text) }], maxTokens: 9 }) as JsonObject;
    expect(rewriteAsk(route, alpha, "sampling/createMessage", ask(shared))).toEqual(ask(shown));
    expect(rewriteAsk(route, alpha, "elicitation/create", { message: "Name?" })).toEqual({
      message: "[alpha] Name?",
    });
    expect(rewriteErrorData(route, alpha, { upstream: { uri: shared } })).toEqual({
      upstream: { uri: shown },
    });
    expect(rewriteAsk(route, alpha, "roots/list", {})).toEqual({});
  });

  test("list items and notifications", () => {
    const meta = {
      ui: { resourceUri: "desk://shared/note", csp: {} },
      "ui/resourceUri": "desk://shared/note",
    };
    const shownMeta = {
      ui: { resourceUri: "aegis:beta/desk://shared/note", csp: {} },
      "ui/resourceUri": "aegis:beta/desk://shared/note",
    };
    const tool = { name: "look", title: "Look", inputSchema: {} };
    expect(rewriteDefinition(route, beta, "tool", { ...tool, _meta: meta })).toEqual({
      ...{ ...tool, name: "beta__look", _meta: shownMeta },
    });
    expect(rewriteDefinition(route, alpha, "resource", { uri: "desk://alpha/own", name: "own" })).toEqual({
      ...{ uri: "desk://alpha/own", name: "own" },
    });
    expect(
      rewriteDefinition(route, alpha, "resource-template", { uriTemplate: "desk://pages/{page}", name: "p" }),
    ).toEqual({ uriTemplate: "aegis:alpha/desk://pages/{page}", name: "p" });
    const note = (method: string, params: object): unknown =>
      rewriteNotification(route, beta, { jsonrpc: "2.0", method, params } as never);
    expect(note("notifications/message", { level: "info", logger: "db", data: 1 })).toMatchObject({
      params: { level: "info", logger: "beta__db", data: 1 },
    });
    expect(note("notifications/message", { level: "info", data: 1 })).toMatchObject({
      params: { logger: "beta" },
    });
    expect(note("notifications/resources/updated", { uri: "desk://shared/note" })).toMatchObject({
      params: { uri: "aegis:beta/desk://shared/note" },
    });
    expect(note("notifications/progress", { progressToken: 1, progress: 2 })).toMatchObject({
      params: { progressToken: 1, progress: 2 },
    });
  });
});

test("with one server everything keeps its own name, whatever it is", () => {
  const server = serverOf("only", [["resource", "desk://shared/note"]]);
  const route = routeOf(server);
  for (const text of ["look", "only__look", "aegis:only/x", "", "desk://shared/note"]) {
    expect(toClientName(route, server, text)).toBe(text);
    expect(toClientUri(route, server, text)).toBe(text);
    expect(fromClientName(route, text)).toEqual({ server, name: text });
    expect(fromClientUri(route, text)).toEqual({ server, uri: text });
  }
  const result = { content: [{ type: "resource_link", uri: "aegis:x", name: "n" }] };
  expect(rewriteAnswer(route, server, "tools/call", result)).toBe(result);
  const params = { name: "only__look" };
  expect(locate(route, "tool", params)).toEqual({ server, params });
});
