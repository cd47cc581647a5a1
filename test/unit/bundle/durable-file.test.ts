import * as realFiles from "node:fs/promises";
import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readBounded, writeDurably } from "#bundle";
import type { FileSystem } from "#bundle";

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "aegis-durable-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

describe("durable files", () => {
  it("are synced before they are renamed, and their directory after", async () => {
    const log: string[] = [];
    const files: FileSystem = {
      ...realFiles,
      open: async (path, flags, mode) => {
        const handle = await realFiles.open(path, flags, mode);
        const what = path === directory ? "directory" : "file";
        const sync = handle.sync.bind(handle);
        handle.sync = () => {
          log.push(`sync ${what}`);
          return sync();
        };
        return handle;
      },
      rename: (from, to) => {
        log.push("rename");
        return realFiles.rename(from, to);
      },
    };
    await writeDurably(join(directory, "x"), new Uint8Array([1]), { files });
    expect(log).toEqual(["sync file", "rename", "sync directory"]);
  });

  it("keep the old content and leave no rest where the rename fails", async () => {
    const path = join(directory, "kept");
    await writeFile(path, "old");
    const files: FileSystem = { ...realFiles, rename: () => Promise.reject(new Error("EIO")) };
    await expect(writeDurably(path, new Uint8Array([1]), { files })).rejects.toThrow("EIO");
    expect(await readFile(path, "utf8")).toBe("old");
    expect((await readdir(directory)).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  it("are read up to their limit, and only where they are regular files", async () => {
    const path = join(directory, "ten");
    await writeFile(path, "0123456789");
    expect(Buffer.from((await readBounded(path, 10)) ?? []).toString()).toBe("0123456789");
    await expect(readBounded(path, 9)).rejects.toMatchObject({ name: "FileTooLargeError" });
    expect(await readBounded(join(directory, "nosuch"), 9)).toBeUndefined();
    await expect(readBounded(directory, 9)).rejects.toThrow();
    execFileSync("mkfifo", [join(directory, "pipe")]);
    await expect(readBounded(join(directory, "pipe"), 9)).rejects.toThrow("not a regular file");
    await symlink("/dev/zero", join(directory, "zero"));
    await expect(readBounded(join(directory, "zero"), 9)).rejects.toThrow("not a regular file");
  });
});
