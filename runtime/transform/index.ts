// Door #transform: what is removed from requests and results before they leave the gateway.
export { compileTransform } from "./compile-transform.ts";
export type { CompiledTransform } from "./compile-transform.ts";
export {
  applyError,
  applyRequest,
  applyResponse,
  applyTask,
  hashKeyOf,
  scrubMessage,
} from "./apply-transform.ts";
export type { TransformOptions, TransformOutcome } from "./apply-transform.ts";
export { REDACTED, REMOVED_TEXT } from "./secrets.ts";
export { truncateText } from "./walk.ts";
export { parseJsonText } from "./json-text.ts";
