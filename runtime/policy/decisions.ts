// Constructors of denials, and engine messages without the values they quote.
import type { PolicyId } from "#bundle";
import type { Decision } from "./pdp.ts";

/** Stands for the policy id of an error that no single policy caused. */
export const ENGINE_FAULT = "(engine)";

/** A plain denial; `reasons` are the forbids that caused it, empty where no permit applied. */
export function denial(reasons: readonly PolicyId[]): Decision {
  return { effect: "deny", reasons, errors: [] };
}

/** A denial because the request could not be decided. */
export function engineFault(message: string): Decision {
  return { effect: "deny", reasons: [], errors: [{ policy: ENGINE_FAULT, message }] };
}

// Cedar quotes identifiers and argument values alike. These forms quote only names out of policies and schemas.
const namedCauses: readonly RegExp[] = [
  /does not have the attribute `[A-Za-z_][A-Za-z0-9_]*`/,
  /^attribute `[A-Za-z_][A-Za-z0-9_]*` (?:in|on|of) /,
  /^type error: expected [a-z ,()]+, got [a-z ]+$/,
];

/** The cause of an engine error without argument values: these messages go to audit and to operators. */
export function readableCause(error: unknown): string {
  const message =
    typeof error === "object" && error !== null && "message" in error ? String(error.message) : "";
  for (const form of namedCauses) {
    const match = form.exec(message);
    if (match !== null) return match[0].trim();
  }
  const quote = message.search(/[`"':]/);
  const head = (quote < 0 ? message : message.slice(0, quote)).trim();
  return head === "" ? "no readable cause" : head.slice(0, 200);
}
