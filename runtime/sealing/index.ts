// Door of sealing: state that clients carry for the gateway.
export { SEALING_KEY_MIN_BYTES, createSealer } from "./sealer.ts";
export type { SealPurpose, Sealer, SealerOptions } from "./sealer.ts";
