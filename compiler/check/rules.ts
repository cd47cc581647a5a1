// The ordered table of checks.
import type { CheckRule, TextRule } from "./context.ts";
import { exposureConflict } from "./exposure-conflict.ts";
import { grantDenied } from "./grant-denied.ts";
import { hiddenCharacters } from "./hidden-characters.ts";
import { missingTest } from "./missing-test.ts";
import { notGranted } from "./not-granted.ts";
import { expectedReasons } from "./expected-reasons.ts";
import { secretLiteral } from "./secret-literal.ts";
import { suspiciousPin } from "./suspicious-pin.ts";
import { unroutedServer } from "./unrouted-server.ts";
import { unusedIssuer } from "./unused-issuer.ts";

/** Checks of text; they run even where documents are faulty. */
export const TEXT_RULES: readonly TextRule[] = [hiddenCharacters, secretLiteral];

/** Checks of meaning; they run once everything was lowered. */
export const RULES: readonly CheckRule[] = [
  exposureConflict,
  grantDenied,
  notGranted,
  suspiciousPin,
  unroutedServer,
  unusedIssuer,
  expectedReasons,
  missingTest,
];
