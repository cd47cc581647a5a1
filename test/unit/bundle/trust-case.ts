// What a case of the trust tables may say. A word that is not known here is an error, not a step that does nothing.
import type { BundleName } from "./trust-world.ts";

/** The first root; absent parts are: root 2 of a b c, release 2 of r s t, epoch 0, a life of 365 days. */
export interface World {
  readonly root?: readonly string[];
  readonly rootThreshold?: number;
  readonly release?: readonly string[];
  readonly releaseThreshold?: number;
  readonly epoch?: number;
  readonly rootExpires?: string;
  /** What gateway.json says of the least release. */
  readonly floor?: { readonly epoch: number; readonly sequence: number };
}

export interface SignatureSpec {
  readonly by: string;
  /** Names another key, or says this id. */
  readonly as?: string;
  /** Members of the protected header to add or replace, after the signature was made. */
  readonly header?: Readonly<Record<string, unknown>>;
  readonly dropHeader?: readonly string[];
  /** The signature covers the header as it is written. */
  readonly signsHeader?: boolean;
  readonly unprotected?: Readonly<Record<string, unknown>>;
  readonly hmac?: boolean;
  readonly signature?: string;
  readonly tail?: string;
}

export interface Envelope {
  readonly set?: Readonly<Record<string, unknown>>;
  readonly drop?: readonly string[];
  readonly replacePayload?: Readonly<Record<string, unknown>>;
  readonly tail?: string;
}

export interface ReleaseStep {
  readonly sequence: number;
  readonly bundle?: BundleName;
  readonly by?: readonly string[];
  readonly epoch?: number;
  readonly issued?: string;
  readonly expires?: string;
  readonly grace?: string;
  readonly set?: Readonly<Record<string, unknown>>;
  readonly signatures?: readonly SignatureSpec[];
  readonly envelope?: Envelope;
}

export interface RootChangeStep {
  readonly by?: readonly string[];
  readonly version?: number;
  readonly file?: number;
  readonly addRoot?: readonly string[];
  readonly addRelease?: readonly string[];
  readonly remove?: readonly string[];
  readonly rootThreshold?: number;
  readonly releaseThreshold?: number;
  readonly revoke?: readonly BundleName[];
  readonly epoch?: number;
  readonly raiseEpoch?: boolean;
  readonly expires?: string;
  readonly set?: Readonly<Record<string, unknown>>;
  readonly signatures?: readonly SignatureSpec[];
  /** This key under a second id as well. */
  readonly alias?: string;
  /** Later steps do not build on this root. */
  readonly forget?: boolean;
}

export type Step =
  | { readonly op: "release"; readonly release: ReleaseStep }
  | { readonly op: "root"; readonly root: RootChangeStep }
  | { readonly op: "put"; readonly put: string; readonly text: string }
  | { readonly op: "take"; readonly take: string }
  | { readonly op: "wait"; readonly wait: string }
  | { readonly op: "lose"; readonly lose: string }
  | { readonly op: "poll"; readonly poll: string }
  | { readonly op: "restart"; readonly restart: string }
  | { readonly op: "serves"; readonly serves: string }
  | {
      readonly op: "tool";
      readonly tool: "release" | "rollback" | "cosign" | "rotate";
      readonly by: readonly string[];
      readonly bundle?: BundleName;
      readonly remove?: readonly string[];
      readonly expect: string;
    };

export interface TrustCase {
  readonly name: string;
  readonly world: World;
  readonly steps: readonly Step[];
}

const WORLD = "root rootThreshold release releaseThreshold epoch rootExpires floor";
const SIGNATURE = "by as header dropHeader signsHeader unprotected hmac signature tail";
const ENVELOPE = "set drop replacePayload tail";
const RELEASE = "sequence bundle by epoch issued expires grace set signatures envelope";
const ROOT =
  "by version file addRoot addRelease remove rootThreshold releaseThreshold revoke epoch raiseEpoch expires set " +
  "signatures alias forget";
const STEPS: Readonly<Record<string, string>> = {
  release: "release",
  root: "root",
  put: "put text",
  take: "take",
  wait: "wait",
  lose: "lose",
  poll: "poll",
  restart: "restart",
  serves: "serves",
  tool: "tool by bundle remove expect",
};

/** Reads a table. Throws where it holds a word that no step knows. */
export function readCases(table: unknown): readonly TrustCase[] {
  if (!Array.isArray(table)) throw new Error("a table is a list of cases");
  return table.map((value: unknown): TrustCase => {
    const entry = members(value, "name world steps");
    const { name, world = {}, steps } = entry;
    if (typeof name !== "string" || !Array.isArray(steps)) throw new Error("a case has a name and steps");
    members(world, WORLD);
    return { name, world: world as World, steps: steps.map((step: unknown) => readStep(step, name)) };
  });
}

function readStep(value: unknown, name: string): Step {
  const op = Object.keys(STEPS).find((word) => Object.hasOwn(value as object, word));
  if (op === undefined) throw new Error(`${name}: no such step: ${JSON.stringify(value)}`);
  const step = members(value, STEPS[op] ?? "");
  const detail = step[op];
  if (op === "release" || op === "root") {
    const { signatures = [], envelope = {} } = members(detail, op === "release" ? RELEASE : ROOT);
    for (const signature of signatures as unknown[]) members(signature, SIGNATURE);
    members(envelope, ENVELOPE);
  } else if (typeof detail !== "string") throw new Error(`${name}: ${op} takes a word`);
  return { ...step, op } as unknown as Step;
}

function members(value: unknown, known: string): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new Error("an object expected");
  const unknown = Object.keys(value).filter((member) => !known.split(" ").includes(member));
  if (unknown.length > 0) throw new Error(`no such word: ${unknown.join(", ")}; known: ${known}`);
  return value as Readonly<Record<string, unknown>>;
}
