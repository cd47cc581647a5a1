// Which definitions can be allowed or denied at all, whoever calls.
import type { BundleContent, Digest, LeafEntry, PolicySection } from "#bundle";
import { booleanLiteral } from "../../cedar/est.ts";
import type { PolicyEst } from "../../cedar/index.ts";

/** What a list shows or a rule opens; methods are covered by the policies that name them. */
export function isDefinition({ kind }: LeafEntry): boolean {
  return ["tool", "prompt", "resource", "resource-template", "resource-rule"].includes(kind);
}

export interface LeafOpenness {
  readonly canAllow: boolean;
  readonly canDeny: boolean;
}

/** Whether the slices of each leaf leave both decisions open; over all tenants. */
export function openLeaves({ policies }: BundleContent): ReadonlyMap<string, LeafOpenness> {
  const open = new Map<string, LeafOpenness>();
  for (const slice of policies.slices) {
    const residuals = slice.call.map(({ residual }) => residualOf(policies, residual));
    const permits = residuals.filter((residual) => residual?.effect === "permit");
    const forbids = residuals.filter((residual) => residual?.effect === "forbid");
    const canAllow = permits.length > 0 && !forbids.some(isUnconditional);
    const canDeny = !(permits.some(isUnconditional) && forbids.length === 0);
    const before = open.get(slice.action);
    open.set(slice.action, {
      canAllow: canAllow || before?.canAllow === true,
      canDeny: canDeny || before?.canDeny === true,
    });
  }
  return open;
}

/** A residual of a bundle is a policy in Cedar's JSON form: the compiler wrote it. */
function residualOf({ residuals }: PolicySection, digest: Digest): PolicyEst | undefined {
  return Object.hasOwn(residuals, digest) ? (residuals[digest] as unknown as PolicyEst) : undefined;
}

function isUnconditional(policy: PolicyEst | undefined): boolean {
  if (policy?.principal["op"] !== "All") return false;
  return policy.conditions.every(({ kind, body }) => {
    const value = booleanLiteral(body);
    return value !== undefined && value === (kind === "when");
  });
}
