// A listener with the checks of listener and admit and nothing behind them: what passes is counted and echoed.
import { isAegisError } from "#errors";
import {
  checkParamHeaders,
  classifyMessage,
  encodeErrorReply,
  methodRow,
  parseClientMessage,
  parseStrict,
  readableId,
} from "#mcp";
import type { ClientMessage, RequestId } from "#mcp";
import { isJsonObject } from "#std";
import { checkTransport, startHttpListener } from "../../../runtime/listener/index.ts";
import type { HttpListener, InboundHttp } from "../../../runtime/listener/index.ts";

export const PARAM_TOOL = "crm.lookup";
const MAX_BODY_BYTES = 1_048_576;

export interface BareEndpoint {
  readonly listener: HttpListener;
  /** Messages that passed every check. */
  readonly passed: ClientMessage[];
  readonly faults: unknown[];
}

export async function startBareEndpoint(path: string): Promise<BareEndpoint> {
  const passed: ClientMessage[] = [];
  const faults: unknown[] = [];
  const rules = { allowedHosts: ["127.0.0.1:*"], allowedOrigins: ["https://good.example"] };
  const handle = async (inbound: InboundHttp): Promise<void> => {
    let id: RequestId | undefined;
    try {
      checkTransport(inbound, rules);
      if (inbound.path !== path) return inbound.reply.json(404, "{}");
      if (inbound.method !== "POST") return inbound.reply.json(405, "{}");
      const value = parseStrict(await inbound.readBody(MAX_BODY_BYTES, inbound.closed));
      id = readableId(value);
      const message = parseClientMessage(value);
      admit(inbound, message);
      passed.push(message);
      inbound.reply.json(
        200,
        JSON.stringify({
          jsonrpc: "2.0",
          id: id ?? null,
          result: { params: message.kind === "response" ? null : (message.params ?? null) },
        }),
      );
    } catch (error) {
      if (!isAegisError(error)) throw error;
      const answer = encodeErrorReply(error.code, id, error.data);
      inbound.reply.json(answer.status, answer.body);
    }
  };
  const listener = await startHttpListener({
    host: "127.0.0.1",
    port: 0,
    handle,
    onFault: (error) => faults.push(error),
  });
  return { listener, passed, faults };
}

function admit(inbound: InboundHttp, message: ClientMessage): void {
  const { era } = classifyMessage({ headers: inbound.headers, message });
  if (message.kind === "response") {
    methodRow.postedResponse(era);
    return;
  }
  methodRow.fromClient(message.method, message.kind, era);
  const args = message.params?.["arguments"];
  const declarations =
    message.params?.["name"] === PARAM_TOOL ? [{ header: "Region", path: ["region"] }] : [];
  checkParamHeaders(inbound.headers, declarations, isJsonObject(args) ? args : {});
}
