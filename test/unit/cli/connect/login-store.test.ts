import {
  chmod,
  mkdtemp,
  readFile,
  readdir,
  rename,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openLoginStore, stateDirectory } from "../../../../cli/connect/login/login-store.ts";
import type { LoginStore, StoredLogin } from "../../../../cli/connect/login/login-store.ts";
import { browserCommand } from "../../../../cli/connect/login/open-browser.ts";

const URL_TEXT = "https://gateway.example.com/a/mcp";
const LOGIN: StoredLogin = {
  url: URL_TEXT,
  resource: URL_TEXT,
  issuer: "https://login.example.com",
  clientId: "desk",
  accessToken: "access",
  refreshToken: "refresh",
  expiresAtMs: 2,
  obtainedAtMs: 1,
};
const never = new AbortController().signal;

let base: string;
let store: LoginStore;
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), "aegis-logins-"));
  store = openLoginStore(join(base, "aegis", "connect"));
});
afterEach(() => rm(base, { recursive: true, force: true }));

async function onlyFile(): Promise<string> {
  const [name = ""] = (await readdir(store.dir)).filter((one) => one.endsWith(".json"));
  return join(store.dir, name);
}

describe("stored logins", () => {
  it("are told apart by endpoint, resource, issuer and client; the newest comes first", async () => {
    await store.save(LOGIN);
    await store.save({ ...LOGIN, accessToken: "second", obtainedAtMs: 2 });
    await store.save({ ...LOGIN, clientId: "other", obtainedAtMs: 3 });
    await store.save({ ...LOGIN, issuer: "https://else.example.com", obtainedAtMs: 4 });
    await store.save({ ...LOGIN, url: "https://gateway.example.com/b/mcp" });
    const found = await store.find(URL_TEXT);
    expect(found.map(({ obtainedAtMs }) => obtainedAtMs)).toEqual([4, 3, 2]);
    expect(found[2]).toEqual({ ...LOGIN, accessToken: "second", obtainedAtMs: 2 });
    await store.remove(LOGIN);
    expect(await store.find(URL_TEXT)).toHaveLength(2);
  });

  it("are for this user alone, also where the directory was open", async () => {
    await store.save(LOGIN);
    expect((await stat(await onlyFile())).mode & 0o777).toBe(0o600);
    await chmod(store.dir, 0o755);
    await store.find(URL_TEXT);
    expect((await stat(store.dir)).mode & 0o777).toBe(0o700);
  });

  it("are refused where others can read them, or they are links", async () => {
    await store.save(LOGIN);
    const file = await onlyFile();
    await chmod(file, 0o644);
    await expect(store.find(URL_TEXT)).rejects.toThrow("can be read or written by other users");
    await chmod(file, 0o600);
    await rename(file, join(base, "elsewhere"));
    await symlink(join(base, "elsewhere"), file);
    await expect(store.find(URL_TEXT)).rejects.toThrow("is a symbolic link");
    // Saving replaces the link and leaves what it points to.
    const before = await readFile(join(base, "elsewhere"), "utf8");
    await store.save({ ...LOGIN, accessToken: "new" });
    expect(await readFile(join(base, "elsewhere"), "utf8")).toBe(before);
    expect((await store.find(URL_TEXT))[0]?.accessToken).toBe("new");
  });

  it("are not taken from a directory that is a link", async () => {
    await symlink(base, join(base, "linked"));
    await expect(openLoginStore(join(base, "linked")).find(URL_TEXT)).rejects.toThrow("is not a directory");
  });

  it.each(["", "{", "[]", '{"formatVersion":2}', '{"formatVersion":1,"url":"x"}'])(
    "that are none are not there: %j",
    async (text) => {
      await store.save(LOGIN);
      await writeFile(await onlyFile(), text, { mode: 0o600 });
      expect(await store.find(URL_TEXT)).toEqual([]);
    },
  );

  it("lie below XDG_STATE_HOME where that is absolute", () => {
    expect(stateDirectory({ XDG_STATE_HOME: "/state", HOME: "/home/ann" })).toBe("/state/aegis/connect");
    expect(stateDirectory({ XDG_STATE_HOME: "state", HOME: "/home/ann" })).toBe(
      "/home/ann/.local/state/aegis/connect",
    );
  });
});

describe("the lock", () => {
  it("lets one at a time through, and others of other endpoints", async () => {
    const order: string[] = [];
    const gate = Promise.withResolvers<void>();
    const first = store.exclusively(URL_TEXT, never, async () => {
      order.push("first");
      await gate.promise;
      order.push("first ends");
    });
    await expect.poll(() => order).toEqual(["first"]);
    const second = store.exclusively(URL_TEXT, never, () => Promise.resolve(order.push("second")));
    await store.exclusively("https://other.example.com/", never, () => Promise.resolve(order.push("other")));
    gate.resolve();
    await Promise.all([first, second]);
    expect(order).toEqual(["first", "other", "first ends", "second"]);
    expect((await readdir(store.dir)).filter((name) => name.endsWith(".lock"))).toEqual([]);
  });

  it("of a process that is gone does not last", async () => {
    const gate = Promise.withResolvers<void>();
    const held = store.exclusively(URL_TEXT, never, () => gate.promise);
    await expect
      .poll(async () => (await readdir(store.dir)).some((name) => name.endsWith(".lock")))
      .toBe(true);
    const [lock = ""] = (await readdir(store.dir)).filter((name) => name.endsWith(".lock"));
    const longAgo = new Date(Date.now() - 60_000);
    await utimes(join(store.dir, lock), longAgo, longAgo);
    expect(await store.exclusively(URL_TEXT, never, () => Promise.resolve("through"))).toBe("through");
    gate.resolve();
    await held;
  });

  it("is not waited for after the end", async () => {
    const gate = Promise.withResolvers<void>();
    const held = store.exclusively(URL_TEXT, never, () => gate.promise);
    await expect.poll(async () => (await readdir(store.dir).catch(() => [])).length).toBe(1);
    await expect(
      store.exclusively(URL_TEXT, AbortSignal.timeout(150), () => Promise.resolve()),
    ).rejects.toThrow();
    gate.resolve();
    await held;
  });
});

describe("the browser", () => {
  const page = new URL("https://login.example.com/?a=1&b=$(id)");
  it("is a fixed program with the address as one argument", () => {
    expect(browserCommand(page, "linux", { DISPLAY: ":0" })).toEqual(["xdg-open", [page.href]]);
    expect(browserCommand(page, "darwin", {})).toEqual(["/usr/bin/open", [page.href]]);
    expect(browserCommand(page, "win32", {})?.[1]).toEqual(["url.dll,FileProtocolHandler", page.href]);
    expect(browserCommand(page, "linux", { DISPLAY: "" })).toBeUndefined();
  });

  it.each(["javascript:alert(1)", "file:///etc/passwd", "http://evil.example/", "data:text/html,x"])(
    "does not get %s",
    (text) => expect(browserCommand(new URL(text), "darwin", {})).toBeUndefined(),
  );
});
