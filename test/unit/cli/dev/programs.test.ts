// `programs` of a gateway.json as `aegis pin` and `aegis dev` read them.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { loadPrograms } from "../../../../cli/dev/programs.ts";

const directory = mkdtempSync(join(tmpdir(), "aegis-programs-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
mkdirSync(join(directory, "gw"));
writeFileSync(join(directory, "gw/token"), "secret\n");
const env = { MODE: "plain", KEY: "env:KEY", TOKEN: "file:token" };
const write = (programs: object): void =>
  writeFileSync(join(directory, "gw/gateway.json"), JSON.stringify({ programs }));
const io = { cwd: directory, env: { KEY: "from-env" } };

describe("programs of a gateway.json", () => {
  it("come with arguments, environment and working directory, relative to the file", async () => {
    write({ wiki: { command: "node", args: ["a.js"], env, cwd: "work" } });
    const resolved = await loadPrograms("gw/gateway.json", io, "resolve");
    const cwd = join(directory, "gw/work");
    expect(resolved.get("wiki")).toEqual({
      command: "node",
      args: ["a.js"],
      env: { MODE: "plain", KEY: "from-env", TOKEN: "secret" },
      cwd,
    });
    const kept = await loadPrograms("gw/gateway.json", io, "keep");
    expect(kept.get("wiki")).toMatchObject({
      env: { KEY: "env:KEY", TOKEN: `file:${join(directory, "gw/token")}` },
      cwd,
    });
  });

  it("are refused with every problem, and without a secret in the message", async () => {
    write({ wiki: { command: "node", env: { ...env, OTHER: "env:NOPE" }, cmd: 1 }, "a b": { command: "x" } });
    await expect(loadPrograms("gw/gateway.json", io, "resolve")).rejects.toThrow(
      /\$\.programs\.wiki\.cmd is not a known key[\s\S]*NOPE is not set[\s\S]*not a usable program name/,
    );
  });

  it("are none without a file", async () => {
    expect((await loadPrograms(undefined, io, "resolve")).size).toBe(0);
  });

  it.each([
    ["credentials", { credentials: { wiki: "env:KEY" } }],
    ["egress", { egress: { allow: ["10.0.0.0/8"] } }],
  ])("are none in a file that is named for its %s", async (_name, config) => {
    writeFileSync(join(directory, "gw/gateway.json"), JSON.stringify(config));
    expect((await loadPrograms("gw/gateway.json", io, "resolve")).size).toBe(0);
  });

  it("are asked for where the file has nothing of use", async () => {
    writeFileSync(join(directory, "gw/gateway.json"), JSON.stringify({ stateDir: "/x" }));
    await expect(loadPrograms("gw/gateway.json", io, "resolve")).rejects.toThrow(/no "programs" object/);
  });
});
