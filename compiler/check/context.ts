// What the checks look at: the documents, and what they were lowered to.
import type { PolicySection, RoutesSection, SourcesSection, TransformsSection } from "#bundle";
import type { ParsedPolicy } from "../cedar/index.ts";
import type { DiagnosticSink } from "../diagnostics/index.ts";
import type { Documents } from "../documents/load.ts";
import type { LoweredIdentity } from "../lower/identity.ts";
import type { LoweredPolicies } from "../lower/policies.ts";
import type { LoweredRegistry } from "../lower/registry.ts";
import type { TestSuite } from "../model/test-suite.ts";

export interface CheckContext {
  readonly documents: Documents;
  readonly registry: LoweredRegistry;
  readonly identity: LoweredIdentity;
  readonly lowered: LoweredPolicies;
  readonly policies: PolicySection;
  readonly sources: SourcesSection;
  /** Every policy, written in Cedar or generated from a document. */
  readonly parsed: readonly ParsedPolicy[];
  readonly routes: RoutesSection;
  readonly transforms: TransformsSection;
  readonly suites: readonly TestSuite[];
  readonly sink: DiagnosticSink;
}

/** A rule looks at a whole project and reports what it finds; it never changes what is emitted. */
export interface CheckRule {
  readonly name: string;
  readonly run: (context: CheckContext) => void;
}

/** A rule that looks at the text of one file. */
export interface TextRule {
  readonly name: string;
  readonly run: (file: string, text: string, sink: DiagnosticSink) => void;
}
