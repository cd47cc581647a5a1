// Door #std: leaves that every other folder may use.
export type { Brand } from "./brand.ts";
export type { JsonArray, JsonObject, JsonPrimitive, JsonValue, RawNumber } from "./json.ts";
export { isJsonObject, isRawNumber, rawNumber, setMember } from "./json.ts";
export type { Clock } from "./clock.ts";
export { systemClock } from "./clock.ts";
export { assert } from "./assert.ts";
export { Turn } from "./turn.ts";
export { IdTable } from "./id-table.ts";
export { closestName } from "./closest-name.ts";
export type { Result } from "./result.ts";
export { failure, ok } from "./result.ts";
export { locateInstalled } from "./installed-package.ts";
export { UNSENT_CODES } from "./unsent-codes.ts";
export { dropLongMarkRuns, normalizeStreamSafe } from "./stream-safe.ts";
