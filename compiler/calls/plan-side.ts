// One side of a plan: the content of a bundle, what its tests call, and what its identity requires.
import { bundleDigest, decodeBundleFile } from "#bundle";
import type {
  AttributeMapping,
  BundleContent,
  Digest,
  LeafAction,
  PrincipalFacts,
  RequestFacts,
  TenantId,
} from "#bundle";
import type { CompileResult } from "#compiler";
import type { JsonObject } from "#std";

/** What a plan compares: the result of a compilation, or a bundle alone. */
export interface PlanInput {
  readonly bundle: { readonly content: BundleContent; readonly digest: Digest } | undefined;
  readonly model?: Pick<CompileResult["model"], "roles" | "suites"> &
    Partial<Pick<CompileResult["model"], "gates" | "invariants" | "textOf">>;
}

export interface NamedPrincipal {
  readonly name: string;
  readonly facts: PrincipalFacts;
  /** How, when and from where it calls, before anything is varied. */
  readonly request: RequestFacts;
}

export interface KnownCall {
  readonly action: LeafAction;
  readonly arguments: JsonObject;
}

export interface PlanIssuer {
  readonly tenants: readonly TenantId[];
  readonly attributes: readonly AttributeMapping[];
}

export interface PlanSide {
  readonly content: BundleContent;
  readonly digest: Digest;
  readonly roles: readonly string[];
  readonly principals: readonly NamedPrincipal[];
  readonly calls: readonly KnownCall[];
  /** One for each issuer of any environment: whom it vouches for, and what it maps. */
  readonly issuers: readonly PlanIssuer[];
  /** Text of a source file; undefined where only the bundle is at hand. */
  readonly textOf: (file: string) => string | undefined;
  /** Undefined where only the bundle is at hand. */
  readonly gates: CompileResult["model"]["gates"] | undefined;
  readonly invariants: CompileResult["model"]["invariants"] | undefined;
}

/** Opens the bytes of an `.aegis` file. @throws {TrustError} with the codes of `decodeBundle` */
export function bundleInput(bytes: Uint8Array): PlanInput & { readonly bundle: object } {
  const digest = bundleDigest(bytes);
  return { bundle: { content: decodeBundleFile(bytes, digest).content, digest } };
}

/** Throws Error where the input holds no bundle, because it does not compile. */
export function planSide(input: PlanInput, label: string): PlanSide {
  const { bundle, model } = input;
  if (bundle === undefined) throw new Error(`the ${label} of the plan does not compile`);
  const { content, digest } = bundle;
  const environments = Object.values(content.routes.environments);
  const issuers = environments.flatMap((environment) => environment.issuers);
  const mapped = issuers.flatMap(({ roleMap }) => Object.values(roleMap ?? {}));
  return {
    content,
    digest,
    roles: [...new Set([...(model?.roles ?? []), ...mapped])],
    // The vectors of a bundle are the cells of its suites: they stand in where the suites are not at hand.
    principals: model === undefined ? vectorPrincipals(content) : suitePrincipals(model),
    calls: model === undefined ? content.vectors.vectors : suiteCalls(model),
    issuers: issuers.map(({ attributes, tenant, tenantOf }) => ({
      tenants: tenantOf === undefined ? [tenant] : Object.values(tenantOf.map),
      attributes,
    })),
    textOf: model?.textOf ?? (() => undefined),
    gates: model?.gates,
    invariants: model?.invariants,
  };
}

type SuiteModel = NonNullable<PlanInput["model"]>;

function suitePrincipals(model: SuiteModel): readonly NamedPrincipal[] {
  return model.suites.flatMap(({ tests }) =>
    tests.flatMap((test) => (test.kind === "matrix" ? test.principals : [test.principal])),
  );
}

// A bundle does not carry the names of test principals: their ids stand for them.
function vectorPrincipals(content: BundleContent): readonly NamedPrincipal[] {
  return content.vectors.vectors.map(({ principal, request }) => ({
    name: principal.id,
    facts: principal,
    request,
  }));
}

function suiteCalls(model: SuiteModel): readonly KnownCall[] {
  return model.suites.flatMap(({ tests }) =>
    tests.flatMap((test) => (test.kind === "matrix" ? test.calls : [test.call])),
  );
}

/**
 * Required attributes that a caller lacks, judged by the issuer that asks least of this caller; empty where one admits
 * it, and where no issuer is configured at all.
 */
export function missingAttributes(side: PlanSide, facts: PrincipalFacts): readonly string[] {
  const vouching = side.issuers.filter(({ tenants }) => tenants.includes(facts.tenant));
  const lacking = vouching.map(({ attributes }) =>
    attributes
      .filter(({ attribute, required }) => required && !Object.hasOwn(facts.attributes, attribute))
      .map(({ attribute }) => attribute),
  );
  lacking.sort((a, b) => a.length - b.length);
  return lacking[0] ?? [];
}
