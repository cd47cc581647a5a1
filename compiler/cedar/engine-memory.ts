// What the engine answered before in this process, by the exact content it was asked. A plan compiles two versions that
// differ in little, `aegis dev` the same repository after every save, and mutation testing hundreds of near copies.
import { createHash } from "node:crypto";
import type { PolicyJson } from "@cedar-policy/cedar-wasm/nodejs";

/** Entries that are kept; the oldest go first. */
const MAX_PARSED = 20_000;
const MAX_VALID = 100_000;
/** Of one policy text; longer ones are rare. */
const MAX_TEXT_LENGTH = 4_096;

const parsed = new Map<string, PolicyJson>();
const valid = new Set<string>();

/** The JSON form of a policy text that the engine parsed before. Nobody may change it. */
export function knownPolicy(text: string): PolicyJson | undefined {
  return parsed.get(text);
}

export function rememberPolicy(text: string, policy: PolicyJson): void {
  if (text.length > MAX_TEXT_LENGTH) return;
  if (parsed.size >= MAX_PARSED) dropOldest(parsed);
  parsed.set(text, policy);
}

/** Names one question to the validator: the policies with their names, and the schema. */
export function validationKey(schema: object, policies: ReadonlyMap<string, object>): string {
  const hash = createHash("sha256").update(JSON.stringify(schema));
  for (const [name, policy] of policies) hash.update(`\0${name}\0`).update(JSON.stringify(policy));
  return hash.digest("base64");
}

/** True where the engine found nothing to say to that question. Complaints are not kept: they are asked again. */
export function isKnownValid(key: string): boolean {
  return valid.has(key);
}

export function rememberValid(key: string): void {
  if (valid.size >= MAX_VALID) dropOldest(valid);
  valid.add(key);
}

function dropOldest(entries: { keys(): IterableIterator<string>; delete(key: string): boolean }): void {
  for (const key of entries.keys()) {
    entries.delete(key);
    return;
  }
}
