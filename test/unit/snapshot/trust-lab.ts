// A small world of keys, roots, bundles and channels for the trust tests. Real keys, real files, a clock of its own.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UNKNOWN_REQUEST } from "#pdp";
import { bundleDigest, canonicalJson, encodeBundle, openSelfSignedRoot, sha256Hex } from "#bundle";
import type { BundleContent, ReleaseStatement, TrustedRoot } from "#bundle";
import { createKey, initRoot, loadSigningKey, signDocument } from "../../../compiler/release/index.ts";
import type { SigningKey } from "../../../compiler/release/index.ts";

export const NOW_MS = Date.parse("2026-11-22T12:00:00Z");
export const CHANNEL = "production";

export type KeyName = "root-1" | "root-2" | "release-1" | "release-2" | "release-3" | "stranger";

export interface TrustLab {
  readonly directory: string;
  readonly keys: Readonly<Record<KeyName, SigningKey>>;
  /** Root threshold 2 of 2, release threshold 2 of 3. */
  readonly root: TrustedRoot;
  readonly cleanUp: () => Promise<void>;
}

export async function createTrustLab(): Promise<TrustLab> {
  const directory = await mkdtemp(join(tmpdir(), "aegis-trust-"));
  const make = async (name: KeyName, alg: "Ed25519" | "ES256" = "Ed25519"): Promise<SigningKey> => {
    const path = join(directory, `${name}.json`);
    await createKey(path, alg);
    return loadSigningKey(path);
  };
  const keys = {
    "root-1": await make("root-1"),
    "root-2": await make("root-2"),
    "release-1": await make("release-1"),
    "release-2": await make("release-2", "ES256"),
    "release-3": await make("release-3"),
    stranger: await make("stranger"),
  };
  const draft = await initRoot(
    {
      rootKeys: [keys["root-1"], keys["root-2"]],
      releaseKeys: [keys["release-1"], keys["release-2"], keys["release-3"]],
      rootThreshold: 2,
      releaseThreshold: 2,
      expiresAtMs: NOW_MS + 365 * 86_400_000,
    },
    [keys["root-1"], keys["root-2"]],
  );
  const root = await openSelfSignedRoot(draft.bytes);
  return { directory, keys, root, cleanUp: () => rm(directory, { recursive: true, force: true }) };
}

/** A bundle with every kind of section filled; `label` makes its digest differ. */
export function sampleContent(label = "sample"): BundleContent {
  const definition = { name: "query", inputSchema: { type: "object", title: label } };
  const residual = { effect: "permit", annotations: { id: label } };
  const schema = { "": { entityTypes: {}, actions: {} } };
  const residualDigest = sha256Hex(canonicalJson(residual));
  const schemaDigest = sha256Hex(canonicalJson(schema));
  const action = "tools/call:sql/query";
  const policy = { id: "policies/sql.cedar#0", residual: residualDigest };
  return {
    name: label,
    registry: {
      servers: [
        {
          id: "sql",
          tier: "gold",
          labels: ["a"],
          transports: {
            production: { type: "streamable-http", url: "http://127.0.0.1:9/mcp" },
            __proto__x: { type: "stdio", program: "demo", args: ["-x"] },
          },
          pinMaxAgeMs: 60_000,
          eras: { modern: { protocolVersion: "2026-07-28", capabilities: {}, serverInfo: { name: "sql" } } },
          leaves: [
            {
              action,
              kind: "tool",
              name: "query",
              definitions: [{ eras: ["modern"], digest: sha256Hex(canonicalJson(definition)), definition }],
              argumentsProgram: {
                nodes: [
                  { types: ["object"], properties: { sql: 1 }, additionalProperties: 2 },
                  { types: ["string"], maxLength: 100, projection: "String" },
                  { always: false },
                ],
                root: 0,
              },
              paramHeaders: [{ header: "Mcp-Param-Region", path: ["region"] }],
            },
          ],
        },
      ],
    },
    policies: {
      residuals: { [residualDigest]: residual },
      schemas: { [schemaDigest]: schema },
      slices: [
        {
          tenant: "default",
          action,
          schema: schemaDigest,
          call: [policy],
          visibility: [policy],
          shadow: [],
          derivations: [
            { kind: "matches", name: "m0", path: ["arguments", "sql"], pattern: "^select" },
            { kind: "sql", name: "d0", path: ["arguments", "sql"], dialect: "postgresql" },
          ],
        },
      ],
    },
    routes: {
      environments: {
        [CHANNEL]: {
          routes: [
            {
              path: "/sql/mcp",
              tenant: "default",
              servers: ["sql"],
              resource: "https://gateway.example/sql/mcp",
              issuers: ["https://idp.example"],
              deadlineMs: 30_000,
              maxResponseBytes: 1_000_000,
            },
          ],
          issuers: [
            {
              issuer: "https://idp.example",
              keys: { type: "jwks-url", url: "https://idp.example/jwks" },
              algorithms: ["EdDSA"],
              tenant: "default",
              idClaim: "sub",
              roleMap: { dev: "Developer" },
              attributes: [{ attribute: "is_external", claim: "ext", type: "Bool", required: true }],
            },
          ],
        },
      },
    },
    limits: { limits: [{ id: "calls", actions: [action], per: ["principal"], limit: 5, windowMs: 1000 }] },
    transforms: {
      transforms: [
        {
          tenant: "default",
          action,
          request: [],
          response: [
            {
              policy: policy.id,
              verb: "redact",
              paths: [[{ kind: "name", name: "a" }, { kind: "wildcard" }, { kind: "index", index: 0 }]],
            },
          ],
          publicNames: ["id"],
        },
      ],
    },
    sources: {
      policies: { [policy.id]: { file: "policies/sql.cedar", line: 1, column: 1, effect: "permit" } },
    },
    vectors: {
      vectors: [
        {
          name: "developer selects",
          action,
          principal: {
            type: "User",
            id: "u1",
            tenant: "default",
            roles: ["Developer"],
            groups: [],
            attributes: { is_external: false, level: 3, tags: ["x"] },
          },
          request: UNKNOWN_REQUEST,
          arguments: { sql: "select 1" },
          expect: { effect: "allow", reasons: [policy.id] },
        },
      ],
    },
  };
}

export interface SampleBundle {
  readonly bytes: Uint8Array;
  readonly digest: string;
}

export function sampleBundle(label: string): SampleBundle {
  const bytes = encodeBundle(sampleContent(label), { compilerVersion: "0.1.0" });
  return { bytes, digest: bundleDigest(bytes) };
}

export function statementFor(
  digest: string,
  sequence: number,
  change: Partial<ReleaseStatement> = {},
): ReleaseStatement {
  return {
    formatVersion: 1,
    channel: CHANNEL,
    epoch: 0,
    sequence,
    digest,
    issuedAt: "2026-11-22T11:00:00Z",
    expiresAt: "2026-11-29T11:00:00Z",
    graceSeconds: 3600,
    ...change,
  };
}

export function signRelease(
  lab: TrustLab,
  statement: object,
  signers: readonly KeyName[] = ["release-1", "release-2"],
): Promise<Uint8Array> {
  return signDocument(
    "aegis-release",
    statement,
    signers.map((name) => lab.keys[name]),
  );
}
