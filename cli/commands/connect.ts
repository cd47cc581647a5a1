// aegis connect: a stdio-only MCP client speaks to a remote gateway, with its login.
import type { Command } from "commander";
import { ConfigError, decodeCredentials } from "#config";
import { runBridge } from "../connect/bridge.ts";
import { BridgeError } from "../connect/bridge-error.ts";
import { boundedRedirectPort, endpointUrl } from "../connect/connect-arguments.ts";
import { createClientCredentials } from "../connect/login/client-credentials.ts";
import { endLogin } from "../connect/login/end-login.ts";
import { openLoginStore, stateDirectory } from "../connect/login/login-store.ts";
import type { LoginStore, StoredLogin } from "../connect/login/login-store.ts";
import { createOAuthTokens } from "../connect/login/oauth-tokens.ts";
import { openBrowser } from "../connect/login/open-browser.ts";
import { createRemoteEndpoint, discard } from "../connect/remote-endpoint.ts";
import { givenToken } from "../connect/token-source.ts";
import type { TokenSource } from "../connect/token-source.ts";
import { CliError } from "../output/cli-error.ts";
import { EXIT } from "../output/exit-codes.ts";
import type { ExitCode } from "../output/exit-codes.ts";
import type { CliIo } from "../output/io.ts";
import type { CommandHost } from "../program.ts";

interface ConnectOptions {
  readonly token?: string;
  readonly clientId?: string;
  readonly clientSecret?: string;
  readonly clientCredentials?: boolean;
  readonly scope?: string;
  readonly redirectPort?: string;
  readonly browser: boolean;
  readonly login?: boolean;
  readonly logout?: boolean;
  readonly status?: boolean;
}

export function registerConnect(program: Command, host: CommandHost): void {
  program
    .command("connect")
    .argument("<url>", "MCP endpoint of a gateway, https or on this machine")
    .summary("Connect a stdio-only MCP client to a remote gateway.")
    .description(
      "Connect a stdio-only MCP client to a remote gateway: JSON-RPC lines on standard input and output, Streamable HTTP to the gateway, and a login in the browser where it asks for one.",
    )
    .option("--token <reference>", "send this bearer token: env:NAME or file:path")
    .option("--client-id <id>", "OAuth client to log in as; without it, one registers itself")
    .option("--client-secret <reference>", "its secret: env:NAME or file:path")
    .option("--client-credentials", "log in as the client itself, with its secret and no user")
    .option("--scope <scopes>", "scopes to ask for, separated by spaces")
    .option("--redirect-port <n>", "port on 127.0.0.1 that the login answers to; a free one where absent")
    .option("--no-browser", "print the address of the login, and open nothing")
    .option("--login", "log in, store it, and exit")
    .option("--logout", "forget the stored login for the URL, and exit")
    .option("--status", "print what is stored for the URL, and exit; 1 where there is no login")
    .addHelpText(
      "after",
      "\nA gateway whose certificate is of a private authority: set NODE_EXTRA_CA_CERTS=<file.pem> in the environment.",
    )
    .action(
      host.action((url: string, options: ConnectOptions) => connect(endpointUrl(url), options, host.io)),
    );
}

async function connect(url: URL, options: ConnectOptions, io: CliIo): Promise<ExitCode> {
  const only = [options.login, options.logout, options.status].filter((given) => given === true);
  if (only.length > 1) throw new CliError("--login, --logout and --status exclude each other");
  const store = openLoginStore(stateDirectory(io.env));
  if (options.status === true) return showStatus(url, options, store, io);
  if (options.logout === true) return logOut(url, options, store, io);
  const stop = new AbortController();
  const onSignal = (): void => stop.abort();
  process.once("SIGTERM", onSignal).once("SIGINT", onSignal);
  const note = (text: string): void => io.err(`aegis connect: ${printable(text)}\n`);
  const tokens = tokenSource(url, options, store, io, note, stop.signal);
  const remote = createRemoteEndpoint(url, tokens, note);
  try {
    if (options.login === true) {
      const probe = { method: "POST", headers: PROBE_HEADERS, body: PROBE } as const;
      const response = await remote.send(probe, stop.signal);
      // A gateway that knows the endpoint answers a request without a session otherwise.
      if (response.status === 404)
        throw new CliError(`nothing is served at ${url.href}`, { help: "check the path of the URL" });
      await discard(response);
      const hasToken = (await tokens.current()) !== undefined;
      note(hasToken ? `logged in to ${url.href}` : `${url.href} asks for no login`);
    } else {
      const { stdin: input, stdout: output } = process;
      await runBridge({ remote, input, output, note, signal: stop.signal });
      input.destroy();
    }
    return EXIT.ok;
  } catch (fault) {
    if (fault instanceof BridgeError) throw new CliError(fault.message, { help: fault.remedy, cause: fault });
    if (stop.signal.aborted) return EXIT.error;
    throw fault;
  } finally {
    process.off("SIGTERM", onSignal).off("SIGINT", onSignal);
    await remote.close();
  }
}

/** A request that every MCP endpoint answers or refuses for want of a token, and that changes nothing. */
const PROBE_HEADERS = { "content-type": "application/json", accept: "application/json, text/event-stream" };
const PROBE = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" });

/** Text from elsewhere, without what could steer a terminal. */
function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, " ");
}

function secret(name: string, reference: string, io: CliIo): string {
  try {
    const options = { file: name, baseDir: io.cwd, environment: io.env, secrets: "resolve" } as const;
    return decodeCredentials({ value: reference }, options).get("value") ?? "";
  } catch (fault) {
    if (!(fault instanceof ConfigError)) throw fault;
    throw new CliError(`${name} cannot be read`, {
      help: "write env:VARIABLE or file:/path; the variable must be set, the file must hold the value alone",
      cause: fault,
    });
  }
}

function clientOf({ clientId, clientSecret }: ConnectOptions, io: CliIo) {
  if (clientId === undefined) {
    if (clientSecret !== undefined) throw new CliError("--client-secret needs --client-id");
    return undefined;
  }
  return {
    client_id: clientId,
    ...(clientSecret === undefined ? {} : { client_secret: secret("--client-secret", clientSecret, io) }),
  };
}

function tokenSource(
  url: URL,
  options: ConnectOptions,
  store: LoginStore,
  io: CliIo,
  note: (text: string) => void,
  signal: AbortSignal,
): TokenSource {
  const { token, scope } = options;
  const client = clientOf(options, io);
  if (token !== undefined) {
    if (client !== undefined || options.clientCredentials === true)
      throw new CliError("--token and a client exclude each other");
    // Once now, so that a wrong reference is said at once.
    secret("--token", token, io);
    return givenToken(() => secret("--token", token, io));
  }
  if (options.clientCredentials === true) {
    if (client?.client_secret === undefined)
      throw new CliError("--client-credentials needs --client-id and --client-secret");
    return createClientCredentials({
      url,
      clientId: client.client_id,
      clientSecret: client.client_secret,
      scope,
      signal,
    });
  }
  const show = (page: URL): void => {
    note(`log in here: ${page.href}`);
    if (options.browser) openBrowser(page, io.env);
  };
  const redirectPort = boundedRedirectPort(options.redirectPort);
  return createOAuthTokens({ url, store, client, scope, redirectPort, show, note, signal });
}

async function storedFor(
  url: URL,
  { clientId }: ConnectOptions,
  store: LoginStore,
): Promise<readonly StoredLogin[]> {
  const logins = await store.find(url.href);
  return logins.filter((login) => clientId === undefined || login.clientId === clientId);
}

async function logOut(url: URL, options: ConnectOptions, store: LoginStore, io: CliIo): Promise<ExitCode> {
  const client = clientOf(options, io);
  const logins = await storedFor(url, options, store);
  if (logins.length === 0) io.err(`no login is stored for ${url.href}\n`);
  for (const login of logins) {
    const isRevoked = await endLogin(store, login, client);
    const how = isRevoked ? "and revoked" : "but not revoked: the authorization server does not take that";
    io.err(`removed the login at ${printable(login.issuer)}, ${how}\n`);
  }
  return EXIT.ok;
}

async function showStatus(
  url: URL,
  options: ConnectOptions,
  store: LoginStore,
  io: CliIo,
): Promise<ExitCode> {
  const logins = await storedFor(url, options, store);
  for (const { issuer, clientId, scope, expiresAtMs, refreshToken } of logins) {
    const expiry = expiresAtMs === undefined ? "not stated" : new Date(expiresAtMs).toISOString();
    io.out(
      [
        `issuer    ${printable(issuer)}`,
        `client    ${printable(clientId)}`,
        `scope     ${scope === undefined ? "not stated" : printable(scope)}`,
        `expires   ${expiry}${refreshToken === undefined ? "" : ", then refreshed"}`,
        "",
      ].join("\n"),
    );
  }
  if (logins.length > 0) return EXIT.ok;
  io.err(`no login is stored for ${url.href}\n`);
  return EXIT.error;
}
