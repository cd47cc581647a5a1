// The command that the suite starts for a client scenario. All work is done where the gateway was started: this hands
// over what the suite says and exits as it went.
// Usage: node client-command.ts HOST MODE URL
const [host = "", mode = "", url = ""] = process.argv.slice(2);

const response = await fetch(host, {
  method: "POST",
  body: JSON.stringify({
    mode,
    url,
    scenario: process.env["MCP_CONFORMANCE_SCENARIO"],
    revision: process.env["MCP_CONFORMANCE_PROTOCOL_VERSION"],
    context: process.env["MCP_CONFORMANCE_CONTEXT"],
  }),
});
if (!response.ok) {
  process.stderr.write(`${await response.text()}\n`);
  process.exitCode = 1;
}
