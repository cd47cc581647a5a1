// What the sections of one bundle say about each other: every reference resolves, every address is the address of
// its content, every key is unique. A gateway may then look up without asking again.
import { TrustError } from "#errors";
import { canonicalJson } from "./canonical-json.ts";
import { definitionDigest, sha256Hex } from "./digest.ts";
import type { BundleContent, EnvironmentEntry } from "./sections.ts";

/** In steps; throws TrustError BUNDLE_INVALID that names the first reference that does not hold. */
export function* checkReferences(content: BundleContent): Generator<undefined, void> {
  const servers = new Set<string>();
  const actions = new Set<string>();
  for (const server of content.registry.servers) {
    addUnique(servers, server.id, "registry.json: server");
    for (const leaf of server.leaves) {
      yield;
      addUnique(actions, leaf.action, "registry.json: leaf");
      for (const entry of leaf.definitions) {
        mustResolve(
          definitionDigest(entry.definition) === entry.digest,
          `registry.json: definition of ${leaf.action}`,
        );
      }
    }
  }
  yield* checkPolicies(content, actions);
  for (const [name, environment] of Object.entries(content.routes.environments)) {
    checkEnvironment(`routes.json: ${name}`, environment, servers);
  }
  const limits = new Set<string>();
  for (const limit of content.limits.limits) {
    addUnique(limits, limit.id, "limits.json: limit");
    for (const action of limit.actions ?? [])
      mustResolve(actions.has(action), `limits.json: action ${action}`);
  }
  const transformed = new Set<string>();
  for (const transform of content.transforms.transforms) {
    const { tenant, action } = transform;
    addUnique(transformed, JSON.stringify([tenant, action]), "transforms.json: entry");
    mustResolve(actions.has(transform.action), `transforms.json: action ${transform.action}`);
  }
  for (const vector of content.vectors.vectors) {
    mustResolve(actions.has(vector.action), `vectors.json: action of ${vector.name}`);
  }
}

function* checkPolicies(content: BundleContent, actions: ReadonlySet<string>): Generator<undefined, void> {
  const { residuals, schemas, slices } = content.policies;
  for (const [kind, entries] of [
    ["residual", residuals],
    ["schema", schemas],
  ] as const) {
    for (const [address, value] of Object.entries(entries)) {
      yield;
      mustResolve(sha256Hex(canonicalJson(value)) === address, `policies.json: ${kind} ${address}`);
    }
  }
  const keys = new Set<string>();
  for (const slice of slices) {
    yield;
    const label = `policies.json: slice ${slice.tenant} ${slice.action}`;
    addUnique(keys, JSON.stringify([slice.tenant, slice.action]), "policies.json: slice");
    mustResolve(actions.has(slice.action), label);
    for (const digest of [slice.schema, slice.shadowFacts?.schema ?? slice.schema])
      mustResolve(Object.hasOwn(schemas, digest), `${label}: schema`);
    for (const policy of [...slice.call, ...slice.visibility, ...slice.shadow]) {
      mustResolve(Object.hasOwn(residuals, policy.residual), `${label}: residual of ${policy.id}`);
    }
  }
}

function checkEnvironment(label: string, environment: EnvironmentEntry, servers: ReadonlySet<string>): void {
  const issuers = new Set<string>();
  for (const issuer of environment.issuers) addUnique(issuers, issuer.issuer, `${label}: issuer`);
  const paths = new Set<string>();
  for (const route of environment.routes) {
    addUnique(paths, route.path, `${label}: route`);
    const routed = new Set<string>();
    mustResolve(route.servers.length > 0, `${label}: a server of ${route.path}`);
    for (const server of route.servers) {
      addUnique(routed, server, `${label}: server of ${route.path}`);
      mustResolve(servers.has(server), `${label}: server ${server} of ${route.path}`);
    }
    for (const issuer of route.issuers)
      mustResolve(issuers.has(issuer), `${label}: issuer ${issuer} of ${route.path}`);
  }
}

function addUnique(seen: Set<string>, name: string, label: string): void {
  if (seen.has(name)) throw new TrustError("BUNDLE_INVALID", `${label} ${name} occurs twice`);
  seen.add(name);
}

function mustResolve(holds: boolean, what: string): void {
  if (!holds) throw new TrustError("BUNDLE_INVALID", `${what} does not resolve`);
}
