// One tool whose schema, policies or callers differ: what is newly allowed is never said to be proved.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { definitionDigest } from "#bundle";
import { compile, formatPins, memoryWorkspace } from "#compiler";
import type { CompileResult } from "#compiler";
import { PROVED_SCOPE, describeSymbolic } from "#plan";
import type { JsonObject, JsonValue } from "#std";
import { isJsonObject } from "#std";
import { proveNoNewPermits } from "#symbolic";
import { createSolver } from "../../../../compiler/symbolic/solver.ts";
import type { Solver } from "../../../../compiler/symbolic/solver.ts";
import { baseFiles } from "../case-project.ts";
import { ONE_TOOL, callTool } from "../one-tool.ts";

const TIMEOUT_MS = 120_000;
const ACTION = `tools/call:one/${ONE_TOOL}`;

interface Side {
  readonly schema?: JsonObject;
  /** Effect and conditions; one that permits every call where absent. */
  readonly policies?: readonly string[];
  /** Further attributes of the first issuer; the issuers of the base project where absent. */
  readonly attributes?: JsonObject;
  readonly external?: "optional";
  /** A method that the server is denied. */
  readonly denied?: string;
  /** Attributes of a second issuer. */
  readonly second?: JsonObject;
}

interface SidesCase extends Side {
  readonly name: string;
  readonly expect: "found" | "open" | "proved";
  readonly reason?: string;
  readonly base?: Side;
  readonly head?: Side;
  /** How many members each side describes, in a closed object. */
  readonly many?: readonly [number, number];
  readonly newlyAllowed?: readonly JsonObject[];
}

const CASES = parse(
  readFileSync(join(import.meta.dirname, "../../../data/symbolic/sides.yaml"), "utf8"),
) as readonly SidesCase[];

function identityOf({ attributes, external, second }: Side): string | undefined {
  if (attributes === undefined) return undefined;
  const issuer = (name: string, own: JsonObject): JsonObject => ({
    issuer: `https://${name}.example.com/`,
    jwksUrl: `https://${name}.example.com/jwks.json`,
    roles: { claim: "roles" },
    attributes: own,
  });
  const isExternal = { type: "Bool", required: external !== "optional" };
  const first = issuer("login", { is_external: isExternal, ...attributes });
  return stringify({ issuers: [first, ...(second === undefined ? [] : [issuer("other", second)])] });
}

function compileSide(side: Side): Promise<CompileResult> {
  const files = baseFiles();
  const definition: JsonObject = { name: ONE_TOOL, inputSchema: { type: "object", ...side.schema } };
  const server = {
    apiVersion: "aegis.dev/v1",
    kind: "Server",
    metadata: { name: "one", owner: "team" },
    transport: { type: "streamable-http", url: "http://127.0.0.1:9/mcp" },
    tier: "internal",
    pinMaxAge: "60s",
  };
  files.set("registry/servers/one.yaml", stringify(server));
  const serverInfo = { name: "one", version: "1" };
  const entry = { kind: "tool", name: ONE_TOOL, eras: ["modern"], definition } as const;
  files.set(
    "registry/pins/one.json",
    formatPins({
      server: "one",
      eras: { modern: { protocolVersion: "2026-07-28", capabilities: { tools: {} }, serverInfo } },
      entries: [{ ...entry, digest: definitionDigest(definition) }],
    }),
  );
  const policies = (side.policies ?? ["permit when { true }"]).map((policy) => {
    const [, effect = "", conditions = ""] = /^(permit|forbid) (.*)$/su.exec(policy) ?? [];
    return `${effect}(principal, action == Action::"${ACTION}", resource) ${conditions};\n`;
  });
  files.set("policies/one.cedar", policies.join(""));
  if (side.denied !== undefined)
    files.set("policies/denied.yaml", stringify({ deny: { [side.denied]: ["one"] } }));
  const identity = identityOf(side);
  if (identity !== undefined) files.set("identity.yaml", identity);
  return compile({ dir: "memory", workspace: memoryWorkspace(files) });
}

function manyMembers(count: number): JsonObject {
  const names = Array.from({ length: count }, (_none, at) => `p${String(at).padStart(4, "0")}`);
  const properties = Object.fromEntries(names.map((name) => [name, { type: ["string", "integer"] }]));
  return { properties, additionalProperties: false };
}

/** `{ repeat: [text, times] }` stands for a text that is too long to be written out. */
function written(value: JsonValue): JsonValue {
  if (!isJsonObject(value)) return value;
  const { repeat } = value;
  if (Array.isArray(repeat)) return String(repeat[0]).repeat(Number(repeat[1]));
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, written(item)]));
}

let solver: Solver;
beforeAll(async () => {
  solver = await createSolver();
}, TIMEOUT_MS);
afterAll(async () => {
  await solver.dispose();
});

it.each(CASES)(
  "$name: $expect",
  async (item) => {
    const sides = await Promise.all(
      ([item.base, item.head] as const).map((own, at) => {
        const many = item.many?.[at];
        return compileSide({ ...item, ...own, ...(many === undefined ? {} : { schema: manyMembers(many) }) });
      }),
    );
    const [base, head] = sides;
    if (base === undefined || head === undefined) throw new Error("no sides");
    const calls = (item.newlyAllowed ?? []).map((call) => written(call) as JsonObject);
    const before = await callTool(base.bundle?.content, calls);
    const after = await callTool(head.bundle?.content, calls);
    expect(before.map(({ effect }) => effect)).toEqual(calls.map(() => "deny"));
    expect(after.map(({ effect }) => effect)).toEqual(calls.map(() => "allow"));

    const { symbolic } = await proveNoNewPermits(base, head, { solver });
    const reasons = symbolic.notAnalysed
      .filter(({ action }) => action === ACTION)
      .map(({ reason }) => reason);
    expect(symbolic.asked).toBeGreaterThanOrEqual(2);
    // Whatever is proved is said with what it is about.
    expect(describeSymbolic(symbolic).join().includes(PROVED_SCOPE)).toBe(symbolic.proved > 0);
    if (item.expect === "open") expect(symbolic.proved).toBe(0);
    else expect(symbolic[item.expect], JSON.stringify(symbolic)).toBe(symbolic.asked);
    if (item.reason !== undefined)
      expect(reasons.every((text) => text.includes(item.reason ?? ""))).toBe(true);
    if (item.reason !== undefined) expect(reasons).toHaveLength(2);
  },
  TIMEOUT_MS,
);
