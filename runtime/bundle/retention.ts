// The retention section: how long audit records are to be kept, for whoever deletes them.
import type { TenantId } from "./sections.ts";

/** retention.json. The gateway shows it and deletes nothing. */
export interface RetentionSection {
  /** Days, 1 to 3650, of tenants that are not listed; absent = nothing is said. */
  readonly defaultDays?: number;
  /** Days, 1 to 3650, by tenant. */
  readonly tenants: Readonly<Record<TenantId, number>>;
}
