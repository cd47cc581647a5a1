// What the descriptors of a process are: a number that grew says nothing about which ones it were.
import { readFile, readdir, readlink } from "node:fs/promises";

/** Linux, proc_pid_net(5): state of a TCP socket, hexadecimal. */
const STATES = new Map([
  ["01", "established"],
  ["06", "time-wait"],
  ["08", "close-wait"],
  ["0A", "listening"],
]);

const portOf = (address: string | undefined): number => Number.parseInt(address?.split(":")[1] ?? "0", 16);

/** Socket of each inode: `listening 8080`, `established 8080 <- 41234`. */
async function tcpSockets(pid: number): Promise<ReadonlyMap<string, string>> {
  const sockets = new Map<string, string>();
  const table = await readFile(`/proc/${String(pid)}/net/tcp`, "utf8");
  for (const line of table.split("\n").slice(1)) {
    const [, local, remote, state = "", , , , , , inode = ""] = line.trim().split(/\s+/u);
    const kind = STATES.get(state) ?? `state ${state}`;
    const peer = portOf(remote) === 0 ? "" : ` <- ${String(portOf(remote))}`;
    sockets.set(inode, `${kind} ${String(portOf(local))}${peer}`);
  }
  return sockets;
}

/** One line for each open descriptor of a process, in order of their text. */
export async function describeDescriptors(pid: number): Promise<readonly string[]> {
  const sockets = await tcpSockets(pid);
  const dir = `/proc/${String(pid)}/fd`;
  const targets = await Promise.all(
    (await readdir(dir)).map((fd) => readlink(`${dir}/${fd}`).catch(() => "closed meanwhile")),
  );
  const lines = targets.map((target) => {
    const inode = /^socket:\[(\d+)\]$/u.exec(target)?.[1];
    return inode === undefined ? target.replace(/:\[\d+\]$/u, "") : (sockets.get(inode) ?? "socket");
  });
  return lines.sort();
}
