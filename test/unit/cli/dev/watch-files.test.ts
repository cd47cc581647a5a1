// Every way in which editors save is noticed; nothing else is.
import { mkdir, mkdtemp, rename, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { documentState, watchDocuments } from "../../../../cli/dev/watch-files.ts";

let dir: string;
let stop: AbortController;
let watching: Promise<void>;
let changes: number;
let waiter: (() => void) | undefined;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "aegis-watch-"));
  await mkdir(join(dir, "policies"));
  await writeFile(join(dir, "aegis.yaml"), "kind: Project\n");
  await writeFile(join(dir, "policies", "a.yaml"), "one\n");
  stop = new AbortController();
  changes = 0;
  watching = watchDocuments({
    dir,
    signal: stop.signal,
    since: await documentState(dir),
    intervalMs: 10,
    onChange: () => {
      changes++;
      waiter?.();
      return Promise.resolve();
    },
  });
});

afterEach(async () => {
  stop.abort();
  await watching;
  await rm(dir, { recursive: true, force: true });
});

/** Resolves at the next reported change. */
function nextChange(): Promise<void> {
  return new Promise((resolve) => {
    waiter = resolve;
  });
}

describe("watchDocuments", () => {
  it.each<[string, () => Promise<void>]>([
    ["a write", () => writeFile(join(dir, "policies", "a.yaml"), "another\n")],
    ["a write of the same size", () => writeFile(join(dir, "policies", "a.yaml"), "two\n")],
    [
      "a rename over the file",
      async () => {
        const other = join(dir, "a.tmp");
        await writeFile(other, "one\n");
        const at = new Date("2020-01-01");
        await utimes(other, at, at);
        await rename(other, join(dir, "policies", "a.yaml"));
      },
    ],
    [
      "a new file in a new folder",
      async () => {
        await mkdir(join(dir, "registry", "servers"), { recursive: true });
        await writeFile(join(dir, "registry", "servers", "s.yaml"), "s\n");
      },
    ],
    ["a removed file", () => rm(join(dir, "policies", "a.yaml"))],
  ])("notices %s", async (_name, save) => {
    const noticed = nextChange();
    await save();
    await noticed;
    expect(changes).toBe(1);
  });

  it("reports each of two saves", async () => {
    const first = nextChange();
    await writeFile(join(dir, "policies", "a.yaml"), "second\n");
    await first;
    const second = nextChange();
    await writeFile(join(dir, "policies", "a.yaml"), "third one\n");
    await second;
    expect(changes).toBe(2);
  });

  it("ignores files that are no documents", async () => {
    const before = await documentState(dir);
    await writeFile(join(dir, "README.md"), "text\n");
    await mkdir(join(dir, ".git"));
    await writeFile(join(dir, ".git", "index"), "index\n");
    expect(await documentState(dir)).toBe(before);
  });

  it("ends when the signal is aborted", async () => {
    stop.abort();
    await expect(watching).resolves.toBeUndefined();
  });
});
