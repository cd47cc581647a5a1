// Test suites as the test runner sees them: names resolved, fixtures merged, positions kept.
import type { LeafAction, PrincipalFacts, RequestFacts, ServerId } from "#bundle";
import type { JsonObject } from "#std";
import type { SourceSpan } from "../diagnostics/index.ts";

export interface TestPrincipal {
  readonly name: string;
  readonly facts: PrincipalFacts;
  /** How, when and from where the principal calls. */
  readonly request: RequestFacts;
  /** Required attributes that the fixture leaves out; any entry denies every call, as at the gateway. */
  readonly missingAttributes: readonly string[];
  readonly at: SourceSpan;
}

export interface TestCall {
  readonly name: string;
  readonly server: ServerId;
  readonly action: LeafAction;
  /** Tool or prompt name, or resource URI; one that nothing stands for only where `invalid`. */
  readonly target: string;
  readonly arguments: JsonObject;
  /** The gateway must refuse the call before any policy is asked. */
  readonly invalid: boolean;
  readonly at: SourceSpan;
}

/** What a cell of a matrix must show beside its effect. */
export interface CallExpectation {
  readonly call: string;
  /** Names of the principals whose cells must show it; undefined = all of the matrix. */
  readonly principals: readonly string[] | undefined;
  /** Policy ids that must be among the reasons of the decision. */
  readonly reasons: readonly string[] | undefined;
  /** No other policy may be among the reasons. */
  readonly exactly: boolean;
  /** Exact number of evaluation errors. */
  readonly errors: number | undefined;
  /** What the decision would be were the documents in shadow mode enforced. */
  readonly shadow: "allow" | "deny" | undefined;
  /** Why the call is denied, as the client is told: `POLICY_DENIED`, `ARGUMENTS_INVALID` … */
  readonly code: string | undefined;
  readonly at: SourceSpan;
}

export interface MatrixTest {
  readonly kind: "matrix";
  readonly name: string;
  readonly skip: string | undefined;
  readonly at: SourceSpan;
  readonly principals: readonly TestPrincipal[];
  readonly calls: readonly TestCall[];
  /** Cells that must be allowed; every other cell must be denied. */
  readonly allow: readonly { readonly principal: string; readonly call: string; readonly at: SourceSpan }[];
  readonly expect: readonly CallExpectation[];
}

/** One allowed call, and what the transforms make of its arguments and of the result of the server. */
export interface TransformTest {
  readonly kind: "transform";
  readonly name: string;
  readonly skip: string | undefined;
  readonly at: SourceSpan;
  readonly principal: TestPrincipal;
  readonly call: TestCall;
  readonly upstream: JsonObject | undefined;
  /** Every member named here must be in the result the client sees, with this value. */
  readonly expectResponse: JsonObject | undefined;
  readonly expectRequest: JsonObject | undefined;
}

export type TestCase = MatrixTest | TransformTest;

/** What lists show: exactly `listed` of one server to each principal. */
export interface VisibilityTest {
  readonly name: string;
  readonly skip: string | undefined;
  readonly at: SourceSpan;
  readonly principals: readonly TestPrincipal[];
  readonly server: ServerId;
  readonly listed: readonly {
    readonly action: LeafAction;
    readonly name: string;
    readonly at: SourceSpan;
  }[];
}

export interface TestSuite {
  readonly file: string;
  readonly name: string;
  readonly tests: readonly TestCase[];
  readonly visibility: readonly VisibilityTest[];
}
