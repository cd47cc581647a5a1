// What a process that holds connections is told, and what it reports at its end.

export interface HoldTarget {
  readonly url: string;
  /** Of every request: the caller's token. */
  readonly headers: Readonly<Record<string, string>>;
  /** Legacy sessions, each with its GET stream open. */
  readonly sessions: number;
  /** Connections on which nothing is sent. */
  readonly idle: number;
  /** Connections whose request never gets to its end. */
  readonly slow: number;
}

export interface HoldReport {
  /** Connections without a session that the gateway cut and that were opened again. */
  readonly reopened: number;
}
