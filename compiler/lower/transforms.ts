import type { TransformsSection } from "#bundle";
import type { DiagnosticSink } from "../diagnostics/index.ts";
import type { Documents } from "../documents/load.ts";
import type { NameIndex } from "./names.ts";
import type { LoweredRegistry } from "./registry.ts";
export function lowerTransforms(
  _d: Documents,
  _r: LoweredRegistry,
  _n: NameIndex,
  _s: DiagnosticSink,
): TransformsSection {
  return { transforms: [] };
}
