// Worker thread: parses, transforms and writes large answers, one at a time.
import { setPriority } from "node:os";
import { parentPort } from "node:worker_threads";
import { answerRequest, createWorkerMemory } from "./answer-job.ts";
import type { WorkerReply, WorkerRequest } from "./protocol.ts";

/** Where cores are short, small calls on the main thread come first. */
const NICENESS = 10;

/** On Linux a priority is a thread's own; elsewhere it would be that of the whole process. */
function yieldToMainThread(): void {
  if (process.platform !== "linux") return;
  try {
    setPriority(NICENESS);
  } catch {
    // Not permitted here: the worker is as good, only less polite.
  }
}

const port = parentPort;
if (port !== null) {
  yieldToMainThread();
  const memory = createWorkerMemory();
  const send = (reply: WorkerReply): void => {
    const bytes =
      reply.kind === "inspected" ? reply.bytes : reply.kind === "finished" ? reply.body : undefined;
    port.postMessage(reply, bytes === undefined ? [] : [bytes.buffer as ArrayBuffer]);
  };
  port.on("message", (request: WorkerRequest) => send(answerRequest(request, memory)));
  send({ kind: "ready" });
}
