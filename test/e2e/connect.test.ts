// `aegis connect` between a stdio client of the official SDK and a whole gateway whose tokens come from a real OpenID
// provider: login, stored login, refresh, revocation, wrong answers; both eras.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { compileCache } from "../compile-cache.ts";
import { connectHome, visitPage } from "./connect-client.ts";
import type { ConnectHome, ConnectedClient } from "./connect-client.ts";
import { startEchoWorld } from "./echo-world.ts";
import type { EchoWorld } from "./echo-world.ts";
import { ROBOT_SECRET, followLogin, startOpenIdProvider } from "./openid-provider.ts";
import type { OpenIdProvider } from "./openid-provider.ts";
import { initializeRequest } from "./raw-call.ts";

let provider: OpenIdProvider;
let world: EchoWorld;
let url: string;
let home: ConnectHome;
const open: ConnectedClient[] = [];

beforeAll(async () => {
  provider = await startOpenIdProvider();
  world = await startEchoWorld({ issuers: [provider.overlay] });
  url = world.endpoint("echo").href;
}, 60_000);
afterAll(async () => {
  await world.stop();
  await provider.close();
});
beforeEach(async () => {
  home = await connectHome();
  provider.setTokenLife(600);
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
  await home.remove();
});

async function connect(...args: Parameters<ConnectHome["open"]>): Promise<ConnectedClient> {
  const one = await home.open(...args);
  open.push(one);
  return one;
}

async function echo({ client }: ConnectedClient, text: string): Promise<string> {
  return JSON.stringify(await client.callTool({ name: "echo", arguments: { text } }));
}

describe.each(["legacy", "modern"] as const)("a %s client", (era) => {
  it("logs in once, and uses the stored login afterwards", async () => {
    const first = await connect([url, "--client-id", "desk"], era);
    expect(first.logins).toHaveLength(1);
    const login = new URL(first.logins[0] ?? "");
    expect(login.searchParams.get("code_challenge_method")).toBe("S256");
    expect(login.searchParams.get("resource")).toBe(url);
    expect(await echo(first, "one")).toContain("one");
    expect((await first.client.listTools()).tools.map(({ name }) => name)).toContain("echo");
    const second = await connect([url, "--client-id", "desk"], era);
    expect(await echo(second, "two")).toContain("two");
    expect(second.logins).toEqual([]);
    expect(second.notes()).toBe("");
  });

  it("refreshes a token that expires", async () => {
    provider.setTokenLife(1);
    const first = await connect([url, "--client-id", "desk"], era);
    provider.setTokenLife(600);
    await expiry(home);
    const before = refreshes();
    const texts = await Promise.all(["a", "b", "c"].map((text) => echo(first, text)));
    expect(texts.map((text, at) => text.includes("abc".charAt(at)))).toEqual([true, true, true]);
    expect(refreshes()).toBe(before + 1);
    expect(first.logins).toHaveLength(1);
  });

  it("logs in again where the refresh is refused", async () => {
    provider.setTokenLife(1);
    const first = await connect([url, "--client-id", "desk"], era);
    provider.setTokenLife(600);
    provider.revokeGrants();
    await expiry(home);
    expect(await echo(first, "after")).toContain("after");
    expect(first.logins).toHaveLength(2);
    expect(first.notes()).toContain("no longer refreshes the stored login (invalid_grant)");
  });

  it("says in band what cannot be done without a login", async () => {
    const none = await connect([url, "--token", "env:TOKEN"], era, { env: { TOKEN: "not-a-token" } }).catch(
      String,
    );
    expect(none).toContain("the gateway refuses the token of --token");
    expect(none).toContain("put a new token there");
  });
});

const refreshes = (): number =>
  provider.tokenRequests.filter((form) => form.get("grant_type") === "refresh_token").length;

async function storedLogins({ stateDir }: ConnectHome): Promise<readonly Record<string, unknown>[]> {
  const names = (await readdir(stateDir)).filter((name) => name.endsWith(".json"));
  const texts = await Promise.all(names.map((name) => readFile(join(stateDir, name), "utf8")));
  return texts.map((text) => JSON.parse(text) as Record<string, unknown>);
}

/** One run of the command; follows the login that it prints. */
async function command(...args: readonly string[]) {
  const entry = join(import.meta.dirname, "..", "..", "cli", "main.ts");
  const own = { HOME: home.dir, XDG_STATE_HOME: join(home.dir, "state"), PATH: process.env["PATH"] };
  const env = { ...own, ...compileCache() };
  const child = spawn(process.execPath, [entry, "connect", ...args], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let out = "";
  let err = "";
  child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString("utf8")));
  child.stderr.on("data", (chunk: Buffer) => {
    const before = /log in here: (\S+)\n/u.test(err);
    err += chunk.toString("utf8");
    const page = /log in here: (\S+)\n/u.exec(err)?.[1];
    if (page !== undefined && !before) void followLogin(page).then(visitPage);
  });
  const [code] = (await once(child, "close")) as [number | null];
  return { code, out, err };
}

/** Resolves when the stored access token has expired. */
async function expiry(at: ConnectHome): Promise<void> {
  const [login] = await storedLogins(at);
  const leftMs = Number(login?.["expiresAtMs"]) - Date.now();
  expect(leftMs).toBeLessThan(1_001);
  await new Promise((resolve) => setTimeout(resolve, Math.max(leftMs, 0) + 50));
}

describe("a login", () => {
  it("is stored for this user alone, and by gateway, issuer and client", async () => {
    await connect([url, "--client-id", "desk"], "legacy");
    const names = await readdir(home.stateDir);
    expect(names).toHaveLength(1);
    expect((await stat(home.stateDir)).mode & 0o777).toBe(0o700);
    expect((await stat(join(home.stateDir, names[0] ?? ""))).mode & 0o777).toBe(0o600);
    const [login] = await storedLogins(home);
    expect(login).toMatchObject({ url, resource: url, issuer: provider.issuer, clientId: "desk" });
    const asked = provider.tokenRequests.at(-1);
    expect(asked?.get("resource")).toBe(url);
    expect(asked?.get("code_verifier")).toMatch(/^[\w.~-]{43,128}$/u);
  });

  it("takes an answer with the right state alone", async () => {
    const statuses: number[] = [];
    const one = await connect([url, "--client-id", "desk"], "legacy", {
      visit: async (answer) => {
        const forge = async (change: (url: URL) => void, headers: Record<string, string> = {}) => {
          const forged = new URL(answer);
          change(forged);
          statuses.push((await fetch(forged, { headers })).status);
        };
        await forge((to) => to.searchParams.set("state", "x".repeat(43)));
        await forge((to) => to.searchParams.delete("state"));
        await forge((to) => to.searchParams.append("state", answer.searchParams.get("state") ?? ""));
        await forge((to) => (to.pathname = "/elsewhere"));
        await visitPage(answer);
      },
    });
    expect(statuses).toEqual([400, 400, 400, 404]);
    expect(await echo(one, "still")).toContain("still");
  });

  it.each([
    ["another issuer", (to: URL) => to.searchParams.set("iss", "https://evil.example")],
    ["no issuer", (to: URL) => to.searchParams.delete("iss")],
    ["two codes", (to: URL) => to.searchParams.append("code", "x")],
  ])("is refused with %s in the answer, and nothing is stored", async (_name, change) => {
    const before = provider.tokenRequests.length;
    const refused = await connect([url, "--client-id", "desk"], "legacy", {
      visit: async (answer) => {
        change(answer);
        await visitPage(answer);
      },
    }).catch(String);
    expect(refused).toMatch(/4010|does not come from|sent no code/u);
    expect(provider.tokenRequests.length).toBe(before);
    expect((await readdir(home.stateDir)).filter((name) => name.endsWith(".json"))).toEqual([]);
  });

  it("registers a client by itself where none is given, under an unguessable path", async () => {
    const one = await connect([url], "modern");
    expect(await echo(one, "registered")).toContain("registered");
    expect(provider.requests).toContain("POST /reg");
    const redirect = new URL(new URL(one.logins[0] ?? "").searchParams.get("redirect_uri") ?? "");
    expect(redirect.pathname).toMatch(/^\/[\w-]{22}\/callback$/u);
    expect(redirect.hostname).toBe("127.0.0.1");
  });

  it("is asked for once by processes that start together", async () => {
    const before = provider.requests.filter((line) => line === "GET /auth").length;
    const both = await Promise.all([1, 2].map(() => connect([url, "--client-id", "desk"], "legacy")));
    expect(both.flatMap(({ logins }) => logins)).toHaveLength(1);
    expect(provider.requests.filter((line) => line === "GET /auth").length).toBe(before + 1);
    expect(await echo(both[1] as ConnectedClient, "second")).toContain("second");
  });

  it("can be made ahead, and ends with its refresh token revoked", async () => {
    const login = await command("--login", "--no-browser", "--client-id", "desk", url);
    expect(login).toMatchObject({ code: 0, out: "" });
    expect(login.err).toContain(`logged in to ${url}`);
    const one = await connect([url, "--client-id", "desk"], "legacy");
    expect(one.logins).toEqual([]);
    const [stored] = await storedLogins(home);
    const logout = await command("--logout", url);
    expect(logout).toMatchObject({ code: 0, out: "" });
    expect(logout.err).toContain("and revoked");
    const body = new URLSearchParams({
      grant_type: "refresh_token",
      client_id: "desk",
      refresh_token: String(stored?.["refreshToken"]),
    });
    const refused = await fetch(`${provider.issuer}/token`, { method: "POST", body });
    expect(await refused.json()).toMatchObject({ error: "invalid_grant" });
    expect(await storedLogins(home)).toEqual([]);
  });

  it("of a client for itself needs no browser", async () => {
    const args = [url, "--client-id", "robot", "--client-secret", "env:SECRET", "--client-credentials"];
    const one = await connect(args, "modern", { env: { SECRET: ROBOT_SECRET } });
    expect(await echo(one, "robot")).toContain("robot");
    expect(one.logins).toEqual([]);
    expect(await readdir(home.stateDir).catch(() => [])).toEqual([]);
  });

  it("can be a token in a file, read again when it is refused", async () => {
    await connect([url, "--client-id", "desk"], "legacy");
    const [login] = await storedLogins(home);
    const file = join(home.dir, "token");
    await writeFile(file, `${String(login?.["accessToken"])}\n`, { mode: 0o600 });
    const one = await connect([url, "--token", `file:${file}`], "modern");
    expect(await echo(one, "by file")).toContain("by file");
    expect(one.logins).toEqual([]);
  });
});

describe("a URL where nothing is served", () => {
  const wrong = (): string => new URL("/nosuch", url).href;

  it("is told on standard error, with what to do", async () => {
    const child = spawn(
      process.execPath,
      [join(import.meta.dirname, "..", "..", "cli", "main.ts"), "connect", wrong(), "--token", "env:TOKEN"],
      { env: { ...compileCache(), HOME: home.dir, TOKEN: "t" }, stdio: "pipe" },
    );
    let err = "";
    child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString("utf8")));
    child.stdout.resume();
    child.stdin.end(`${JSON.stringify(initializeRequest())}\n`);
    await once(child, "close");
    expect(err).toBe(
      `aegis connect: initialize: nothing is served at ${wrong()}; check the path of the URL\n`,
    );
  });

  it("has no login", async () => {
    const login = await command("--login", "--no-browser", wrong());
    expect(login).toMatchObject({ code: 1, out: "" });
    expect(login.err).toContain("check the path of the URL");
  });
});
