// A port without TLS that others could reach is spoken of when the gateway starts; one for this machine alone is not.
import { spawn } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startEchoWorld } from "./echo-world.ts";
import type { EchoWorld } from "./echo-world.ts";
import { ROOT } from "./start-process.ts";

const WARNING = "listening without TLS beyond this machine";

let world: EchoWorld;
beforeAll(async () => {
  world = await startEchoWorld();
}, 60_000);
afterAll(() => world.stop());

/** What a gateway says that is to listen on an address which this machine does not have (RFC 5737). */
async function startElsewhere(): Promise<string> {
  const config = JSON.parse(await readFile(world.gateway.configPath, "utf8")) as Record<string, unknown>;
  Object.assign(config, {
    listen: { host: "192.0.2.1", port: 0 },
    stateDir: join(world.dir, "elsewhere-state"),
    audit: { dir: join(world.dir, "elsewhere-audit") },
  });
  const path = join(world.dir, "elsewhere.json");
  await writeFile(path, JSON.stringify(config));
  const child = spawn(process.execPath, [join(ROOT, "runtime/main.ts"), "--config", path]);
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (chunk: string) => (said += chunk));
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  expect(code, said).toBe(1);
  return said;
}

it("warns where tokens could be read on the way", async () => {
  const line = (await startElsewhere()).split("\n").find((text) => text.includes(WARNING));
  expect(JSON.parse(line ?? "{}")).toMatchObject({ level: "warn", host: "192.0.2.1" });
});

it("says nothing of a port for this machine alone", () => {
  expect(world.log.join("\n")).toContain("listening");
  expect(world.log.join("\n")).not.toContain(WARNING);
});
