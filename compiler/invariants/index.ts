// What must hold whatever the policies say.
export { checkInvariants } from "./check-invariants.ts";
export { describeEvidence, violated } from "./render-invariants.ts";
