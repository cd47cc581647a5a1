// A long-lived stream does not keep an old policy: after a swap it is judged by the new release, and ends with its route.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { editedTemplate } from "./edited-template.ts";
import { initializeRequest } from "./raw-call.ts";
import { EMPLOYEE, startWorld } from "./world.ts";
import type { World } from "./world.ts";

const WITHOUT_JIRA = editedTemplate({
  "routes.yaml": (text) =>
    text
      .split("\n")
      .filter((line) => !line.includes("/jira/mcp"))
      .join("\n"),
});
const OTHER_LIMIT = editedTemplate({ "limits.yaml": (text) => text.replace("limit: 600", "limit: 599") });

interface OpenStream {
  readonly session: string;
  readonly response: Response;
  /** Resolves when the gateway ends the stream. */
  readonly ended: Promise<void>;
}

describe("a legacy session's stream across swaps", () => {
  let world: World;
  let token: string;
  beforeAll(async () => {
    world = await startWorld();
    token = await world.token(EMPLOYEE, "jira");
  });
  afterAll(() => world.stop());

  const send = (method: string, headers: Record<string, string>, body?: object): Promise<Response> =>
    fetch(world.endpoint("jira"), {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        accept: method === "GET" ? "text/event-stream" : "application/json, text/event-stream",
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });

  async function openSession(): Promise<string> {
    const opened = await send("POST", {}, initializeRequest());
    await opened.json();
    return opened.headers.get("mcp-session-id") ?? "";
  }

  async function openStream(): Promise<OpenStream> {
    const session = await openSession();
    const response = await send("GET", { "mcp-session-id": session });
    expect(response.status).toBe(200);
    const ended = drain(response);
    return { session, response, ended };
  }

  const list = (session: string): Promise<Response> =>
    send(
      "POST",
      { "mcp-session-id": session, "mcp-protocol-version": "2025-11-25" },
      { jsonrpc: "2.0", id: 2, method: "tools/list" },
    );

  it("stays open where its route stays, and ends within a second where it goes", async () => {
    const stream = await openStream();
    let isOpen = true;
    void stream.ended.then(() => {
      isOpen = false;
    });
    await world.release(OTHER_LIMIT);
    expect((await list(stream.session)).status).toBe(200);
    expect(isOpen).toBe(true);
    await world.release(WITHOUT_JIRA);
    const swappedMs = performance.now();
    await stream.ended;
    expect(performance.now() - swappedMs).toBeLessThan(1_000);
    expect((await list(stream.session)).status).toBe(404);
  });

  it("lets one stream a session be opened, and leaves the first unharmed", async () => {
    await world.release(OTHER_LIMIT);
    const stream = await openStream();
    const second = await send("GET", { "mcp-session-id": stream.session });
    expect(second.status).toBe(409);
    await second.text();
    expect((await send("DELETE", { "mcp-session-id": stream.session })).status).toBe(204);
    await stream.ended;
    expect((await list(stream.session)).status).toBe(404);
  });

  it("opens no stream of a session that ends at the same time", async () => {
    for (let round = 0; round < 8; round += 1) {
      const opened = await openSession();
      // Connections that are open already, so that both requests are under way at once.
      await Promise.all([list(opened), list(opened)]);
      const [, stream] = await Promise.all([
        send("DELETE", { "mcp-session-id": opened }),
        send("GET", { "mcp-session-id": opened }),
      ]);
      const ended = drain(stream).then(() => "ended");
      const late = new Promise<string>((resolve) =>
        setTimeout(resolve, 1_000, `open in round ${round}`).unref(),
      );
      expect(await Promise.race([ended, late])).toBe("ended");
    }
  });

  it("treats another principal's session id as unknown", async () => {
    const stream = await openStream();
    const other = await world.token({ ...EMPLOYEE, subject: "mallory" }, "jira");
    const stolen = await fetch(world.endpoint("jira"), {
      method: "GET",
      headers: {
        authorization: `Bearer ${other}`,
        accept: "text/event-stream",
        "mcp-session-id": stream.session,
      },
    });
    expect(stolen.status).toBe(404);
    await stolen.text();
    await send("DELETE", { "mcp-session-id": stream.session });
    await stream.ended;
  });
});

async function drain(response: Response): Promise<void> {
  const reader = response.body?.getReader();
  for (let part = await reader?.read(); part !== undefined && !part.done; part = await reader?.read());
}
