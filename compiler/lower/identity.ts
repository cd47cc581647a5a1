// identity.yaml → issuers of each environment, and the principal attributes that policies may read.
import { posix } from "node:path";
import { DEFAULT_TENANT } from "#bundle";
import type { AttributeMapping, ClaimType, IssuerEntry, TenantId } from "#bundle";
import { isJsonObject } from "#std";
import type { JsonObject } from "#std";
import type { DiagnosticSink, SourceSpan } from "../diagnostics/index.ts";
import { fileInLayer, layerOf } from "../documents/layer.ts";
import { roleOf } from "../documents/load.ts";
import type { Parsed } from "../documents/load.ts";
import type { IdentityShape, IssuerShape } from "../documents/shapes.ts";
import { didYouMean } from "../documents/yaml-source.ts";
import type { Workspace } from "../workspace/index.ts";
import type { Layer, Layers } from "./layers.ts";
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
  /** Attributes of callers of the default tenant. */
  readonly attributes: readonly PrincipalAttribute[];
  /** Attributes of a tenant's callers: those of the platform, and those that its own issuers map. */
  readonly attributesOf: (tenant: TenantId) => readonly PrincipalAttribute[];
  /** Issuers of an environment, by `iss`, with where they are declared. */
  readonly issuersOf: (environment: string) => ReadonlyMap<string, DeclaredIssuer>;
}

export interface DeclaredIssuer {
  readonly entry: IssuerEntry;
  /** Undefined for an issuer of the overlay. */
  readonly at: SourceSpan | undefined;
}

type Document = Parsed<IdentityShape>;

/** Key sets hold a handful of keys; each goes into the bundle. */
const MAX_KEY_SET_BYTES = 256 * 1024;

const KEY_SET_FOLDER = "identity/";

/** Reads a key set of a layer, or says what is wrong with it. `path`: within the layer, as it is written. */
function readKeySet(workspace: Workspace, tenant: TenantId, path: string): JsonObject | string {
  const file = fileInLayer(tenant, path);
  if (!workspace.list().includes(file)) return absentKeySet(workspace, tenant, path);
  try {
    const bytes = workspace.read(file);
    if (bytes.length > MAX_KEY_SET_BYTES)
      return `${file} has ${bytes.length} bytes; a key set has at most ${MAX_KEY_SET_BYTES}`;
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    const keys = isJsonObject(value) ? value["keys"] : undefined;
    if (!isJsonObject(value) || !Array.isArray(keys) || keys.length === 0)
      return `${file} is not a JSON Web Key Set`;
    const secret = keys.some((key) => isJsonObject(key) && PRIVATE_KEY_MEMBERS.some((name) => name in key));
    return secret ? `${file} contains a private or symmetric key` : value;
  } catch {
    return `${file} is not JSON`;
  }
}

/** Whoever wrote the name without its folder is told the path to write. Looks into no other layer. */
function absentKeySet(workspace: Workspace, tenant: TenantId, path: string): string {
  const absent = `there is no file ${fileInLayer(tenant, path)}`;
  if (path.startsWith(KEY_SET_FOLDER)) return `${absent}; key sets lie in ${KEY_SET_FOLDER}`;
  const meant = `${KEY_SET_FOLDER}${posix.basename(path)}`;
  return workspace.list().includes(fileInLayer(tenant, meant))
    ? `${absent}; write ${meant}`
    : `${absent}; key sets lie in ${KEY_SET_FOLDER} and are written with it, as ${KEY_SET_FOLDER}jwks.json`;
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
    // Only the listed files of the layer: a tenant cannot name a key set of another.
    const jwks = readKeySet(workspace, layerOf(document.source.file).tenant, jwksFile);
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

function lowerIssuer(issuer: IssuerShape, keys: IssuerEntry["keys"], tenant: TenantId): IssuerEntry {
  const { map } = issuer.roles ?? {};
  const { tenants } = issuer;
  return {
    issuer: issuer.issuer,
    keys,
    algorithms: issuer.algorithms ?? DEFAULT_ALGORITHMS,
    ...(issuer.tokenType === undefined ? {} : { tokenType: issuer.tokenType }),
    tenant,
    ...(tenants === undefined || tenant !== DEFAULT_TENANT ? {} : { tenantOf: tenants }),
    ...(issuer.agents === undefined ? {} : { agents: issuer.agents }),
    idClaim: issuer.id ?? "sub",
    ...(issuer.roles === undefined ? {} : { rolesClaim: issuer.roles.claim }),
    ...(map === undefined ? {} : { roleMap: map }),
    ...(issuer.groups === undefined ? {} : { groupsClaim: issuer.groups.claim }),
    attributes: mappingsOf(issuer),
  };
}

interface WrittenIssuer {
  readonly document: Document;
  readonly issuer: IssuerShape;
  readonly index: number;
}

function issuersIn({ documents }: Layer): readonly WrittenIssuer[] {
  return documents.identity.flatMap((document) =>
    document.shape.issuers.map((issuer, index) => ({ document, issuer, index })),
  );
}

/** True where the issuer of the platform vouches for callers of the tenant. */
function vouchesFor(issuer: IssuerShape, tenant: TenantId): boolean {
  if (issuer.tenants === undefined) return tenant === DEFAULT_TENANT;
  return Object.values(issuer.tenants.map).includes(tenant);
}

/** What the platform declares has one type for all; what a tenant adds is known to its own policies alone. */
function attributesOf(platform: Layer, layer: Layer, sink: DiagnosticSink): readonly PrincipalAttribute[] {
  const general = issuersIn(platform);
  const own = layer.tenant === DEFAULT_TENANT ? [] : issuersIn(layer);
  const vouching = [...general.filter(({ issuer }) => vouchesFor(issuer, layer.tenant)), ...own];
  const found = new Map<string, ClaimType>();
  for (const { document, issuer, index } of [...general, ...own]) {
    for (const [name, { type }] of Object.entries(issuer.attributes ?? {})) {
      const known = found.get(name) ?? type;
      found.set(name, known);
      if (known === type || layerOf(document.source.file).tenant !== layer.tenant) continue;
      const at = document.source.at("issuers", index, "attributes", name, "type");
      sink.report("ATTRIBUTE_CONFLICT", at, `${name} is ${known} for another issuer`);
    }
  }
  const isRequired = (name: string): boolean =>
    vouching.length > 0 &&
    vouching.every(
      ({ issuer }) => new Map(Object.entries(issuer.attributes ?? {})).get(name)?.required === true,
    );
  return [...found]
    .map(([name, type]) => ({ name, type, required: isRequired(name) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

interface ScopedIssuer extends DeclaredIssuer {
  readonly environments: readonly string[] | undefined;
}

function checkRoleMap({ documents }: Layer, written: WrittenIssuer, sink: DiagnosticSink): void {
  const known = documents.project?.shape.roles;
  const { document, issuer, index } = written;
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

function checkTenants(layers: Layers, layer: Layer, written: WrittenIssuer, sink: DiagnosticSink): void {
  const { document, issuer, index } = written;
  if (issuer.tenants === undefined) return;
  if (layer.tenant !== DEFAULT_TENANT) {
    const help = "only the platform's identity.yaml says which tenant a caller belongs to";
    const message = `every caller of this issuer belongs to ${layer.tenant}`;
    sink.report("TENANT_ESCAPE", document.source.atKey("issuers", index, "tenants"), message, help);
    return;
  }
  const known = [DEFAULT_TENANT, ...layers.tenants.keys()];
  for (const [value, tenant] of Object.entries(issuer.tenants.map)) {
    if (known.includes(tenant)) continue;
    const at = document.source.at("issuers", index, "tenants", "map", value);
    const message = `the tenant ${JSON.stringify(tenant)} is not declared`;
    sink.report("TENANT_UNKNOWN", at, message, didYouMean(tenant, known));
  }
}

/** Platform policies trust these attributes: whoever could map them could claim anything. */
function checkAttributes(layers: Layers, layer: Layer, written: WrittenIssuer, sink: DiagnosticSink): void {
  if (layer.tenant === DEFAULT_TENANT) return;
  const { document, issuer, index } = written;
  const reserved = new Set(
    issuersIn(layers.platform).flatMap((item) => Object.keys(item.issuer.attributes ?? {})),
  );
  for (const name of Object.keys(issuer.attributes ?? {})) {
    if (!reserved.has(name)) continue;
    const at = document.source.atKey("issuers", index, "attributes", name);
    const help =
      "map another attribute, or let an issuer of the platform identify these callers (tenants: { claim, map })";
    sink.report("TENANT_ESCAPE", at, `the attribute ${name} is the platform's`, help);
  }
}

function checkEnvironments(
  { document, issuer, index }: WrittenIssuer,
  environments: readonly string[],
  sink: DiagnosticSink,
): void {
  for (const [position, name] of (issuer.environments ?? []).entries()) {
    if (environments.includes(name)) continue;
    const place = document.source.at("issuers", index, "environments", position);
    sink.report("ENVIRONMENT_UNKNOWN", place, `the environment ${JSON.stringify(name)} is not declared`);
  }
}

/** An issuer is declared once in the whole repository: a second declaration could replace the keys of the first. */
function declaredIssuers(
  layers: Layers,
  environments: readonly string[],
  workspace: Workspace,
  sink: DiagnosticSink,
): readonly ScopedIssuer[] {
  const seen = new Set<string>();
  const written = layers.all.flatMap((layer) => issuersIn(layer).map((item) => ({ layer, ...item })));
  return written.flatMap(({ layer, ...item }) => {
    const { document, issuer, index } = item;
    const at = document.source.at("issuers", index, "issuer");
    checkEnvironments(item, environments, sink);
    checkRoleMap(layer, item, sink);
    checkTenants(layers, layer, item, sink);
    checkAttributes(layers, layer, item, sink);
    const keys = keysOf(workspace, document, issuer, index, sink);
    if (seen.has(issuer.issuer)) {
      sink.report("DOCUMENT_DUPLICATE", at, `the issuer ${JSON.stringify(issuer.issuer)} is declared twice`);
      return [];
    }
    seen.add(issuer.issuer);
    if (keys === undefined) return [];
    return [{ entry: lowerIssuer(issuer, keys, layer.tenant), at, environments: issuer.environments }];
  });
}

export function lowerIdentity(
  layers: Layers,
  environments: readonly string[],
  workspace: Workspace,
  sink: DiagnosticSink,
  overlay: Overlay | undefined,
): LoweredIdentity {
  const { platform } = layers;
  const declared = declaredIssuers(layers, environments, workspace, sink);
  const mapping = declared.find(({ entry }) => entry.tenant === DEFAULT_TENANT)?.entry ?? DEFAULT_MAPPING;
  const attributes = new Map(
    layers.all.map((layer) => [layer.tenant, attributesOf(platform, layer, sink)] as const),
  );
  const read = new Set(
    layers.all.flatMap(({ documents }) => documents.identity.map((item) => item.source.file)),
  );
  const written = workspace.list().filter((file) => roleOf(file) === "Identity");
  return {
    isKnown: written.every((file) => read.has(file)),
    attributes: attributes.get(DEFAULT_TENANT) ?? [],
    attributesOf: (tenant) => attributes.get(tenant) ?? [],
    issuersOf: (environment) => {
      const issuers = new Map<string, DeclaredIssuer>();
      for (const issuer of declared) {
        if (issuer.environments?.includes(environment) === false) continue;
        issuers.set(issuer.entry.issuer, issuer);
      }
      if (overlay?.environment === environment) {
        for (const laid of overlay.issuers ?? []) {
          const {
            tokenType: _tokenType,
            tenantOf: _tenantOf,
            ...base
          } = {
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
