// The open connections of the process: how many there may be, whose they are, and what ends them.
import { randomUUID } from "node:crypto";
import { AegisError } from "#errors";
import { ConcurrencyLimit } from "#limits";
import type { ConnectionLimits } from "./limits.ts";
import type { MessageConnection } from "./message-connection.ts";

/** Why the gateway ends a connection. */
export type EndReason = "expired" | "unauthorised" | "session" | "stopping";

/** Who opened a connection, and where. */
export interface ConnectionOwner {
  readonly routePath: string;
  readonly tenant: string;
  readonly issuer: string;
  /** `Principal.bindingKey` of the caller. */
  readonly bindingKey: string;
  /** Whose share it counts against. */
  readonly ownerKey: string;
}

export interface OpenConnection {
  /** Unguessable. */
  readonly id: string;
  readonly owner: ConnectionOwner;
  readonly connection: MessageConnection;
  /** When the latest token seen is no longer accepted. */
  expiresAtMs: number;
  readonly end: (reason: EndReason) => void;
}

/** Whether a route still admits the owner of a connection. */
export type OwnerCheck = (owner: ConnectionOwner) => boolean;

export class ConnectionTable {
  readonly #connections = new Map<string, OpenConnection>();
  readonly #limit: ConcurrencyLimit;
  #isDraining = false;
  /** Of the latest swap. */
  #isAdmitted: OwnerCheck = () => true;

  constructor(limits: Pick<ConnectionLimits, "maxConnections" | "maxConnectionsPerPrincipal">) {
    const { maxConnections, maxConnectionsPerPrincipal } = limits;
    this.#limit = new ConcurrencyLimit("CONNECTION_LIMIT", "connections", {
      max: maxConnections,
      maxPerOwner: maxConnectionsPerPrincipal,
    });
  }

  get size(): number {
    return this.#connections.size;
  }

  /**
   * Room for one connection, until the function that it returns is called.
   * @throws {AegisError} CONNECTION_LIMIT, GATEWAY_STOPPING
   */
  reserve(ownerKey: string): () => void {
    return this.#limit.take(ownerKey);
  }

  /** Keeps a connection until it has closed. */
  add(entry: Omit<OpenConnection, "id">, id: string = newConnectionId()): OpenConnection {
    const open: OpenConnection = { ...entry, id };
    const { closed } = entry.connection;
    if (closed.aborted) return open;
    this.#connections.set(id, open);
    closed.addEventListener("abort", () => void this.#connections.delete(id), { once: true });
    // It was being opened when the drain began.
    if (this.#isDraining) open.end("stopping");
    // The same of a swap.
    else if (!this.#isAdmitted(open.owner)) open.end("unauthorised");
    return open;
  }

  /**
   * The caller's own connection, for a message to it. Another principal's id is as unknown as one that never was.
   * @throws {AegisError} SESSION_UNKNOWN, GATEWAY_STOPPING
   */
  find(id: string, routePath: string, bindingKey: string): OpenConnection {
    const open = this.#connections.get(id);
    if (open === undefined) throw new AegisError("SESSION_UNKNOWN", "no such connection");
    if (open.owner.bindingKey !== bindingKey || open.owner.routePath !== routePath)
      throw new AegisError("SESSION_UNKNOWN", "connection belongs to another principal or route");
    if (this.#isDraining) throw new AegisError("GATEWAY_STOPPING", "no more messages on this connection");
    return open;
  }

  /** Ends the connections whose token has expired. */
  sweep(nowMs: number): void {
    for (const open of [...this.#connections.values()]) {
      if (nowMs >= open.expiresAtMs) open.end("expired");
    }
  }

  /** Ends the connections whose owner is no longer admitted. Called on every swap. */
  reauthorise(isAdmitted: OwnerCheck): void {
    this.#isAdmitted = isAdmitted;
    for (const open of [...this.#connections.values()]) {
      if (!isAdmitted(open.owner)) open.end("unauthorised");
    }
  }

  /** Takes no more messages, lets those under way be answered for at most `graceMs`, then ends every connection. */
  async drain(graceMs: number): Promise<void> {
    this.#isDraining = true;
    this.#limit.stop();
    const entries = [...this.#connections.values()];
    const drained = entries.map((open) => open.connection.drain().then(() => open.end("stopping")));
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, graceMs);
    });
    await Promise.race([Promise.all(drained), late]);
    clearTimeout(timer);
    for (const open of entries) open.end("stopping");
  }
}

export function newConnectionId(): string {
  return randomUUID();
}
