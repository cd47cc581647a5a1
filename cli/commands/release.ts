// aegis release: a signed statement that makes a bundle the next release of a channel. `rollback` is the same with an
// old bundle: a new statement with a higher sequence.
import { execFileSync } from "node:child_process";
import { resolve } from "node:path";
import type { Command } from "commander";
import { sha256Hex } from "#bundle";
import { compile, gitWorkspace, showHidden } from "#compiler";
import { cosignRelease, openTrustRoot, releaseBundle, rollbackTo } from "#release";
import type { ReleaseOutcome, ReleaseTarget, ReleaseTerms } from "#release";
import { CliError } from "../output/cli-error.ts";
import { EXIT } from "../output/exit-codes.ts";
import { readInput } from "../output/files.ts";
import { openSigners, withSignerOptions } from "../output/signers.ts";
import type { SignerOptions } from "../output/signers.ts";
import { readReviewedPlan } from "../output/reviewed-plan.ts";
import { readBundleInput, readRootInput } from "../output/trust-files.ts";
import { parseExpiry, parseSeconds } from "../output/instants.ts";
import { jsonDocument } from "../output/io.ts";
import { formatOption } from "../output/options.ts";
import type { CommandHost } from "../program.ts";

interface ReleaseOptions extends SignerOptions {
  readonly root: string;
  readonly channel: string;
  readonly expires: string;
  readonly grace: string;
  readonly plan?: string;
  readonly tests?: string;
  readonly output: string;
  readonly format: string;
}

function withReleaseOptions(command: Command): Command {
  return withSignerOptions(command, "release")
    .requiredOption("--root <root.json>", "root of trust that vouches for the keys")
    .requiredOption("--channel <name>", "channel, which is an environment of the bundle")
    .requiredOption("-o, --output <dir>", "channel directory")
    .option("--expires <when>", "when gateways stop accepting it: 90d, 12h, or an instant", "90d")
    .option("--grace <duration>", "how long gateways serve on past the expiry", "1d")
    .option("--plan <file>", "JSON plan of this bundle that was reviewed; its digest is recorded")
    .option("--tests <file>", "test report; its digest and counts are recorded")
    .addOption(formatOption("text", "json"));
}

export function registerRelease(program: Command, host: CommandHost): void {
  withReleaseOptions(
    program
      .command("release")
      .argument("[file.aegis]", "bundle; without it a waiting statement is co-signed"),
  )
    .option("--digest <sha256>", "without a file: co-sign only a statement of this bundle")
    .summary("Sign a bundle as the next release of a channel.")
    .description(
      "Sign a bundle as the next release of a channel. Of two at once one loses: exit 6.\n" +
        "Below the threshold the statement waits in the channel; run it again without a\n" +
        "file to co-sign.",
    )
    .action(
      host.action(
        async (file: string | undefined, options: ReleaseOptions & { readonly digest?: string }) => {
          if (file !== undefined && options.digest !== undefined)
            throw new CliError("--digest is for co-signing: the digest of a file is its own");
          const target = await openTarget(options, host);
          if (file === undefined) return report(await cosignRelease(target, options.digest), options, host);
          const bundle = await readBundleInput(file, host.io.cwd);
          const terms = await readTerms(options, sha256Hex(bundle), host);
          return report(await releaseBundle(target, terms, bundle), options, host);
        },
      ),
    );
  withReleaseOptions(
    program.command("rollback").requiredOption("--to <digest>", "bundle the channel still holds"),
  )
    .summary("Release an earlier bundle again.")
    .description("Release an earlier bundle again, under a new statement with a higher sequence.")
    .action(
      host.action(async (options: ReleaseOptions & { readonly to: string }) => {
        const target = await openTarget(options, host);
        const terms = await readTerms(options, options.to, host);
        return report(await rollbackTo(target, terms, options.to), options, host);
      }),
    );
}

async function openTarget(options: ReleaseOptions, host: CommandHost): Promise<ReleaseTarget> {
  const path = (file: string): string => resolve(host.io.cwd, file);
  const root = await openTrustRoot(await readRootInput(options.root, host.io.cwd));
  const signers = await openSigners(options, host.io);
  return { directory: path(options.output), channel: options.channel, root, signers, nowMs: Date.now() };
}

async function readTerms(options: ReleaseOptions, digest: string, host: CommandHost): Promise<ReleaseTerms> {
  const source = await provenSource(digest, host);
  return {
    expiresAtMs: parseExpiry(options.expires, Date.now()),
    graceSeconds: parseSeconds(options.grace),
    ...(source === undefined ? {} : { source }),
    ...(options.plan === undefined
      ? {}
      : { plan: await readReviewedPlan(options.plan, host.io.cwd, digest) }),
    ...(options.tests === undefined ? {} : { tests: await readTestReport(options.tests, host.io.cwd) }),
  };
}

async function readTestReport(file: string, cwd: string): Promise<NonNullable<ReleaseTerms["tests"]>> {
  const bytes = await readInput(file, cwd);
  try {
    const report = JSON.parse(Buffer.from(bytes).toString("utf8")) as { passed?: unknown; failed?: unknown };
    const { passed, failed } = report;
    if (Number.isSafeInteger(passed) && Number.isSafeInteger(failed)) {
      return { digest: sha256Hex(bytes), passed: passed as number, failed: failed as number };
    }
  } catch (cause) {
    throw new CliError(`${file} is not JSON`, { cause });
  }
  throw new CliError(`${file} has no counts`, { help: "make it with `aegis test --format json`" });
}

/**
 * Repository and commit the bundle was built from. Recorded only where the commit really compiles to this bundle: a
 * signed statement must not name a source that nobody checked.
 */
async function provenSource(
  digest: string,
  host: CommandHost,
): Promise<{ repo: string; commit: string } | undefined> {
  const { cwd } = host.io;
  const source = gitSource(cwd);
  if (source === undefined) return undefined;
  const built = await buildCommit(cwd, source.commit);
  if (built === digest) return source;
  host.io.err(
    `note: ${source.commit.slice(0, 12)} does not compile to this bundle; no source commit is recorded\n`,
  );
  return undefined;
}

/** Digest of what a commit compiles to; undefined where it does not compile or holds no policy repository. */
async function buildCommit(cwd: string, commit: string): Promise<string | undefined> {
  try {
    const { bundle } = await compile({ dir: cwd, workspace: gitWorkspace(cwd, commit) });
    return bundle?.digest;
  } catch {
    return undefined;
  }
}

/** Repository and commit of the working directory, where it is a Git work tree. */
function gitSource(cwd: string): { repo: string; commit: string } | undefined {
  const git = (...args: string[]): string | undefined => {
    try {
      return execFileSync("git", args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
    } catch {
      return undefined;
    }
  };
  const commit = git("rev-parse", "HEAD");
  if (commit === undefined || !/^[0-9a-f]{40,64}$/u.test(commit)) return undefined;
  return { repo: withoutCredentials(git("remote", "get-url", "origin") ?? "local"), commit };
}

function withoutCredentials(url: string): string {
  return url.replace(/^(\w+:\/\/)[^/@]*@/u, "$1");
}

function report(outcome: ReleaseOutcome, options: ReleaseOptions, host: CommandHost): 0 {
  const { statement, published } = outcome;
  if (options.format === "json") {
    host.io.out(jsonDocument({ formatVersion: 1, published, statement }));
    return EXIT.ok;
  }
  const state = published ? "" : "pending ";
  host.io.out(`${state}${statement.channel} sequence ${statement.sequence}  ${statement.digest}\n`);
  for (const line of recordedLines(statement)) host.io.err(`${line}\n`);
  host.io.err(
    published
      ? `expires ${statement.expiresAt}\n`
      : "not published: more signatures are needed. Run `aegis release` without a file and with the next --key.\n",
  );
  return EXIT.ok;
}

/** What the statement vouches for besides the bundle. */
function recordedLines({ source, plan, tests }: ReleaseOutcome["statement"]): readonly string[] {
  return [
    ...(source === undefined ? [] : [`source  ${source.commit.slice(0, 12)} of ${showHidden(source.repo)}`]),
    ...(plan === undefined ? [] : [`plan    ${plan.digest}`]),
    ...(tests === undefined ? [] : [`tests   ${tests.passed} passed, ${tests.failed} failed`]),
    ...(tests === undefined || tests.failed === 0 ? [] : ["warning: the recorded test report has failures"]),
  ];
}
