// The first thing a new user runs: the tour, the lines to paste, saves that swap, and an end that leaves nothing.
import { execFile } from "node:child_process";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ROOT, startPlace } from "./start-process.ts";
import type { StartPlace, StartedProcess } from "./start-process.ts";

const START = "cli/demo/start.ts";
const TIMEOUT_MS = 180_000;

let place: StartPlace;
beforeEach(async () => {
  place = await startPlace();
});
afterEach(() => place.remove());

async function expectNothingLeft(): Promise<void> {
  expect(await place.livingProcesses()).toEqual([]);
  expect((await place.temporaryFiles()).filter((name) => name.startsWith("aegis"))).toEqual([]);
}

/** The lines that belong to one client, as they would be pasted. */
function pasted(output: string, client: string): string {
  const lines = output.split("\n");
  const first = lines.findIndex((line) => line.startsWith(`# ${client} `)) + 1;
  const length = lines.slice(first).indexOf("");
  return lines.slice(first, first + length).join("\n");
}

async function shell(line: string): Promise<string> {
  const env = { ...process.env, PATH: `${join(ROOT, "node_modules", ".bin")}:${process.env["PATH"] ?? ""}` };
  const { stdout } = await promisify(execFile)("sh", ["-c", line], { cwd: ROOT, env, timeout: 60_000 });
  return stdout;
}

/** Saves as many editors do: another file, renamed over the first. */
async function save(file: string, edit: (text: string) => string): Promise<void> {
  const before = await readFile(file, "utf8");
  await writeFile(`${file}~`, edit(before));
  await rename(`${file}~`, file);
}

describe("npm start", () => {
  it(
    "plays the tour as stated and ends with 0",
    async () => {
      const run = place.start(START, ["--tour-only", "--port", "0"]);
      expect(await run.ended, `${run.stdout()}\n${run.stderr()}`).toBe(0);
      expect(run.firstOutputMs()).toBeLessThan(10_000);
      const output = run.stdout();
      const steps = output.split(/\n(?=\d\. )/u).slice(1);
      expect(steps).toHaveLength(6);
      expect(steps[0]).toMatch(
        /SELECT id[^]*ALLOWED[^]*sql-prod\.cedar:2[^]*0 before, 1 after[^]*Ada Lovelace/u,
      );
      expect(steps[1]).toMatch(
        /drop table[^]*POLICY_DENIED[^]*constraints\/sql\.query[^]*1 before, 1 after/u,
      );
      expect(steps[2]).toMatch(/wire_transfer[^]*POLICY_DENIED[^]*deny\/tools\/0[^]*0 before, 0 after/u);
      expect(steps[3]).toMatch(
        /jira\.search[^]*ALLOWED[^]*1 before, 2 after[^]*\[redacted\][^]*says \S+@\S+;.*: no/u,
      );
      expect(steps[4]).toMatch(
        /PIN_MISMATCH[^]*2 before, 2 after[^]*approved text[^]*1 in the gateway's log[^]*allowed again/u,
      );
      expect(steps[5]).toMatch(/clean: \d+ records verified/u);
      expect(output + run.stderr()).not.toContain("\u001b");
      await expectNothingLeft();
    },
    TIMEOUT_MS,
  );

  it(
    "says what is not as stated and ends with 5 where the policies decide otherwise",
    async () => {
      await save(join(place.repo, "policies", "baseline.yaml"), (text) =>
        text.replace(/^transforms:[^]*/mu, ""),
      );
      const run = place.start(START, ["--tour-only", "--port", "0", "--dir", place.repo]);
      expect(await run.ended, `${run.stdout()}\n${run.stderr()}`).toBe(5);
      expect(run.stderr()).toContain("step 4: the e-mail address is in the answer");
      await expectNothingLeft();
    },
    TIMEOUT_MS,
  );

  it(
    "stays up, follows saves, and Ctrl-C leaves nothing",
    async () => {
      const run = place.start(START, ["--no-tour", "--port", "0", "--dir", place.repo]);
      await run.until("Ctrl-C stops.\n");
      const answer = JSON.parse(await shell(pasted(run.stdout(), "curl"))) as { result: object };
      expect(answer.result).toMatchObject({ structuredContent: { rowCount: 5 } });
      expect(await shell(pasted(run.stdout(), "MCP Inspector"))).toContain("Ada Lovelace");

      const baseline = join(place.repo, "policies", "baseline.yaml");
      const broken = await savedOutput(run, baseline, (text) => `denny: []\n${text}`, "not swapped");
      expect(broken).toMatch(/policies\/baseline\.yaml:1:1: error DOCUMENT_UNKNOWN_KEY/u);
      const still = JSON.parse(await shell(pasted(run.stdout(), "curl"))) as { result: object };
      expect(still.result).toMatchObject({ structuredContent: { rowCount: 5 } });

      const swapped = await savedOutput(
        run,
        baseline,
        (text) =>
          text
            .replace("denny: []\n", "")
            .replace('"finance.wire_transfer"', '"finance.wire_transfer", "sql.query"'),
        /policy tests: .*FAILED/u,
      );
      expect(swapped).toMatch(/release 2 is active/u);
      expect(swapped).toMatch(/tools\/call:sql-prod\/sql\.query[^]*- deny +developer/u);
      const denied = JSON.parse(await shell(pasted(run.stdout(), "curl"))) as { error: object };
      expect(denied.error).toMatchObject({ code: 4030, data: { code: "POLICY_DENIED" } });

      run.signal("SIGINT");
      expect(await run.ended).toBe(0);
      await expectNothingLeft();
    },
    TIMEOUT_MS,
  );

  it(
    "can be stopped while it starts",
    async () => {
      const run = place.start(START, ["--port", "0"]);
      await run.until("throw-away signing key");
      run.signal("SIGTERM");
      expect(await run.ended, run.stderr()).toBe(0);
      await expectNothingLeft();
    },
    TIMEOUT_MS,
  );

  it("refuses an option it does not know", async () => {
    const run = place.start(START, ["--tours-only"]);
    expect(await run.ended).toBe(1);
    expect(run.stderr()).toContain("--tours-only");
  });
});

describe("aegis dev", () => {
  it(
    "serves a repository in front of the demo servers",
    async () => {
      const run = place.start("cli/main.ts", ["dev", place.repo, "--port", "0", "--demo-servers"]);
      await run.until("Ctrl-C stops.\n");
      expect(await shell(pasted(run.stdout(), "curl"))).toContain("Ada Lovelace");

      // An endpoint that comes with a save: tokens for it, and for it alone, as at the start.
      const from = run.stdout().length;
      await savedOutput(
        run,
        join(place.repo, "routes.yaml"),
        (text) => `${text}  - { path: /all/mcp, servers: [jira, sql-prod] }\n`,
        "policy tests:",
      );
      await expect.poll(() => run.stdout().slice(from), { timeout: 10_000 }).toMatch(/# curl[^]*\n$/u);
      const added = run.stdout().slice(from);
      expect(added).toMatch(/Endpoints new[^]*\/all\/mcp\n {2}\S+: [^\n]*\n {4}ey/u);
      expect(added).not.toMatch(/\/(?:sql-prod|jira|finance-restricted)\/mcp/u);
      expect(await shell(pasted(added, "curl"))).toContain("Ada Lovelace");
      const later = run.stdout().length;
      await savedOutput(
        run,
        join(place.repo, "routes.yaml"),
        (text) => text.replace("deadline: 30s", "deadline: 29s"),
        "policy tests:",
      );
      run.signal("SIGTERM");
      expect(await run.ended).toBe(0);
      expect(run.stdout().slice(later)).toBe("");
      await expectNothingLeft();
    },
    TIMEOUT_MS,
  );

  it("says what stdio servers lack, and ends with 3 for a repository that does not compile", async () => {
    const lacking = place.start("cli/main.ts", ["dev", place.repo, "--port", "0"]);
    expect(await lacking.ended).toBe(1);
    expect(lacking.stderr()).toMatch(/finance-restricted \(program finance-restricted\)[^]*--programs/u);
    await save(join(place.repo, "policies", "baseline.yaml"), (text) => `denny: []\n${text}`);
    const broken = place.start("cli/main.ts", ["dev", place.repo, "--port", "0"]);
    expect(await broken.ended).toBe(3);
    expect(broken.stderr()).toContain("UNKNOWN_KEY");
    await expectNothingLeft();
  });
});

async function savedOutput(
  run: StartedProcess,
  file: string,
  edit: (text: string) => string,
  wanted: string | RegExp,
): Promise<string> {
  const from = run.stderr().length;
  await save(file, edit);
  return run.until(wanted, from);
}
