// Worker thread: judges one statement at a time, so that a slow one can be cut off by ending the thread.
import { parentPort } from "node:worker_threads";
import { loadSqlParser, readSql } from "./sql-parse.ts";

const port = parentPort;
if (port !== null) {
  await loadSqlParser();
  port.on("message", (sql: string) => port.postMessage(readSql(sql)));
  port.postMessage("ready");
}
