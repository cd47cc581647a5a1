// What `aegis connect` accepts on its command line.
import { CliError } from "../output/cli-error.ts";
import { isSafeUrl } from "./login/authorization-server.ts";

/** The endpoint, in one spelling. @throws {CliError} for plain HTTP that leaves this machine, and for what is no URL */
export function endpointUrl(text: string): URL {
  if (!URL.canParse(text)) throw new CliError(`not a URL: ${JSON.stringify(text)}`, { help: HELP });
  const url = new URL(text);
  if (!isSafeUrl(url))
    throw new CliError(`${url.protocol}//${url.host} is neither https nor on this machine`, {
      help: "a token must not cross a network in clear; use https",
    });
  if (url.username !== "" || url.password !== "")
    throw new CliError("the URL holds a user name or password", { help: "use --token env:NAME or log in" });
  url.hash = "";
  return url;
}

const HELP = "write the address of an endpoint of the gateway, such as https://gateway.example.com/jira/mcp";

/** 0 where a free port is to be taken. */
export function boundedRedirectPort(text: string | undefined): number {
  if (text === undefined) return 0;
  const port = /^\d{1,5}$/u.test(text) ? Number(text) : Number.NaN;
  if (port >= 1 && port <= 65_535) return port;
  throw new CliError(`--redirect-port must be a number from 1 to 65535, not ${JSON.stringify(text)}`);
}
