// The plan that a release records: what was reviewed must be what is signed.
import { sha256Hex } from "#bundle";
import type { Digest } from "#bundle";
import { PLAN_FORMAT_VERSION } from "#plan";
import { CliError } from "./cli-error.ts";
import { EXIT } from "./exit-codes.ts";
import { readInput } from "./files.ts";

/**
 * The sha-256 of the bytes of a plan as JSON. Throws CliError: exit 6 where the plan is of another bundle than `bundle`,
 * exit 5 where a gate or an invariant stopped it.
 */
export async function readReviewedPlan(
  file: string,
  cwd: string,
  bundle: Digest,
): Promise<{ readonly digest: Digest }> {
  const bytes = await readInput(file, cwd);
  const plan = parsePlan(file, bytes);
  const head = member(plan, "head", "digest");
  if (member(plan, "formatVersion") !== PLAN_FORMAT_VERSION || typeof head !== "string") {
    throw new CliError(`${file} is not a plan`, { help: "make it with `aegis plan --out plan.json`" });
  }
  if (head !== bundle) {
    throw new CliError(
      `${file} is the plan of the bundle ${head.slice(0, 12)}, not of ${bundle.slice(0, 12)}`,
      {
        exitCode: EXIT.trust,
        help: "what was reviewed must be what is signed: plan the commit that this bundle was built from",
      },
    );
  }
  if (isStopped(member(plan, "gates"), "result") || isStopped(member(plan, "invariants"), "status")) {
    throw new CliError(`a gate or an invariant is violated in ${file}`, { exitCode: EXIT.gate });
  }
  return { digest: sha256Hex(bytes) };
}

function parsePlan(file: string, bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString("utf8")) as unknown;
  } catch (cause) {
    throw new CliError(`${file} is not JSON`, { cause });
  }
}

function member(value: unknown, ...path: readonly string[]): unknown {
  let at = value;
  for (const name of path) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, name)) return undefined;
    at = (at as Readonly<Record<string, unknown>>)[name];
  }
  return at;
}

function isStopped(results: unknown, key: string): boolean {
  return Array.isArray(results) && results.some((result: unknown) => member(result, key) === "violated");
}
