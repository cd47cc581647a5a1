// Which layer of a repository a file belongs to: the platform, or one tenant. Only the path says so.
import { DEFAULT_TENANT } from "#bundle";
import type { TenantId } from "#bundle";

/** One layer of a repository, and where a file lies in it. */
export interface LayerPath {
  /** `DEFAULT_TENANT` for the platform. */
  readonly tenant: TenantId;
  /** The path within the layer, e.g. `policies/sql.yaml`. */
  readonly path: string;
}

/** Lower-case letters, digits and dashes, at most 63, as in a DNS label. */
export const TENANT_ID = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/u;

/** Names that a tenant could be mistaken for. */
export const RESERVED_TENANTS: readonly string[] = [DEFAULT_TENANT, "platform", "system"];

/** The layer of a file: that of `tenants/<id>/…`, else the platform. */
export function layerOf(file: string): LayerPath {
  const [, tenant, path] = /^tenants\/([^/]+)\/(.+)$/su.exec(file) ?? [];
  if (tenant === undefined || path === undefined) return { tenant: DEFAULT_TENANT, path: file };
  // A directory of a reserved name is no layer of its own, and must never be read as one of the platform.
  return {
    tenant: TENANT_ID.test(tenant) && !RESERVED_TENANTS.includes(tenant) ? tenant : `?${tenant}`,
    path,
  };
}

/** The file of a layer: the inverse of `layerOf`. */
export function fileInLayer(tenant: TenantId, path: string): string {
  return tenant === DEFAULT_TENANT ? path : `tenants/${tenant}/${path}`;
}
