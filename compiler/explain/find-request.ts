// `--request`: how, when and from where a call comes, in the shape that principals of tests have.
import type { RequestFacts } from "#bundle";
import { UNKNOWN_REQUEST } from "#pdp";
import type { JsonObject } from "#std";
import { DiagnosticSink } from "../diagnostics/index.ts";
import type { SourceSpan } from "../diagnostics/index.ts";
import { validateDocument } from "../documents/validate.ts";
import { parseYaml } from "../documents/yaml-source.ts";
import { requestAt, requestOf } from "../lower/test-requests.ts";
import { AskError } from "./find-call.ts";

const OPTION = "--request";

/**
 * The facts of `base` with those of `given`. What is left out stays as in `base`.
 * @throws {AskError} where the object does not have the shape of `request` of a test principal
 */
export function findRequest(given: JsonObject, base: RequestFacts = UNKNOWN_REQUEST): RequestFacts {
  const sink = new DiagnosticSink();
  // The published schema of test data says what a request may have, as it does in a test.
  const text = JSON.stringify({ principals: { caller: { id: "caller", request: given } } });
  const source = parseYaml(OPTION, text, sink);
  const shape = source === undefined ? undefined : validateDocument(source, "TestData", sink);
  const request = shape?.principals?.["caller"]?.request;
  const at: SourceSpan = { file: OPTION, line: 1, column: 1, endLine: 1, endColumn: 1 };
  const facts = requestOf(request, () => at, sink);
  const [fault] = sink.sorted();
  if (fault !== undefined) {
    const message = fault.message.replaceAll("principals.caller.request", "request");
    throw new AskError(`${OPTION}: ${message}`, fault.help);
  }
  const { auth, now, client, protocol, sourceIp } = request ?? {};
  const moved = now === undefined ? base : requestAt(base, facts.nowMs);
  const ages = requestAt(facts, moved.nowMs).auth;
  return {
    ...moved,
    ...(sourceIp === undefined ? {} : { sourceIp }),
    client: { ...moved.client, ...client },
    protocol: { ...moved.protocol, ...protocol },
    auth: auth === undefined ? moved.auth : { ...moved.auth, ...statedAuth(ages, auth) },
  };
}

/** The members of `facts` that `stated` names. */
function statedAuth(facts: RequestFacts["auth"], stated: object): Partial<RequestFacts["auth"]> {
  const { issuer, amr, acr, scopes, issuedAtMs, authenticatedAtMs } = facts;
  const has = (name: string): boolean => Object.hasOwn(stated, name);
  return {
    ...(has("issuer") ? { issuer } : {}),
    ...(has("amr") ? { amr } : {}),
    ...(has("acr") && acr !== undefined ? { acr } : {}),
    ...(has("scopes") ? { scopes } : {}),
    ...(has("tokenAge") ? { issuedAtMs } : {}),
    ...(has("authAge") && authenticatedAtMs !== undefined ? { authenticatedAtMs } : {}),
  };
}
