// Whose counter a limit is charged to.
import { hash } from "node:crypto";
import type { LeafAction, LimitEntry, LimitKey, ServerId, TenantId } from "#bundle";
import type { Principal } from "#authn";

/** What a limit can be counted by. */
export interface LimitSubject {
  /** Of the endpoint. */
  readonly tenant: TenantId;
  readonly principal: Pick<Principal, "facts" | "issuer">;
  readonly server: ServerId;
  readonly action: LeafAction;
}

/** One counter's name. Hashed, so that a caller cannot choose its length or forge a separator. */
export function limitKey(limit: LimitEntry, subject: LimitSubject): string {
  const parts = limit.per.map((part) => `${part}=${keyPart(part, subject)}`);
  const scope = JSON.stringify([subject.tenant, limit.id, ...parts]);
  return hash("sha256", scope, "base64url");
}

function keyPart(part: LimitKey, { tenant, principal, server, action }: LimitSubject): string {
  switch (part) {
    case "principal":
      // Not the client: where clients register themselves, a caller would have one allowance for each.
      return JSON.stringify([principal.issuer, principal.facts.id]);
    case "tenant":
      return tenant;
    case "server":
      return server;
    case "tool":
      return action;
  }
}
