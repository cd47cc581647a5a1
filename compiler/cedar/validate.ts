// Strict validation by the Cedar engine: residuals against the schema of their leaf, and the lowered text of a policy
// that failed, to learn where.
import type { Schema, ValidationAnswer } from "@cedar-policy/cedar-wasm/nodejs";
import type { JsonObject } from "#std";
import { isKnownValid, rememberValid, validationKey } from "./engine-memory.ts";
import { withCedar } from "./engine.ts";
import { isVar, someExpr } from "./est.ts";
import type { PolicyEst } from "./est.ts";
import { isIdentifier, isSymbol } from "./lexer.ts";
import { complaintsIn } from "./messages.ts";
import type { Complaint } from "./messages.ts";
import { utf16Offset } from "./position.ts";
import type { MappedText, TextRange } from "./position.ts";
import type { PolicyText } from "./split.ts";

/** Complaints per residual key; a residual without any is absent. */
export type Complaints = ReadonlyMap<string, readonly Complaint[]>;

/** Validates several residuals against one schema in one call. Never throws. */
export function validateResiduals(schema: JsonObject, residuals: ReadonlyMap<string, PolicyEst>): Complaints {
  const complaints = new Map<string, readonly Complaint[]>();
  if (residuals.size === 0) return complaints;
  const question = validationKey(schema, residuals);
  if (isKnownValid(question)) return complaints;
  const answer = runValidation(schema, residuals);
  if (typeof answer !== "string" && answer.type === "success") {
    for (const item of [...answer.validationErrors, ...answer.validationWarnings]) {
      const known = complaints.get(item.policyId) ?? [];
      // Each type of principal is asked for: what is wrong for both is one complaint.
      const fresh = complaintsIn(item.error, "CEDAR_TYPE").filter(
        ({ key }) => !known.some((complaint) => complaint.key === key),
      );
      complaints.set(item.policyId, [...known, ...fresh]);
    }
    if (complaints.size === 0) rememberValid(question);
    return complaints;
  }
  // One residual spoils the call for all of them: ask for each alone.
  for (const [key, residual] of residuals) {
    if (residuals.size > 1) {
      const own = validateResiduals(schema, new Map([[key, residual]])).get(key);
      if (own !== undefined) complaints.set(key, own);
    } else complaints.set(key, refusalOf(answer));
  }
  return complaints;
}

function refusalOf(answer: ValidationAnswer | string): readonly Complaint[] {
  if (typeof answer === "string") {
    const message = `the Cedar engine failed: ${answer}`;
    return [{ code: "CEDAR_ENGINE", key: message, message, inContext: false }];
  }
  if (answer.type === "success") return [];
  return answer.errors.flatMap((error) => complaintsIn(error, "CEDAR_ENGINE"));
}

function runValidation(
  schema: JsonObject,
  policies: ReadonlyMap<string, PolicyEst | string>,
): ValidationAnswer | string {
  const staticPolicies = Object.fromEntries(policies) as Record<string, string>;
  const answer = withCedar((cedar) =>
    cedar.validate({ schema: schema as unknown as Schema, policies: { staticPolicies } }),
  );
  return answer.ok ? answer.value : answer.message;
}

/**
 * Where in the policy a complaint arises, as ranges of its source text: the text is validated against the same
 * schema, and the complaints with the same key are taken. Empty where the text gives none.
 */
export function locateComplaint(
  schema: JsonObject,
  policy: PolicyText,
  mapped: MappedText,
  complaint: Complaint,
): readonly TextRange[] {
  const text = withoutActionScope(policy, mapped.text);
  const answer = runValidation(schema, new Map([["policy", text]]));
  if (typeof answer === "string") return [];
  const errors =
    answer.type === "success"
      ? [...answer.validationErrors, ...answer.validationWarnings].map((item) => item.error)
      : answer.errors;
  const ranges = new Map<string, TextRange>();
  for (const { key, bytes } of errors.flatMap((error) => complaintsIn(error, "CEDAR_TYPE"))) {
    if (key !== complaint.key || bytes === undefined) continue;
    const range = mapped.sourceOf({
      start: utf16Offset(text, bytes.start),
      end: utf16Offset(text, bytes.end),
    });
    ranges.set(`${range.start} ${range.end}`, range);
  }
  return [...ranges.values()];
}

/**
 * The text with the action constraint blanked, offsets unchanged: a method is a group, which no request names, so the
 * engine would call every policy on it impossible. Lowering changes nothing before the conditions.
 */
function withoutActionScope(policy: PolicyText, text: string): string {
  const { tokens, effectToken } = policy;
  let depth = 0;
  let clause = 0;
  let start: number | undefined;
  for (let index = effectToken + 1; index < tokens.length; index++) {
    const token = tokens[index];
    if (token === undefined) break;
    if (isSymbol(token, "(") || isSymbol(token, "[")) depth += 1;
    else if (isSymbol(token, ")") || isSymbol(token, "]")) depth -= 1;
    else if (isSymbol(token, ",") && depth === 1) {
      if (start !== undefined) return blank(text, start, token.start);
      clause += 1;
    } else if (clause === 1 && depth === 1 && isIdentifier(token, "action")) start ??= token.end;
    if (depth === 0) break;
  }
  return text;
}

function blank(text: string, start: number, end: number): string {
  return text.slice(0, start) + " ".repeat(end - start) + text.slice(end);
}

/** True where the conditions of a residual mention a variable: `context`, `action`. */
export function mentionsVariable(residual: PolicyEst, name: string): boolean {
  return residual.conditions.some(({ body }) => someExpr(body, (expr) => isVar(expr, name)));
}
