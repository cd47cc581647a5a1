// The ordered table of checks.
import { agentsUndeclared } from "./agents-undeclared.ts";
import { alwaysTrue } from "./always-true.ts";
import { constraintRange } from "./constraint-range.ts";
import type { CheckRule, TextRule } from "./context.ts";
import { duplicateId } from "./duplicate-id.ts";
import { duplicatePolicy } from "./duplicate-policy.ts";
import { exposureConflict } from "./exposure-conflict.ts";
import { grantDenied } from "./grant-denied.ts";
import { hiddenCharacters } from "./hidden-characters.ts";
import { impossibleValue } from "./impossible-value.ts";
import { missingTest } from "./missing-test.ts";
import { mixedCase } from "./mixed-case.ts";
import { notGranted } from "./not-granted.ts";
import { expectedReasons } from "./expected-reasons.ts";
import { permitEverything } from "./permit-everything.ts";
import { policyFanOut } from "./policy-fan-out.ts";
import { secretLiteral } from "./secret-literal.ts";
import { shadowedPermit } from "./shadowed-permit.ts";
import { sqlByText } from "./sql-by-text.ts";
import { suspiciousPin } from "./suspicious-pin.ts";
import { tenantAttributes } from "./tenant-attributes.ts";
import { tenantCondition } from "./tenant-condition.ts";
import { unmappedRole } from "./unmapped-role.ts";
import { unroutedServer } from "./unrouted-server.ts";
import { unusedIssuer } from "./unused-issuer.ts";
import { unusedLimit } from "./unused-limit.ts";
import { unusedPin } from "./unused-pin.ts";

/** Checks of text; they run even where documents are faulty. */
export const TEXT_RULES: readonly TextRule[] = [hiddenCharacters, secretLiteral];

/** Checks of meaning; they run once everything was lowered. */
export const RULES: readonly CheckRule[] = [
  exposureConflict,
  grantDenied,
  notGranted,
  tenantAttributes,
  tenantCondition,
  suspiciousPin,
  unroutedServer,
  unusedIssuer,
  agentsUndeclared,
  expectedReasons,
  missingTest,
  alwaysTrue,
  constraintRange,
  duplicateId,
  duplicatePolicy,
  impossibleValue,
  mixedCase,
  permitEverything,
  policyFanOut,
  shadowedPermit,
  sqlByText,
  unmappedRole,
  unusedLimit,
  unusedPin,
];
