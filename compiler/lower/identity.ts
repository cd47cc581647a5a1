// identity.yaml → issuers of each environment, and the principal attributes that policies may read.
import { DEFAULT_TENANT } from "#bundle";
import type { AttributeMapping, ClaimType, IssuerEntry } from "#bundle";
import { isJsonObject } from "#std";
import type { JsonObject } from "#std";
import type { DiagnosticSink, SourceSpan } from "../diagnostics/index.ts";
import type { Documents, Parsed } from "../documents/load.ts";
import type { IdentityShape, IssuerShape } from "../documents/shapes.ts";
import { didYouMean } from "../documents/yaml-source.ts";
import type { Workspace } from "../workspace/index.ts";
import type { Overlay } from "./overlay.ts";

const DEFAULT_ALGORITHMS: readonly string[] = ["RS256", "ES256", "EdDSA"];
const DEFAULT_MAPPING: Pick<IssuerEntry, "idClaim" | "rolesClaim" | "groupsClaim" | "attributes"> = {
  idClaim: "sub",
  rolesClaim: "roles",
  groupsClaim: "groups",
  attributes: [],
};
/** RFC 7517: members that only a private or symmetric key has. */
const PRIVATE_KEY_MEMBERS: readonly string[] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];

/** A principal attribute as policies see it. */
export interface PrincipalAttribute {
  readonly name: string;
  readonly type: ClaimType;
  /** Required by every issuer, so that a policy may read it without a `has` test. */
  readonly required: boolean;
}

export interface LoweredIdentity {
  /** False where identity.yaml has errors of its own: what it declares is not known then. */
  readonly isKnown: boolean;
  readonly attributes: readonly PrincipalAttribute[];
  /** Issuers of an environment, by `iss`, with where they are declared. */
  readonly issuersOf: (environment: string) => ReadonlyMap<string, DeclaredIssuer>;
}

export interface DeclaredIssuer {
  readonly entry: IssuerEntry;
  /** Undefined for an issuer of the overlay. */
  readonly at: SourceSpan | undefined;
}

type Document = Parsed<IdentityShape>;

function readKeySet(workspace: Workspace, file: string): JsonObject | string {
  if (!workspace.list().includes(file)) return `there is no file ${file}; key sets lie in identity/`;
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(workspace.read(file)));
    const keys = isJsonObject(value) ? value["keys"] : undefined;
    if (!isJsonObject(value) || !Array.isArray(keys) || keys.length === 0)
      return `${file} is not a JSON Web Key Set`;
    const secret = keys.some((key) => isJsonObject(key) && PRIVATE_KEY_MEMBERS.some((name) => name in key));
    return secret ? `${file} contains a private or symmetric key` : value;
  } catch {
    return `${file} is not JSON`;
  }
}

function keysOf(
  workspace: Workspace,
  document: Document,
  issuer: IssuerShape,
  index: number,
  sink: DiagnosticSink,
): IssuerEntry["keys"] | undefined {
  const wrong = (member: string, message: string): undefined => {
    sink.report("IDENTITY_KEYS_INVALID", document.source.at("issuers", index, member), message);
  };
  const { jwksUrl, jwksFile } = issuer;
  if ((jwksUrl === undefined) === (jwksFile === undefined))
    return wrong("issuer", "give either jwksUrl or jwksFile");
  if (jwksFile !== undefined) {
    const jwks = readKeySet(workspace, jwksFile);
    return typeof jwks === "string" ? wrong("jwksFile", jwks) : { type: "jwks", jwks };
  }
  const url = URL.parse(jwksUrl ?? "");
  const loopback = url !== null && /^(?:localhost|127\.0\.0\.1|\[::1\])$/u.test(url.hostname);
  if (url === null || (url.protocol !== "https:" && !(url.protocol === "http:" && loopback))) {
    return wrong("jwksUrl", "keys come over https (http only from loopback)");
  }
  return { type: "jwks-url", url: url.href };
}

function mappingsOf(issuer: IssuerShape): readonly AttributeMapping[] {
  return Object.entries(issuer.attributes ?? {})
    .map(([attribute, { claim, type, required }]) => ({
      attribute,
      claim: claim ?? attribute,
      type,
      required: required ?? false,
    }))
    .sort((a, b) => (a.attribute < b.attribute ? -1 : 1));
}

function lowerIssuer(issuer: IssuerShape, keys: IssuerEntry["keys"]): IssuerEntry {
  const { map } = issuer.roles ?? {};
  return {
    issuer: issuer.issuer,
    keys,
    algorithms: issuer.algorithms ?? DEFAULT_ALGORITHMS,
    ...(issuer.tokenType === undefined ? {} : { tokenType: issuer.tokenType }),
    tenant: DEFAULT_TENANT,
    idClaim: issuer.id ?? "sub",
    ...(issuer.roles === undefined ? {} : { rolesClaim: issuer.roles.claim }),
    ...(map === undefined ? {} : { roleMap: map }),
    ...(issuer.groups === undefined ? {} : { groupsClaim: issuer.groups.claim }),
    attributes: mappingsOf(issuer),
  };
}

function attributesOf(documents: Documents, sink: DiagnosticSink): readonly PrincipalAttribute[] {
  const issuers = documents.identity.flatMap((document) =>
    document.shape.issuers.map((issuer, index) => ({ document, issuer, index })),
  );
  const found = new Map<string, { type: ClaimType; required: number }>();
  for (const { document, issuer, index } of issuers) {
    for (const [name, { type, required }] of Object.entries(issuer.attributes ?? {})) {
      const known = found.get(name) ?? { type, required: 0 };
      if (known.type !== type) {
        const at = document.source.at("issuers", index, "attributes", name, "type");
        sink.report("ATTRIBUTE_CONFLICT", at, `${name} is ${known.type} for another issuer`);
      }
      if (required === true) known.required += 1;
      found.set(name, known);
    }
  }
  return [...found]
    .map(([name, { type, required }]) => ({ name, type, required: required === issuers.length }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

interface ScopedIssuer extends DeclaredIssuer {
  readonly environments: readonly string[] | undefined;
}

function checkRoleMap(
  documents: Documents,
  document: Document,
  issuer: IssuerShape,
  index: number,
  sink: DiagnosticSink,
): void {
  const known = documents.project?.shape.roles;
  for (const [value, role] of Object.entries(issuer.roles?.map ?? {})) {
    if (known?.includes(role) !== false) continue;
    const at = document.source.at("issuers", index, "roles", "map", value);
    sink.report(
      "ROLE_UNKNOWN",
      at,
      `the role ${JSON.stringify(role)} is not declared`,
      didYouMean(role, known),
    );
  }
}

function declaredIssuers(
  documents: Documents,
  environments: readonly string[],
  workspace: Workspace,
  sink: DiagnosticSink,
): readonly ScopedIssuer[] {
  const seen = new Set<string>();
  return documents.identity.flatMap((document) =>
    document.shape.issuers.flatMap((issuer, index) => {
      const at = document.source.at("issuers", index, "issuer");
      for (const [position, name] of (issuer.environments ?? []).entries()) {
        if (environments.includes(name)) continue;
        const place = document.source.at("issuers", index, "environments", position);
        sink.report("ENVIRONMENT_UNKNOWN", place, `the environment ${JSON.stringify(name)} is not declared`);
      }
      checkRoleMap(documents, document, issuer, index, sink);
      const keys = keysOf(workspace, document, issuer, index, sink);
      if (seen.has(issuer.issuer)) {
        sink.report(
          "DOCUMENT_DUPLICATE",
          at,
          `the issuer ${JSON.stringify(issuer.issuer)} is declared twice`,
        );
        return [];
      }
      seen.add(issuer.issuer);
      return keys === undefined
        ? []
        : [{ entry: lowerIssuer(issuer, keys), at, environments: issuer.environments }];
    }),
  );
}

export function lowerIdentity(
  documents: Documents,
  environments: readonly string[],
  workspace: Workspace,
  sink: DiagnosticSink,
  overlay: Overlay | undefined,
): LoweredIdentity {
  const declared = declaredIssuers(documents, environments, workspace, sink);
  const mapping = declared[0]?.entry ?? DEFAULT_MAPPING;
  return {
    isKnown: documents.identity.length > 0 || !workspace.list().includes("identity.yaml"),
    attributes: attributesOf(documents, sink),
    issuersOf: (environment) => {
      const issuers = new Map<string, DeclaredIssuer>();
      for (const issuer of declared) {
        if (issuer.environments?.includes(environment) === false) continue;
        issuers.set(issuer.entry.issuer, issuer);
      }
      if (overlay?.environment === environment) {
        for (const laid of overlay.issuers ?? []) {
          const { tokenType: _tokenType, ...base } = {
            ...DEFAULT_MAPPING,
            ...mapping,
          } as Partial<IssuerEntry>;
          const entry = { ...base, ...laid, tenant: DEFAULT_TENANT } as IssuerEntry;
          issuers.set(laid.issuer, { entry, at: undefined });
        }
      }
      return issuers;
    },
  };
}
