// Whether the peer of a wire still says anything. One that left a request unanswered, said nothing else since, and does
// not answer the gateway's own question either hangs: its wire is closed, so that the next call gets a new one. A tool
// that is merely slow leaves its server able to answer (MCP lifecycle: timeouts, ping).

/** How patient the gateway is with a silent peer. */
export interface Patience {
  /** Since the request was sent. */
  readonly silenceMs: number;
  /** Since the gateway's own question. */
  readonly answerMs: number;
}

export interface WireLiveness {
  /** A message came, whatever it says. */
  readonly heard: () => void;
  /** A request is sent; the function it returns is called where nobody waits for its answer any more. */
  readonly sent: () => () => void;
  readonly end: () => void;
}

export interface WireLivenessOptions {
  readonly patience: Patience;
  /** Sends the gateway's own question, and gives what takes it back. Must not throw; the answer counts as any message does. */
  readonly ask: () => () => void;
  /** The peer hangs. */
  readonly onSilent: () => void;
}

export function createWireLiveness({ patience, ask, onSilent }: WireLivenessOptions): WireLiveness {
  let messages = 0;
  let waiting: NodeJS.Timeout | undefined;
  let takeBack = (): void => undefined;
  const end = (): void => {
    if (waiting === undefined) return;
    clearTimeout(waiting);
    waiting = undefined;
    takeBack();
  };
  return {
    heard: () => {
      messages += 1;
      end();
    },
    sent: () => {
      const before = messages;
      const sentAtMs = performance.now();
      return () => {
        if (messages !== before || waiting !== undefined) return;
        const leftMs = patience.silenceMs - (performance.now() - sentAtMs);
        waiting = setTimeout(
          () => {
            waiting = undefined;
            onSilent();
          },
          Math.max(patience.answerMs, leftMs),
        );
        waiting.unref();
        takeBack = ask();
      };
    },
    end,
  };
}
