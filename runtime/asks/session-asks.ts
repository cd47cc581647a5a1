// The requests of servers that a legacy session's client has not answered yet, under ids that the gateway made: nothing
// else that the client posts as an answer is one.
import { randomUUID } from "node:crypto";
import type { ServerId } from "#bundle";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import type { RequestId, ResponseMessage } from "#mcp";
import type { LegacySession } from "../sessions/session-table.ts";
import type { AskedCaller } from "./ask-context.ts";
import type { ClientAnswer } from "./ask-desk.ts";
import { AskShare } from "./ask-share.ts";

/** Requests of servers that wait for one client at a time. */
export const MAX_PENDING_ASKS = 16;
/** URL elicitations of which a session may still be told that they are complete. */
const MAX_KNOWN_ELICITATIONS = 64;

export interface PendingAsk {
  /** The id that the client sees. Unguessable, so that a client can only answer what it was asked. */
  readonly id: string;
  readonly answer: Promise<ClientAnswer>;
  /** Forgets it; a later answer is to nothing. */
  readonly close: () => void;
}

interface Waiting {
  readonly resolve: (answer: ClientAnswer) => void;
  readonly onProgress: ((params: JsonObject) => void) | undefined;
}

export class SessionAsks {
  readonly #waiting = new Map<RequestId, Waiting>();
  readonly #elicitations = new Set<string>();
  /** Of requests that are looked at. */
  readonly share = new AskShare();
  /** The session's caller as of its latest call: for whom a server may ask outside any call. */
  caller: AskedCaller | undefined;

  get size(): number {
    return this.#waiting.size;
  }

  /** Undefined at the cap. `onProgress` is told of the client's progress, which names the ask's id as its token. */
  open(onProgress?: (params: JsonObject) => void): PendingAsk | undefined {
    if (this.#waiting.size >= MAX_PENDING_ASKS) return undefined;
    const id = randomUUID();
    const { promise, resolve } = Promise.withResolvers<ClientAnswer>();
    this.#waiting.set(id, { resolve, onProgress });
    return { id, answer: promise, close: () => void this.#waiting.delete(id) };
  }

  /** False for an answer to nothing that waits: unknown, answered before, or withdrawn. */
  settle({ id, result, error }: ResponseMessage): boolean {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return false;
    this.#waiting.delete(id);
    waiting.resolve(error === undefined ? { kind: "result", result } : { kind: "error", error });
    return true;
  }

  /** False where the token is of nothing that waits, or whose server did not ask for progress. */
  progress(params: JsonObject | undefined): boolean {
    const token = params?.["progressToken"];
    const waiting = typeof token === "string" ? this.#waiting.get(token) : undefined;
    if (params === undefined || waiting?.onProgress === undefined) return false;
    waiting.onProgress(params);
    return true;
  }

  /** Keeps the id of a URL elicitation that the client was asked, oldest dropped first. */
  noteElicitation(server: ServerId, id: JsonValue | undefined): void {
    if (typeof id !== "string") return;
    this.#elicitations.add(`${server} ${id}`);
    if (this.#elicitations.size <= MAX_KNOWN_ELICITATIONS) return;
    for (const oldest of this.#elicitations) {
      this.#elicitations.delete(oldest);
      break;
    }
  }

  /** Whether this client was asked the URL elicitation that a server says is complete. */
  wasElicited(server: ServerId, params: JsonValue | undefined): boolean {
    const id = isJsonObject(params) ? params["elicitationId"] : undefined;
    return typeof id === "string" && this.#elicitations.has(`${server} ${id}`);
  }
}

const asksBySession = new WeakMap<LegacySession, SessionAsks>();

/** The asks of a session, which end with it. */
export function asksOf(session: LegacySession): SessionAsks {
  const known = asksBySession.get(session);
  if (known !== undefined) return known;
  const made = new SessionAsks();
  asksBySession.set(session, made);
  return made;
}
