// From source text to policies the compiler can work on. Every policy is parsed alone, so that one that is broken
// hides no other.
import type { DetailedError, PolicyJson } from "@cedar-policy/cedar-wasm/nodejs";
import type { Derivation, EntityRef, PolicyId, PolicySource, SourcePosition, TenantId } from "#bundle";
import { qualifiedId, TENANT_QUALIFIED } from "#pdp";
import { knownPolicy, rememberPolicy } from "./engine-memory.ts";
import { withCedar } from "./engine.ts";
import type { PolicyEst } from "./est.ts";
import { asJson, jsonDepth, mapEntities, MAX_POLICY_JSON_DEPTH } from "./est.ts";
import { finding } from "./finding.ts";
import type { CedarFinding, CedarSpan } from "./finding.ts";
import { lowerMethods } from "./lower-methods.ts";
import { complaintsIn } from "./messages.ts";
import { LineMap, utf16Offset } from "./position.ts";
import type { MappedText, SpanFinder, TextRange } from "./position.ts";
import { scopedPolicy } from "./specialise.ts";
import type { ScopedPolicy } from "./specialise.ts";
import { splitPolicies } from "./split.ts";
import type { PolicyText } from "./split.ts";
import { checkFileText, checkPolicyText } from "./text-checks.ts";

/** A Cedar file; `file` is relative to the root of the repository. */
export interface CedarSource {
  readonly file: string;
  readonly text: string;
  /** Tenant of the layer that the file belongs to; that of the model where absent. */
  readonly tenant?: TenantId;
}

/** One policy that the compiler wrote from a document. It may read `context._m` and `context._d`. */
export interface GeneratedPolicy {
  readonly id: PolicyId;
  readonly text: string;
  readonly source: CedarSpan;
  readonly reason?: string;
  readonly tenant: TenantId;
  /** The document is in shadow mode. */
  readonly shadow?: boolean;
}

/** A policy that parsed. */
export interface ParsedPolicy {
  readonly id: PolicyId;
  readonly tenant: TenantId;
  /** False for what the compiler wrote: its author is asked elsewhere. */
  readonly authored: boolean;
  /** As written: role and group ids without their tenant. */
  readonly est: PolicyEst;
  readonly scoped: ScopedPolicy;
  /** Decided and recorded, not enforced. */
  readonly shadow: boolean;
  readonly source: PolicySource;
  readonly text: PolicyText;
  readonly mapped: MappedText;
  readonly derivations: readonly Derivation[];
  /** Where in `text` each derivation that the policy itself asks for first stands, by its name. */
  readonly calls: ReadonlyMap<string, TextRange>;
  /** Findings that depend on what else judges the same value, by the name of the derivation. */
  readonly advice: ReadonlyMap<string, CedarFinding>;
  /** Where a range of the policy text lies in its file. */
  readonly spanOf: (range: TextRange) => CedarSpan;
}

export interface ParseOutcome {
  readonly policies: readonly ParsedPolicy[];
  readonly findings: readonly CedarFinding[];
}

/** Policies in one file that a person wrote; the engine needs a tenth of a millisecond for each. */
const MAX_FILE_POLICIES = 5_000;
/** What is no Cedar could give findings without end. One policy that does not parse makes the whole file one. */
const MAX_FILE_FINDINGS = 200;

/** Parses a file that a person wrote. */
export function parseSource(source: CedarSource, tenant: TenantId): ParseOutcome {
  const lines = new LineMap(source.file, source.text);
  const findings: CedarFinding[] = [...checkFileText(source.text, lines)];
  if (findings.some((item) => item.severity === "error")) return { policies: [], findings };
  const policies: ParsedPolicy[] = [];
  const texts = splitPolicies(source.text);
  const excess = texts[MAX_FILE_POLICIES];
  if (excess !== undefined) {
    const span = lines.span({ start: excess.start, end: excess.start });
    const message = `more than ${String(MAX_FILE_POLICIES)} policies in one file`;
    findings.push(finding("CEDAR_TOO_LARGE", span, message, "Split the file, or name targets in sets."));
    return { policies: [], findings };
  }
  for (const text of texts) {
    if (findings.length >= MAX_FILE_FINDINGS) break;
    const id = `${source.file}#${String(text.index)}`;
    const outcome = parsePolicy({ id, tenant, authored: true, text, lines, derivations: [] });
    policies.push(...outcome.policies);
    findings.push(...outcome.findings);
  }
  return { policies, findings };
}

/** Parses a policy that the compiler wrote; all findings point at the document it came from. */
export function parseGenerated(
  generated: GeneratedPolicy & { readonly derivations: readonly Derivation[] },
): ParseOutcome {
  const { id, tenant, source, derivations } = generated;
  const lines: SpanFinder = { span: () => source };
  const texts = splitPolicies(generated.text);
  const [text] = texts;
  if (text === undefined || texts.length > 1) {
    return { policies: [], findings: [finding("CEDAR_SYNTAX", source, `${id} is not exactly one policy`)] };
  }
  const reason = generated.reason;
  return parsePolicy({
    ...{ id, tenant, authored: false, text, lines, derivations, position: source },
    ...{ shadow: generated.shadow ?? false },
    ...(reason === undefined ? {} : { reason }),
  });
}

interface PolicyInput {
  readonly id: PolicyId;
  readonly tenant: TenantId;
  readonly authored: boolean;
  readonly text: PolicyText;
  readonly lines: SpanFinder;
  readonly derivations: readonly Derivation[];
  readonly shadow?: boolean;
  readonly reason?: string;
  readonly position?: SourcePosition;
}

function parsePolicy(input: PolicyInput): ParseOutcome {
  const { id, tenant, authored, text, lines } = input;
  const spanOf = (range: TextRange): CedarSpan =>
    lines.span({ start: text.start + range.start, end: text.start + range.end });
  const lowered = lowerMethods(text, lines);
  const findings: CedarFinding[] = [...checkPolicyText(text, lines, authored), ...lowered.findings];
  if (findings.some((item) => item.severity === "error")) return { policies: [], findings };
  const lowerText = lowered.mapped.text;
  const before = knownPolicy(lowerText);
  const answer =
    before === undefined
      ? withCedar((cedar) => cedar.policyToJson(lowerText))
      : { ok: true as const, value: { type: "success" as const, json: before } };
  const keyword = text.tokens[text.effectToken];
  const head = spanOf({ start: keyword?.start ?? 0, end: keyword?.end ?? 0 });
  if (!answer.ok) {
    findings.push(finding("CEDAR_ENGINE", head, `the Cedar engine failed: ${answer.message}`));
    return { policies: [], findings };
  }
  if (answer.value.type === "failure") {
    findings.push(...answer.value.errors.flatMap((error) => syntaxFindings(error, lowered.mapped, spanOf)));
    return { policies: [], findings };
  }
  if (before === undefined) rememberPolicy(lowerText, answer.value.json);
  const est = estOf(answer.value.json);
  const scoped = scopedPolicy(mapEntities(est, (entity) => qualified(tenant, entity)));
  if (jsonDepth(asJson(scoped.whole)) > MAX_POLICY_JSON_DEPTH) {
    const help = "Split the policy, or use a set with `.contains` instead of nesting.";
    findings.push(finding("CEDAR_TOO_DEEP", head, "the policy is nested too deeply", help));
    return { policies: [], findings };
  }
  const mode = est.annotations?.["mode"];
  if (mode !== undefined && mode !== "shadow") {
    const help = 'Write @mode("shadow"), or leave the annotation out: the policy is then enforced.';
    const message = `@mode is "shadow" or absent, not ${JSON.stringify(mode)}`;
    findings.push(finding("CEDAR_UNKNOWN_MODE", head, message, help));
    return { policies: [], findings };
  }
  const shadow = input.shadow ?? mode === "shadow";
  const reason = input.reason ?? est.annotations?.["reason"] ?? undefined;
  const position = input.position ?? head;
  const policy: ParsedPolicy = {
    ...{ id, tenant, authored, est, text, mapped: lowered.mapped, spanOf },
    scoped,
    shadow,
    source: {
      ...{ file: position.file, line: position.line, column: position.column, effect: est.effect },
      ...(reason === undefined ? {} : { reason }),
      ...(shadow ? { mode: "shadow" as const } : {}),
    },
    derivations: [...input.derivations, ...lowered.derivations],
    calls: lowered.calls,
    advice: lowered.advice,
  };
  return { policies: [policy], findings };
}

function syntaxFindings(
  error: DetailedError,
  mapped: MappedText,
  spanOf: (range: TextRange) => CedarSpan,
): readonly CedarFinding[] {
  return complaintsIn(error, "CEDAR_SYNTAX").map((complaint) => {
    const { start, end } = complaint.bytes ?? { start: 0, end: 0 };
    const range = { start: utf16Offset(mapped.text, start), end: utf16Offset(mapped.text, end) };
    return finding(complaint.code, spanOf(mapped.sourceOf(range)), complaint.message, complaint.help);
  });
}

function estOf(json: PolicyJson): PolicyEst {
  return json as unknown as PolicyEst;
}

function qualified(tenant: TenantId, entity: EntityRef): EntityRef {
  if (!TENANT_QUALIFIED.has(entity.type)) return entity;
  return { type: entity.type, id: qualifiedId(tenant, entity.id) };
}
