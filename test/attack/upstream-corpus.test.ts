// What a server can answer, behind a whole gateway and in both eras: what is no answer becomes an error of the gateway,
// what is beside the answer does not pass, and the gateway goes on.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import type { Misbehaviour } from "../fault/hostile-server.ts";
import { ERAS, startHostileWorld } from "../fault/hostile-world.ts";
import type { HostileWorld } from "../fault/hostile-world.ts";
import { fill } from "./case-file.ts";

interface UpstreamCase {
  readonly id: string;
  readonly title: string;
  readonly body?: string;
  readonly bodyHex?: string;
  readonly type?: "stream";
  readonly mediaType?: string;
  readonly expect: "refused" | "same";
  readonly text?: string;
  readonly absentText?: string;
}

const FILE = join(import.meta.dirname, "..", "data", "attack", "upstream.yaml");
const { cases } = parse(readFileSync(FILE, "utf8")) as { cases: readonly UpstreamCase[] };
const OK = JSON.stringify({ resultType: "complete", content: [{ type: "text", text: "fine" }] });

/** Answers as the case says; its text is made when it is asked for. */
function misbehave({ body = "", bodyHex, type, mediaType }: UpstreamCase): Misbehaviour {
  return ({ id, progressToken }, response) => {
    const variables = { id: String(id), ok: OK, token: JSON.stringify(progressToken ?? null) };
    const bytes =
      bodyHex === undefined
        ? Buffer.from(fill(body, variables), "utf8")
        : Buffer.from(bodyHex.replaceAll(" ", ""), "hex");
    const contentType = mediaType ?? (type === "stream" ? "text/event-stream" : "application/json");
    response.writeHead(200, { "content-type": contentType }).end(bytes);
  };
}

let world: HostileWorld;
beforeAll(async () => {
  world = await startHostileWorld(Object.fromEntries(cases.map((one) => [one.id, misbehave(one)])));
}, 60_000);
afterAll(() => world.stop());

interface Message {
  readonly id?: unknown;
  readonly result?: unknown;
  readonly error?: { readonly code?: number; readonly data?: { readonly code?: string } };
}

/** Every message of a body, by the rules of event streams where it is one. */
function messagesOf(body: string): readonly Message[] {
  if (body.startsWith("{")) return [JSON.parse(body) as Message];
  return body
    .split(/\r\n|\r|\n/u)
    .filter((line) => line.startsWith("data:") && line.length > 6)
    .map((line) => JSON.parse(line.slice(5)) as Message);
}

describe.each(ERAS)("a %s call", (era) => {
  it.each(cases)("$id: $title", async (one) => {
    const body = await world.call(era, "plain", one.id);
    const answers = messagesOf(body).filter(({ id }) => id !== undefined);
    expect(answers).toHaveLength(1);
    const [answer] = answers;
    expect(answer?.id).toBe(7);
    if (one.expect === "refused") {
      expect(answer?.result).toBeUndefined();
      expect(answer?.error?.data?.code).toMatch(
        /^(?:UPSTREAM_PROTOCOL|UPSTREAM_UNAVAILABLE|RESULT_[A-Z_]+)$/u,
      );
      expect(body).not.toContain("canary");
    } else {
      expect(answer?.error).toBeUndefined();
      expect(answer?.result).toBeDefined();
    }
    if (one.text !== undefined) expect(body).toContain(one.text);
    if (one.absentText !== undefined) expect(body).not.toContain(one.absentText);
  });
});

it("the gateway goes on, and none of it was a fault of its own", async () => {
  for (const era of ERAS) expect(await world.call(era, "plain", "well")).toContain("well");
  expect(world.log.filter((line) => line.includes("fault"))).toEqual([]);
});
