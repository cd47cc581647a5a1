// The authenticated caller.
import type { AuthFacts, PrincipalFacts } from "#bundle";

export interface Principal {
  readonly facts: PrincipalFacts;
  readonly auth: AuthFacts;
  readonly issuer: string;
  readonly subject: string;
  /** `client_id` or `azp`, where the token has it. */
  readonly clientId: string | undefined;
  /** Names of required attributes the token did not supply; any entry denies every decision. */
  readonly missingAttributes: readonly string[];
  /** When the token is no longer accepted: its `exp` and the tolerance of clocks. */
  readonly expiresAtMs: number;
  /** Stable key of issuer, subject, tenant and client: sessions and state handles are bound to it. */
  readonly bindingKey: string;
}
