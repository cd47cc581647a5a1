// Door #errors.
export { ERROR_CODES } from "./codes.ts";
export type { ErrorCode, ErrorCodeEntry } from "./codes.ts";
export { TRUST_CODES } from "./trust-codes.ts";
export type { TrustCode } from "./trust-codes.ts";
export { aboutRequest, requestFault } from "./request-fault.ts";
export { AegisError, TrustError, isAegisError, isTrustError } from "./aegis-error.ts";
