// Decision records of a running gateway in each mode of facts: replayed against an edited repository, and one of them
// explained by its id.
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { runCli } from "#cli";
import { THROWAWAY_ISSUER } from "../../cli/dev/throwaway-issuer.ts";
import type { Workspace } from "#compiler";
import { readAuditRecords } from "./audit-records.ts";
import { startEchoWorld } from "./echo-world.ts";
import type { EchoWorld } from "./echo-world.ts";
import { DEVELOPER, EMPLOYEE } from "./gateway-world.ts";
import { grantingRepository } from "./granting-repository.ts";
import { rawCall } from "./raw-call.ts";

const SECRET = "hunter2";
const POLICY = `forbid (principal, action, resource)
when { context.primitive == "tool" && context.target == "echo" && context.arguments.text.matches("^drop") };\n`;
/** Reads the same text otherwise, so that the match on record tells nothing. */
const EDITED = POLICY.replace("^drop", "^(drop|hunter)");

let world: EchoWorld;
let dir: string;
const modes = ["none", "without-text", "all"] as const;
const ids: Record<string, string> = {};

const repository = (mode: string, policy: string): Workspace =>
  grantingRepository([world.pinned], {
    "policies/text.cedar": policy,
    "retention.yaml": `facts: { default: ${mode} }\n`,
  });

async function put(workspace: Workspace, name: string): Promise<string> {
  for (const path of workspace.list()) {
    const file = join(dir, name, path);
    await mkdir(dirname(file), { recursive: true });
    const text = Buffer.from(workspace.read(path)).toString("utf8");
    // The gateway's bundle trusts the issuer of its tokens: so must what it is compared with.
    await writeFile(file, text.replace("issuer: https://login.example.com/", `issuer: ${THROWAWAY_ISSUER}`));
  }
  return join(dir, name);
}

async function aegis(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const seen = { out: "", err: "" };
  const code = await runCli(argv, {
    out: (text) => (seen.out += text),
    err: (text) => (seen.err += text),
    ...{ colorOut: false, colorErr: false, showProgress: false, cwd: dir, env: {} },
  });
  return { code, ...seen };
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "aegis-replay-"));
  world = await startEchoWorld();
  const token = await world.token(DEVELOPER, "echo");
  for (const mode of modes) {
    await world.release(repository(mode, POLICY));
    await rawCall(world.endpoint("echo"), token, "echo", { text: SECRET });
    await rawCall(world.endpoint("echo"), token, "echo", { text: `drop ${SECRET}` });
    await rawCall(world.endpoint("echo"), await world.token(EMPLOYEE, "echo"), "echo", { text: SECRET });
    const records = await readAuditRecords(world.gateway.auditDir);
    const decisions = records.filter(
      ({ ev, body }) => ev === "decision" && body["target"] === "tools/call:echo/echo",
    );
    ids[mode] = String(decisions.at(-3)?.body["id"]);
  }
});

afterAll(async () => {
  await world.stop();
  await rm(dir, { recursive: true, force: true });
});

it("records no text of the arguments but in mode all, and no facts at all in mode none", async () => {
  const records = await readAuditRecords(world.gateway.auditDir);
  const record = (mode: string): string =>
    JSON.stringify(records.find(({ ev, body }) => ev === "decision" && body["id"] === ids[mode])?.body);
  expect(record("none")).not.toContain('"facts"');
  expect(record("without-text")).toContain('"withheld":["arguments.text"]');
  expect(record("without-text")).not.toContain(SECRET);
  expect(record("all")).toContain(SECRET);
});

it("replays them on both sides of a plan: what the facts cannot tell is indeterminate", async () => {
  await put(repository("all", EDITED), "edited");
  await put(repository("all", POLICY), "same");
  const { bundle } = await world.compile(repository("all", POLICY));
  await writeFile(join(dir, "base.aegis"), bundle?.bytes ?? "");
  const plan = await aegis(
    "plan",
    "edited",
    "--base",
    "base.aegis",
    "--replay",
    world.gateway.auditDir,
    "--format",
    "json",
  );
  expect(plan.err).toBe("");
  const { replay, changes } = JSON.parse(plan.out) as {
    readonly replay: Readonly<Record<string, unknown>>;
    readonly changes: readonly Readonly<Record<string, unknown>>[];
  };
  // With the text, the developer's call is newly denied, and the employee's, which nothing permits, is forbidden as well.
  // Without it nobody can tell how "^(drop|hunter)" comes out. A record without facts tells nothing.
  expect(replay).toMatchObject({ records: 9, changed: 2, skipped: 0 });
  expect(replay["missingFacts"]).toEqual(
    expect.arrayContaining([
      { fact: "facts", records: 3 },
      { fact: "arguments.text", records: expect.any(Number) as number },
    ]),
  );
  const row = changes.find((change) => change["evidence"] === "replay" && change["kind"] === "newly-denied");
  expect(row).toMatchObject({
    kind: "newly-denied",
    action: "tools/call:echo/echo",
    before: { effect: "allow" },
    after: { effect: "deny", reasons: ["policies/text.cedar#0"] },
    changedCalls: 1,
    witness: { arguments: { text: SECRET }, recorded: { id: ids["all"] } },
  });
  const text = await aegis("plan", "edited", "--base", "base.aegis", "--replay", world.gateway.auditDir);
  expect(text.out).toMatch(
    /replayed 9 decisions of \d{4}-\d\d-\d\d.*: \d alike, 2 changed, \d indeterminate \(.*arguments\.text \d/u,
  );
  const markdown = await aegis(
    "plan",
    "edited",
    "--base",
    "base.aegis",
    "--replay",
    world.gateway.auditDir,
    "--format",
    "markdown",
  );
  expect(markdown.out).toContain("replayed 9 decisions");
  const { auditDir } = world.gateway;
  const twice = await aegis(
    ...["plan", "edited", "--base", "base.aegis", "--replay", auditDir, "--replay", `${auditDir}/.`],
  );
  expect(twice.out).toContain("replayed 9 decisions");
  expect(twice.err).toContain("is given more than once: counted once");
});

it("explains one by its id, and says how far it can", async () => {
  const audit = world.gateway.auditDir;
  const asked = ["--decision", ids["all"] ?? "", "--audit", audit];
  const all = await aegis("explain", "same", ...asked, "--bundle", "base.aegis");
  expect(all.code).toBe(0);
  expect(all.out).toContain("the one that decided");
  expect(all.out).toMatch(/\n {2}ended {6}result, after [\d.]+ ms\n/u);
  expect(all.out).toContain("allow, by policies/echo.yaml#/allow/tools/0: as recorded");
  const other = await aegis("explain", "edited", ...asked);
  expect(other.err).toContain("is NOT what decided");
  expect(other.out).toContain("deny, by policies/text.cedar#0: NOT as recorded");
  const withheld = await aegis(
    "explain",
    "edited",
    "--decision",
    ids["without-text"] ?? "",
    "--audit",
    audit,
  );
  expect(withheld.out).toContain("cannot be told: it depends on arguments.text");
  expect(withheld.out).toMatch(/unknown +context\.arguments\.text\.matches/u);
  const none = await aegis("explain", "same", "--decision", ids["none"] ?? "", "--audit", audit);
  expect(none.out).toContain("retention.yaml: facts: { default: without-text }");
});

it("shows what the record has of a decision that no policy was asked about", async () => {
  const token = await world.token(DEVELOPER, "echo");
  const { error } = await rawCall(world.endpoint("echo"), token, "nothing", {});
  const id = error?.data?.decisionId ?? "";
  const asked = ["explain", "--decision", id, "--audit", world.gateway.auditDir];
  const { code, out } = await aegis(...asked);
  expect(code).toBe(0);
  expect(out).toMatch(/^DENY {2}tools\/call {2}.*\(recorded\)\n/u);
  expect(out).toMatch(/ decision +\S+, \d{4}-\d\d-\d\dT\S+, tenant default\n/u);
  expect(out).toMatch(/ caller +\S.*roles Developer.*from 127\.0\.0\.1\n/u);
  expect(out).toContain(
    "  code       TARGET_UNKNOWN\n  stage      target\n  detail     target: no pinned tool",
  );
  const json = await aegis(...asked, "--format", "json");
  expect(JSON.parse(json.out)).toMatchObject({
    formatVersion: 1,
    policiesAsked: false,
    record: { id, code: "TARGET_UNKNOWN", stage: "target", method: "tools/call", effect: "deny" },
  });
});

it("refuses an unknown id with 1 and a log that was tampered with by 6", async () => {
  expect(
    (await aegis("explain", "same", "--decision", "nobody", "--audit", world.gateway.auditDir)).code,
  ).toBe(1);
  const copy = join(dir, "forged");
  await mkdir(copy);
  for (const name of await readdir(world.gateway.auditDir)) {
    const bytes = await readFile(join(world.gateway.auditDir, name)).catch(() => undefined);
    if (bytes !== undefined) await writeFile(join(copy, name), bytes);
  }
  const segment = join(copy, "segment-00000001.jsonl");
  await writeFile(segment, (await readFile(segment, "utf8")).replace('"effect":"deny"', '"effect":"allow"'));
  expect((await aegis("explain", "same", "--decision", ids["all"] ?? "", "--audit", copy)).code).toBe(6);
  expect((await aegis("plan", "edited", "--base", "base.aegis", "--replay", copy)).code).toBe(6);
  expect((await aegis("plan", "edited", "--base", "base.aegis", "--replay", segment)).code).toBe(6);
});

it("says why a call failed that was allowed", async () => {
  await world.echo.close();
  const token = await world.token(DEVELOPER, "echo");
  const { error } = await rawCall(world.endpoint("echo"), token, "echo", { text: "late" });
  const { code = "", decisionId = "" } = error?.data ?? {};
  const audit = world.gateway.auditDir;
  const { out } = await aegis("explain", "same", "--decision", decisionId, "--audit", audit);
  expect(code).toMatch(/^UPSTREAM_/u);
  expect(out).toMatch(/^ALLOW {2}tools\/call:echo\/echo {2}\(recorded\)\n/u);
  expect(out).toMatch(new RegExp(`\\n {2}ended {6}denied ${code}, after [\\d.]+ ms: \\S+: \\S`, "u"));
});
