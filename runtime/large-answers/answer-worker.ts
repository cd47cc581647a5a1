// Worker thread: parses, transforms and writes large answers, one at a time.
import { parentPort } from "node:worker_threads";
import { answerRequest } from "./answer-job.ts";
import type { CompiledTransforms } from "./answer-job.ts";
import type { WorkerReply, WorkerRequest } from "./protocol.ts";

const port = parentPort;
if (port !== null) {
  const compiled: CompiledTransforms = new Map();
  const send = (reply: WorkerReply): void => {
    const bytes =
      reply.kind === "inspected" ? reply.bytes : reply.kind === "finished" ? reply.body : undefined;
    port.postMessage(reply, bytes === undefined ? [] : [bytes.buffer as ArrayBuffer]);
  };
  port.on("message", (request: WorkerRequest) => send(answerRequest(request, compiled)));
  send({ kind: "ready" });
}
