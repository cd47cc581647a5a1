import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startAdminListener } from "../../../runtime/listener/index.ts";
import type { HttpListener } from "../../../runtime/listener/index.ts";
import { exchangeRaw } from "../../attack/raw-http.ts";

let listener: HttpListener;
let reloads = 0;
const faults: unknown[] = [];

beforeAll(async () => {
  listener = await startAdminListener({
    port: 0,
    handlers: {
      healthz: () => ({ status: 200, body: "{}" }),
      readyz: () => ({ status: 503, body: '{"ready":false}' }),
      status: () => Promise.reject(new Error("secret detail")),
      metrics: () => ({ status: 200, body: "up 1\n", contentType: "text/plain; version=0.0.4" }),
      reload: () => {
        reloads++;
        return { status: 200, body: '{"outcome":"unchanged"}' };
      },
    },
    onFault: (error) => faults.push(error),
  });
});
afterAll(() => listener.close(0));

const ask = (
  method: string,
  target: string,
  headers: readonly string[] = [],
  host = `127.0.0.1:${listener.port}`,
) =>
  exchangeRaw(
    { host: "127.0.0.1", port: listener.port, timeoutMs: 5_000 },
    Buffer.from(
      [`${method} ${target} HTTP/1.1`, `Host: ${host}`, ...headers, "Content-Length: 0", "", ""].join("\r\n"),
    ),
  );

describe("admin listener", () => {
  it("binds to loopback", () => {
    expect(listener.host).toBe("127.0.0.1");
  });

  it("serves its five endpoints and nothing else", async () => {
    expect((await ask("GET", "/healthz")).status).toBe(200);
    expect(await ask("GET", "/readyz")).toMatchObject({ status: 503, body: '{"ready":false}' });
    const metrics = await ask("GET", "/metrics?x=1");
    expect([metrics.status, metrics.body, metrics.headers.get("content-type")]).toEqual([
      200,
      "up 1\n",
      "text/plain; version=0.0.4",
    ]);
    expect(await ask("POST", "/-/reload")).toMatchObject({ status: 200, body: '{"outcome":"unchanged"}' });
    expect(reloads).toBe(1);
    for (const target of ["/", "/healthz/", "/HEALTHZ", "/-/reload/x", "/mcp"])
      expect((await ask("GET", target)).status, target).toBe(404);
  });

  it("serves each endpoint by its own verb only", async () => {
    for (const [method, target] of [
      ["GET", "/-/reload"],
      ["POST", "/healthz"],
      ["DELETE", "/status"],
      ["HEAD", "/metrics"],
    ] as const) {
      const response = await ask(method, target).catch(() => ({ status: 405 }));
      expect(response.status, `${method} ${target}`).toBe(405);
    }
    expect(reloads).toBe(1);
  });

  it("answers a failing handler with 500 and without its message", async () => {
    const response = await ask("GET", "/status");
    expect(response.status).toBe(500);
    expect(response.body).not.toContain("secret");
    expect(faults).toHaveLength(1);
  });

  it.each([
    ["a foreign Host", [], "evil.test", 403],
    ["a foreign Host with the port", [], "evil.test:80", 403],
    ["any Origin", ["Origin: http://127.0.0.1"], undefined, 403],
    ["an opaque Origin", ["Origin: null"], undefined, 403],
    ["two Hosts", ["Host: evil.test"], undefined, 400],
  ])("refuses %s on every path", async (_name, headers, host, status) => {
    for (const [method, target] of [
      ["GET", "/healthz"],
      ["GET", "/metrics"],
      ["POST", "/-/reload"],
      ["GET", "/nothing"],
    ] as const) {
      expect((await ask(method, target, headers, host)).status, target).toBe(status);
    }
    expect(reloads).toBe(1);
  });

  it("accepts the loopback names", async () => {
    for (const host of ["localhost", "127.0.0.1", `[::1]:${listener.port}`])
      expect((await ask("GET", "/healthz", [], host)).status, host).toBe(200);
  });
});
