// A TCP port on loopback for a server whose address must be known before it starts.
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";

/** `preferred` where it is free, else one the system chooses. */
export async function freePort(preferred = 0): Promise<number> {
  return (await probe(preferred)) ?? (await probe(0)) ?? preferred;
}

function probe(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(undefined));
    server.listen(port, "127.0.0.1", () => {
      const { port: found } = server.address() as AddressInfo;
      server.close(() => resolve(found));
    });
  });
}
