// A file system in memory for the audit log's fault tests: any call can fail, and a power failure loses what was not synced.
import type { AuditFile, AuditFs, AuditOpenMode } from "#audit";

export type FaultKind = "EIO" | "ENOSPC" | "short";

/** A fault at the n-th call, counted from 1 over all calls. `short` takes half of a write; other calls are not changed. */
export interface FaultPlan {
  readonly kind: FaultKind;
  readonly at: number;
  /** How many calls from `at` on fail. */
  readonly calls: number;
}

interface Inode {
  data: Buffer;
  synced: Buffer;
}

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: injected`), { code });
}

export class MemoryFs implements AuditFs {
  readonly #entries = new Map<string, Inode>();
  /** Directory entries that would be found after a power failure. */
  readonly #durable = new Map<string, Inode>();
  plan: FaultPlan | undefined;
  calls = 0;
  openHandles = 0;
  onCall: (() => void) | undefined;

  #add(path: string, bytes: Buffer): void {
    const inode = { data: bytes, synced: bytes };
    this.#entries.set(path, inode);
    this.#durable.set(path, inode);
  }

  /** A copy with the same files, all durable, and no faults. */
  copy(): MemoryFs {
    const copy = new MemoryFs();
    for (const [path, inode] of this.#entries) copy.#add(path, inode.data);
    return copy;
  }

  /** What a disk holds after a power failure: synced bytes of synced entries, and `tornBytes` of what else was on its way. */
  powerFailure(tornBytes: number): MemoryFs {
    const copy = new MemoryFs();
    for (const [path, inode] of this.#durable) {
      const extra =
        inode.data.length > inode.synced.length ? inode.data.subarray(inode.synced.length) : Buffer.alloc(0);
      copy.#add(path, Buffer.concat([inode.synced, extra.subarray(0, tornBytes)]));
    }
    return copy;
  }

  names(suffix: string): string[] {
    return [...this.#entries.keys()].filter((path) => path.endsWith(suffix)).sort();
  }

  read(path: string): Buffer {
    return this.#inode(path).data;
  }

  write(path: string, bytes: Buffer): void {
    this.#add(path, bytes);
  }

  delete(path: string): void {
    this.#entries.delete(path);
    this.#durable.delete(path);
  }

  #inode(path: string): Inode {
    const inode = this.#entries.get(path);
    if (inode === undefined) throw systemError("ENOENT");
    return inode;
  }

  #step(): FaultKind | undefined {
    this.calls += 1;
    this.onCall?.();
    const { plan } = this;
    if (plan === undefined || this.calls < plan.at || this.calls >= plan.at + plan.calls) return undefined;
    if (plan.kind !== "short") throw systemError(plan.kind);
    return "short";
  }

  readonly makeDirectory = async (): Promise<void> => {
    this.#step();
  };

  readonly list = async (path: string): Promise<readonly string[]> => {
    this.#step();
    return [...this.#entries.keys()]
      .filter((name) => name.startsWith(`${path}/`))
      .map((name) => name.slice(path.length + 1));
  };

  readonly open = async (path: string, mode: AuditOpenMode): Promise<AuditFile> => {
    this.#step();
    const exists = this.#entries.has(path);
    if (mode === "create" && exists) throw systemError("EEXIST");
    if ((mode === "read" || mode === "update") && !exists) throw systemError("ENOENT");
    if (!exists) this.#entries.set(path, { data: Buffer.alloc(0), synced: Buffer.alloc(0) });
    this.openHandles += 1;
    return this.#file(this.#inode(path));
  };

  #file(inode: Inode): AuditFile {
    return {
      write: async (bytes, offset) => {
        const short = this.#step() === "short";
        const left = bytes.byteLength - offset;
        const count = short ? Math.max(1, Math.floor(left / 2)) : left;
        inode.data = Buffer.concat([inode.data, bytes.subarray(offset, offset + count)]);
        return count;
      },
      read: async (into, position) => {
        this.#step();
        return inode.data.copy(into, 0, position, position + into.byteLength);
      },
      datasync: async () => {
        this.#step();
        inode.synced = inode.data;
      },
      truncate: async (lengthBytes) => {
        this.#step();
        inode.data = inode.data.subarray(0, lengthBytes);
      },
      sizeBytes: async () => {
        this.#step();
        return inode.data.length;
      },
      close: async () => {
        this.openHandles -= 1;
        this.#step();
      },
    };
  }

  readonly rename = async (from: string, to: string): Promise<void> => {
    this.#step();
    this.#entries.set(to, this.#inode(from));
    this.#entries.delete(from);
  };

  readonly remove = async (path: string): Promise<void> => {
    this.#step();
    this.#entries.delete(path);
  };

  readonly syncDirectory = async (): Promise<void> => {
    this.#step();
    this.#durable.clear();
    for (const [path, inode] of this.#entries) this.#durable.set(path, inode);
  };

  readonly freeBytes = async (): Promise<number> => {
    this.#step();
    return Number.MAX_SAFE_INTEGER;
  };
}
