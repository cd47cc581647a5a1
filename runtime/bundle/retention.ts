// The retention section: how long audit records are to be kept, for whoever deletes them, and what decision records hold.
import type { TenantId } from "./sections.ts";

/**
 * What of the facts of a decision its record holds. `none`: nothing. `without-text`: what the policies read, without any
 * text of the arguments. `all`: those texts too.
 */
export type FactsMode = "none" | "without-text" | "all";

/** Which mode holds for whom. */
export interface FactsEntry {
  /** Of tenants that are not listed; absent = `none`. */
  readonly default?: FactsMode;
  readonly tenants: Readonly<Record<TenantId, FactsMode>>;
}

/** retention.json. The gateway shows the days and deletes nothing. */
export interface RetentionSection {
  /** Days, 1 to 3650, of tenants that are not listed; absent = nothing is said. */
  readonly defaultDays?: number;
  /** Days, 1 to 3650, by tenant. */
  readonly tenants: Readonly<Record<TenantId, number>>;
  /** Facts in decision records; absent = none. */
  readonly facts?: FactsEntry;
}
