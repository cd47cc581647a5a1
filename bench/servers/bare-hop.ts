// The reference arm: what any Node proxy of JSON costs. node:http in, JSON parsed and written afresh both ways, undici
// out. No check of any kind. Usage: node bare-hop.ts <upstream url>; one JSON line on stdout when it listens.
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Pool } from "undici";

const MIRRORED = ["content-type", "accept", "mcp-protocol-version", "mcp-method", "mcp-name"] as const;
/** As many as the gateway opens towards one origin. */
const CONNECTIONS = 128;

const upstream = new URL(process.argv[2] ?? "");
const pool = new Pool(upstream.origin, { connections: CONNECTIONS, pipelining: 1 });

function readText(request: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => resolve(Buffer.concat(chunks).toString("utf8")));
    request.on("error", reject);
  });
}

async function forward(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const message: unknown = JSON.parse(await readText(request));
  const headers: string[] = [];
  for (const name of MIRRORED) {
    const value = request.headers[name];
    if (typeof value === "string") headers.push(name, value);
  }
  const answer = await pool.request({
    method: "POST",
    path: upstream.pathname,
    headers,
    body: JSON.stringify(message),
  });
  const reply: unknown = JSON.parse(await answer.body.text());
  const body = Buffer.from(JSON.stringify(reply), "utf8");
  response.writeHead(answer.statusCode, {
    "content-type": "application/json",
    "content-length": body.length,
  });
  response.end(body);
}

const server = createServer({ noDelay: true }, (request, response) => {
  forward(request, response).catch(() => {
    if (!response.headersSent) response.writeHead(502);
    response.end();
  });
});
server.keepAliveTimeout = 65_000;
server.listen(0, "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo;
  process.stdout.write(`${JSON.stringify({ ready: true, url: `http://127.0.0.1:${String(port)}/` })}\n`);
});
process.once("SIGTERM", () => process.exit(0));
