import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { runCli } from "#cli";
import { openLoginStore } from "../../../../cli/connect/login/login-store.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "aegis-connect-command-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

async function run(...argv: readonly string[]) {
  let out = "";
  let err = "";
  const code = await runCli(["connect", ...argv], {
    out: (text) => void (out += text),
    err: (text) => void (err += text),
    colorOut: false,
    colorErr: false,
    showProgress: false,
    cwd: dir,
    env: { XDG_STATE_HOME: dir, EMPTY: "" },
  });
  return { code, out, err };
}

const URL_TEXT = "https://gateway.example.com/a/mcp";

describe("wrong use", () => {
  it.each([
    [["gateway"], "not a URL"],
    [["http://gateway.example.com/mcp"], "must not cross a network in clear"],
    [["ftp://gateway.example.com/"], "neither https nor on this machine"],
    [["https://ann:secret@gateway.example.com/"], "holds a user name or password"],
    [[URL_TEXT, "--token", "the-secret-itself"], "--token cannot be read"],
    [[URL_TEXT, "--token", "env:EMPTY"], "the variable must be set"],
    [[URL_TEXT, "--token", "env:X", "--client-id", "a"], "exclude each other"],
    [[URL_TEXT, "--client-secret", "env:X"], "needs --client-id"],
    [[URL_TEXT, "--client-credentials"], "needs --client-id and --client-secret"],
    [[URL_TEXT, "--redirect-port", "80000"], "must be a number from 1 to 65535"],
    [[URL_TEXT, "--login", "--logout"], "exclude each other"],
  ])("%j exits 1 and says why", async (argv, message) => {
    const { code, out, err } = await run(...argv);
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toContain(message);
    expect(err).not.toContain("the-secret-itself");
  });
});

describe("stored logins", () => {
  it("are shown without their tokens, and forgotten", async () => {
    expect((await run("--status", URL_TEXT)).code).toBe(1);
    const store = openLoginStore(join(dir, "aegis", "connect"));
    await store.save({
      url: URL_TEXT,
      resource: URL_TEXT,
      issuer: "http://127.0.0.1:9",
      clientId: "desk\u001b[31m",
      scope: "mcp:use",
      accessToken: "the-access-token",
      refreshToken: "the-refresh-token",
      expiresAtMs: Date.UTC(2030, 0, 1),
      obtainedAtMs: 1,
    });
    const shown = await run("--status", URL_TEXT);
    expect(shown.code).toBe(0);
    expect(shown.out).toBe(
      "issuer    http://127.0.0.1:9\nclient    desk [31m\nscope     mcp:use\nexpires   2030-01-01T00:00:00.000Z, then refreshed\n",
    );
    const forgotten = await run("--logout", URL_TEXT);
    expect(forgotten).toMatchObject({ code: 0, out: "" });
    expect(forgotten.err).toContain("but not revoked");
    expect(await store.find(URL_TEXT)).toEqual([]);
    expect((await run("--logout", URL_TEXT)).err).toContain("no login is stored");
  });
});
