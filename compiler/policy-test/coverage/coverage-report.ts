// What test suites reached of the policies they are about, as data.
import type { LeafAction, LeafKind, ServerId, TransformOperation } from "#bundle";
import type { SourceSpan } from "#compiler";

/**
 * How often a side was seen; `undefined` where it is not demanded, as no definition leaves it open: what every pinned
 * definition fixes is no choice.
 */
export type Seen = number | undefined;

/** One term of a policy; of a YAML line, its principals or its condition. */
export interface ClauseCoverage {
  /** `always`: a policy without conditions, which is true wherever it is asked. */
  readonly kind: "always" | "scope" | "unless" | "when";
  /** As the author wrote it. */
  readonly text: string;
  readonly at: SourceSpan;
  readonly whenTrue: Seen;
  readonly whenFalse: Seen;
  /** Calls on which it could not be evaluated. */
  readonly errors: number;
}

/** A policy that stands in at least one slice. */
export interface PolicyCoverage {
  readonly id: string;
  readonly effect: "permit" | "forbid";
  readonly mode: "enforce" | "shadow";
  /** Written in Cedar; false for a line of YAML. */
  readonly authored: boolean;
  readonly at: SourceSpan;
  /** Calls that it was asked about, by what came of it. */
  readonly satisfied: number;
  readonly notSatisfied: number;
  readonly errored: number;
  readonly clauses: readonly ClauseCoverage[];
}

/** A definition that policies decide: tool, prompt, resource, template or resource rule. */
export interface LeafCoverage {
  readonly action: LeafAction;
  readonly server: ServerId;
  readonly kind: LeafKind;
  readonly name: string;
  /** `undefined`: no policy permits it, or one forbids it to everyone. */
  readonly allowed: Seen;
  /** `undefined`: everyone may, whatever the arguments. */
  readonly denied: Seen;
}

/** One line of `transforms`. */
export interface TransformCoverage {
  readonly policy: string;
  readonly verb: TransformOperation["verb"];
  readonly at: SourceSpan;
  /** Calls and results that it changed. */
  readonly applied: number;
}

/** Outcomes: each demanded side of each clause is one. */
export interface Share {
  readonly covered: number;
  readonly total: number;
}

export interface FileCoverage {
  readonly file: string;
  /** Policies that were satisfied at least once. */
  readonly policies: Share;
  readonly outcomes: Share;
}

export interface CoverageReport {
  /** Of all files; what `--min-coverage` looks at. */
  readonly outcomes: Share;
  readonly policies: Share;
  /** Sides of definitions: allowed and denied are one each. */
  readonly leafSides: Share;
  readonly transformLines: Share;
  /** By name. */
  readonly files: readonly FileCoverage[];
  /** In the order of files and lines. */
  readonly byPolicy: readonly PolicyCoverage[];
  readonly byLeaf: readonly LeafCoverage[];
  readonly byTransform: readonly TransformCoverage[];
}

/** Percent with one decimal, rounded down: 100 only where nothing is missing. Nothing to cover is 100. */
export function percentOf({ covered, total }: Share): number {
  return total === 0 ? 100 : Math.floor((covered / total) * 1000) / 10;
}

/** The demanded sides of a pair. */
export function shareOf(sides: readonly Seen[]): Share {
  const demanded = sides.filter((seen) => seen !== undefined);
  return { covered: demanded.filter((seen) => seen > 0).length, total: demanded.length };
}

export function sumOf(shares: readonly Share[]): Share {
  return {
    covered: shares.reduce((sum, { covered }) => sum + covered, 0),
    total: shares.reduce((sum, { total }) => sum + total, 0),
  };
}
