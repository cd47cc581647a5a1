// The error by which a legacy server says that a URL has to be visited first (MCP 2025-11-25, -32042): each of the
// elicitations that it carries is governed as an ask.
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { URL_ELICITATION_REQUIRED } from "../pipeline/answer-rules.ts";
import type { Answer, Answered } from "../pipeline/exchange.ts";
import { callerOf } from "./ask-context.ts";
import { abandonAll } from "./ask-desk.ts";
import type { AskDesk, OpenAsk } from "./ask-desk.ts";
import type { GovernedInput } from "./input-required.ts";
import { declaredBy } from "./input-required.ts";
import { presentedParams } from "./relay-ask.ts";
import { asksOf } from "./session-asks.ts";

/** Elicitations of one error. */
const MAX_ELICITATIONS = 16;

/** The error with its judged elicitations alone, or a denial with the first that is refused. */
export async function governUrlElicitations(
  desk: AskDesk,
  exchange: Answered,
  answer: Extract<Answer, { readonly kind: "error" }>,
  signal: AbortSignal,
): Promise<GovernedInput> {
  const { snapshot, route, target, session, id } = exchange;
  const entries = elicitationsIn(answer.data);
  if (target.kind !== "leaf" || session === undefined || entries === undefined) return refused("malformed");
  const { server, action } = target;
  const context = {
    ...{ snapshot, route, server, signal, action },
    caller: callerOf(exchange),
    capabilities: declaredBy(exchange),
    during: id,
  };
  const opened: OpenAsk[] = [];
  for (const entry of entries) {
    const params = isJsonObject(entry) ? { ...entry, mode: "url" } : entry;
    const open = await desk.ask(context, "elicitation/create", params);
    if (!open.ok) {
      await abandonAll(desk, opened, "SERVER_REQUEST_DENIED", "asked together with what is refused");
      return refused(`${open.refusal.code}: ${open.refusal.detail}`);
    }
    opened.push(open);
  }
  for (const open of opened) {
    asksOf(session).noteElicitation(server.entry.id, open.ask.params["elicitationId"]);
    await desk.deliver(open);
  }
  const elicitations = opened.map((open) => presentedParams(open));
  const message = "URL elicitation required";
  return {
    ok: true,
    answer: {
      kind: "error",
      code: URL_ELICITATION_REQUIRED,
      message,
      data: { elicitations },
      isAsking: true,
    },
  };
}

/** An error's data is carried under `upstream`. */
function elicitationsIn(data: JsonObject | undefined): readonly JsonValue[] | undefined {
  const carried = data?.["upstream"];
  const entries = isJsonObject(carried) ? carried["elicitations"] : undefined;
  return Array.isArray(entries) && entries.length <= MAX_ELICITATIONS
    ? (entries as readonly JsonValue[])
    : undefined;
}

function refused(detail: string): GovernedInput {
  const reason = "the server asks for something that is refused";
  return { ok: false, denial: { code: "SERVER_REQUEST_DENIED", detail, reason } };
}
