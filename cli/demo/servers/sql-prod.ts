// Demo MCP server `sql-prod`: one tool that runs SQL, any SQL, on an embedded PostgreSQL with customers and orders.
// It does not protect itself: that is the gateway's work, and what the demonstration shows.
// Usage: node sql-prod.ts [--port 7301] [--admin-port 0] [--calls-file f]
import { McpServer } from "@modelcontextprotocol/server";
import { z } from "zod";
import { createCallCounter } from "./call-counter.ts";
import { readDemoOptions } from "./demo-options.ts";
import { openEmbeddedPostgres } from "./embedded-postgres.ts";
import { runDemoHttpServer } from "./serve-http.ts";

const SEED = `
create table customers (id integer primary key, name text not null, email text not null, country text not null);
create table orders (
  id integer primary key,
  customer_id integer not null references customers (id),
  item text not null,
  amount_cents integer not null,
  ordered_on date not null
);
insert into customers values
  (1, 'Ada Lovelace', 'ada@example.com', 'GB'),
  (2, 'Grace Hopper', 'grace@example.com', 'US'),
  (3, 'Konrad Zuse', 'konrad@example.com', 'DE'),
  (4, 'Hedy Lamarr', 'hedy@example.com', 'AT'),
  (5, 'Alan Turing', 'alan@example.com', 'GB');
insert into orders values
  (101, 1, 'Analytical engine, spare gear', 129900, '2026-03-02'),
  (102, 1, 'Punched cards, 500', 4500, '2026-03-09'),
  (103, 2, 'Nanosecond of wire', 100, '2026-04-01'),
  (104, 3, 'Relay, 12 V', 890, '2026-04-17'),
  (105, 4, 'Piano roll', 2350, '2026-05-20'),
  (106, 5, 'Paper tape', 1250, '2026-06-23'),
  (107, 5, 'Bicycle chain', 3190, '2026-06-24');
`;

const MAX_ROWS = 1_000;
const outputSchema = z.object({
  rows: z.array(z.record(z.string(), z.unknown())).describe("Rows of the last statement, at most 1000"),
  rowCount: z.number().int().describe("Rows returned or changed by the last statement"),
});

/** Dates, big integers and binary values in a form that JSON carries. */
function toJson(value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  return value;
}

function toRow(row: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(row).map(([column, value]) => [column, toJson(value)]));
}

async function main(): Promise<void> {
  const options = readDemoOptions(7301);
  const counter = createCallCounter(options.callsFile);
  const database = await openEmbeddedPostgres();
  await database.exec(SEED);

  const runSql = async (sql: string): Promise<z.infer<typeof outputSchema>> => {
    const results = await database.exec(sql);
    const last = results.at(-1);
    const rows = (last?.rows ?? []).slice(0, MAX_ROWS).map(toRow);
    return { rows, rowCount: rows.length > 0 ? rows.length : (last?.affectedRows ?? 0) };
  };

  const createServer = (): McpServer => {
    const server = new McpServer(
      { name: "sql-prod", version: "1.0.0" },
      { instructions: "Customer and order data. Tables: customers, orders." },
    );
    server.registerTool(
      "sql.query",
      {
        title: "SQL query",
        description:
          "Runs SQL on the customer database (PostgreSQL) and returns the rows of the last statement.",
        inputSchema: z.object({ sql: z.string().describe("SQL text") }),
        outputSchema,
        annotations: {
          readOnlyHint: false,
          destructiveHint: true,
          idempotentHint: false,
          openWorldHint: false,
        },
      },
      async ({ sql }) => {
        counter.count("sql.query");
        try {
          const result = await runSql(sql);
          return { content: [{ type: "text", text: JSON.stringify(result) }], structuredContent: result };
        } catch (error) {
          const text = error instanceof Error ? error.message : "query failed";
          return { content: [{ type: "text", text }], isError: true };
        }
      },
    );
    return server;
  };

  await runDemoHttpServer(
    {
      name: "sql-prod",
      port: options.port,
      adminPort: options.adminPort,
      counter,
      createServer,
      legacy: "stateless",
    },
    () => database.close(),
  );
}

await main();
