// Tests in Cedar's own form, as `cedar run-tests` reads them: [{ name, request: { principal, action, resource, context },
// entities, decision, reason, num_errors }]. Each becomes a matrix test of one cell; what a gateway could never be asked
// is a finding where it stands.
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import type { DiagnosticSink, SourceSpan } from "../diagnostics/index.ts";
import type { TestCallShape, TestPrincipalShape, TestRequestShape, TestShape } from "./shapes.ts";
import type { TestSuiteShape } from "./shapes.ts";
import { didYouMean } from "./yaml-source.ts";
import type { YamlPath, YamlSource } from "./yaml-source.ts";

const TEST_KEYS = ["name", "request", "entities", "decision", "reason", "num_errors"];
const REQUEST_KEYS = ["principal", "action", "resource", "context"];
const KEY_OF_METHOD: ReadonlyMap<string, "prompt" | "resource" | "tool"> = new Map([
  ["tools/call", "tool"],
  ["prompts/get", "prompt"],
  ["resources/read", "resource"],
]);
const PRIMITIVE_OF_KEY = { tool: "tool", prompt: "prompt", resource: "resource" } as const;
/** Members of the context that are computed from the call. */
const COMPUTED = ["_d", "_m", "annotations", "extra"];
const FIXED = ["primitive", "server", "target"];
const STATED = ["arguments", "auth", "client", "now", "protocol", "sourceIp"];

interface TranslatedSuite {
  readonly source: YamlSource;
  readonly shape: TestSuiteShape;
}

interface Entity {
  readonly type: string;
  readonly id: string;
}

/** The suite that the file means; undefined after reporting why there is none. */
export function readCedarTests(source: YamlSource, sink: DiagnosticSink): TranslatedSuite | undefined {
  return new Translation(source, sink).suite();
}

class Translation {
  readonly #source: YamlSource;
  readonly #sink: DiagnosticSink;
  /** Where the members of the suite stand in the file. */
  readonly #places = new Map<string, YamlPath>();
  readonly #principals: Record<string, TestPrincipalShape> = {};
  readonly #calls: Record<string, TestCallShape> = {};
  #isFaulty = false;

  constructor(source: YamlSource, sink: DiagnosticSink) {
    this.#source = source;
    this.#sink = sink;
  }

  suite(): TranslatedSuite | undefined {
    const { file, text, value } = this.#source;
    if (!isJson(text)) return this.#fail([], "this is no JSON document");
    if (!Array.isArray(value) || value.length === 0) {
      return this.#fail([], "expected a list of tests as `cedar run-tests` reads it, with at least one");
    }
    const tests = (value as readonly JsonValue[]).flatMap((test, index) => this.#test(test, index) ?? []);
    if (this.#isFaulty) return undefined;
    const shape = { name: file, principals: this.#principals, calls: this.#calls, tests };
    return { source: { ...this.#source, at: this.#at, atKey: this.#at }, shape };
  }

  readonly #at = (...path: YamlPath): SourceSpan => {
    for (let length = path.length; length > 0; length -= 1) {
      const known = this.#places.get(JSON.stringify(path.slice(0, length)));
      if (known !== undefined) return this.#source.at(...known, ...path.slice(length));
    }
    return this.#source.at();
  };

  #fail(path: YamlPath, message: string, help?: string): undefined {
    this.#isFaulty = true;
    this.#sink.report("DOCUMENT_INVALID", this.#source.at(...path), message, help);
    return undefined;
  }

  #test(value: JsonValue, index: number): TestShape | undefined {
    if (!isJsonObject(value)) return this.#fail([index], "expected a test: an object");
    this.#checkKeys(value, TEST_KEYS, [index], "a test");
    const { request, decision, reason = [], num_errors: errors = 0, entities = [] } = value;
    if (request === undefined || !isJsonObject(request)) return this.#fail([index], "a test needs a request");
    if (decision !== "allow" && decision !== "deny") {
      return this.#fail([index, "decision"], 'decision is "allow" or "deny"');
    }
    if (!isStrings(reason)) return this.#fail([index, "reason"], "reason is a list of policy ids");
    if (typeof errors !== "number" || !Number.isSafeInteger(errors) || errors < 0) {
      return this.#fail([index, "num_errors"], "num_errors is a whole number from 0");
    }
    this.#checkKeys(request, REQUEST_KEYS, [index, "request"], "a request");
    const principal = this.#principal(request, entities, index);
    const call = this.#call(request, index);
    if (principal === undefined || call === undefined) return undefined;
    const name =
      typeof value["name"] === "string" && value["name"] !== "" ? value["name"] : `test ${index + 1}`;
    this.#place(["tests", index, "name"], [index]);
    this.#place(["tests", index, "expect"], [index, "reason"]);
    this.#place(["tests", index, "allow"], [index, "decision"]);
    return {
      name,
      matrix: { principals: [principal], calls: [call] },
      allow: decision === "allow" ? [[principal, call]] : [],
      expect: { [call]: { reasons: reason, errors, exactly: true } },
    };
  }

  #checkKeys(value: JsonObject, known: readonly string[], path: YamlPath, what: string): void {
    for (const key of Object.keys(value).filter((name) => !known.includes(name))) {
      this.#isFaulty = true;
      const at = this.#source.atKey(...path, key);
      const message = `${what} has no member ${JSON.stringify(key)}`;
      this.#sink.report("DOCUMENT_INVALID", at, message, didYouMean(key, known));
    }
  }

  #place(path: YamlPath, source: YamlPath): void {
    this.#places.set(JSON.stringify(path), source);
  }

  #principal(request: JsonObject, entities: JsonValue, index: number): string | undefined {
    const path = [index, "request", "principal"] as const;
    const uid = entityOf(request["principal"]);
    if (uid === undefined || (uid.type !== "User" && uid.type !== "Agent")) {
      return this.#fail(path, 'the principal is a User or an Agent, e.g. User::"dana"');
    }
    if (!Array.isArray(entities)) return this.#fail([index, "entities"], "entities is a list");
    const name = unused(`${uid.type}::${JSON.stringify(uid.id)}`, this.#principals);
    const position = (entities as readonly JsonValue[]).findIndex((entity) => {
      const own = isJsonObject(entity) ? entityOf(entity["uid"]) : undefined;
      return own?.type === uid.type && own.id === uid.id;
    });
    const entity = (entities as readonly JsonValue[])[position];
    const place: YamlPath = position < 0 ? path : [index, "entities", position];
    const own = isJsonObject(entity ?? null) ? (entity as JsonObject) : {};
    const { attrs = {}, parents = [] } = own;
    if (!isJsonObject(attrs)) return this.#fail([...place, "attrs"], "attrs is an object");
    if (!Array.isArray(parents)) return this.#fail([...place, "parents"], "parents is a list of entities");
    const above = this.#parents(parents as readonly JsonValue[], [...place, "parents"], name);
    const stated = this.#request(request["context"], index);
    this.#place(["principals", name], place);
    this.#place(["principals", name, "attrs"], [...place, "attrs"]);
    this.#place(["principals", name, "request"], [index, "request", "context"]);
    this.#principals[name] = {
      ...{ type: uid.type, id: uid.id, ...above },
      attrs: attrs as NonNullable<TestPrincipalShape["attrs"]>,
      ...(stated === undefined ? {} : { request: stated }),
    };
    return name;
  }

  #parents(
    parents: readonly JsonValue[],
    path: YamlPath,
    name: string,
  ): Pick<TestPrincipalShape, "groups" | "roles" | "tenant"> {
    const roles: string[] = [];
    const groups: string[] = [];
    let tenant: string | undefined;
    for (const [index, parent] of parents.entries()) {
      const entity = entityOf(parent);
      const at = [...path, index];
      if (entity?.type === "Role") {
        this.#place(["principals", name, "roles", roles.length], at);
        roles.push(entity.id);
      } else if (entity?.type === "Group") groups.push(entity.id);
      else if (entity?.type === "Tenant") {
        this.#place(["principals", name, "tenant"], at);
        tenant = entity.id;
      } else this.#fail(at, "the parents of a principal are Role, Group and Tenant entities");
    }
    return { roles, groups, ...(tenant === undefined ? {} : { tenant }) };
  }

  #call(request: JsonObject, index: number): string | undefined {
    const path = [index, "request"] as const;
    const { context = {} } = request;
    if (!isJsonObject(context)) return this.#fail([...path, "context"], "context is an object");
    const resource = entityOf(request["resource"]);
    if (resource?.type !== "Server") {
      return this.#fail([...path, "resource"], 'the resource is a server, e.g. Server::"jira"');
    }
    const target = this.#target(request["action"], resource.id, context, index);
    if (target === undefined) return undefined;
    const { key, server, name } = target;
    if (server !== resource.id) {
      const message = `the action is one of ${server}, the resource is ${resource.id}`;
      return this.#fail([...path, "resource"], message);
    }
    this.#checkContext(context, target, [...path, "context"]);
    const args = context["arguments"] ?? {};
    if (!isJsonObject(args)) return this.#fail([...path, "context", "arguments"], "arguments is a record");
    if (this.#hasExtension(args, [...path, "context", "arguments"])) return undefined;
    const call = unused(`${key} ${server}/${name}`, this.#calls);
    this.#place(["calls", call], [...path, "action"]);
    this.#calls[call] = { server, [key]: name, arguments: args };
    return call;
  }

  /** `tools/call:jira/jira.search`, or `tools/call` with the target in the context. */
  #target(
    action: JsonValue | undefined,
    server: string,
    context: JsonObject,
    index: number,
  ): Target | undefined {
    const path = [index, "request", "action"] as const;
    const uid = entityOf(action);
    const [, method = "", of, rest] = /^([^:]+)(?::([^/]+)(?:\/(.+))?)?$/su.exec(uid?.id ?? "") ?? [];
    const key = KEY_OF_METHOD.get(method);
    if (uid?.type !== "Action" || key === undefined) {
      const methods = [...KEY_OF_METHOD.keys()].join(", ");
      const help = `actions are ${methods}, alone or of a definition, e.g. Action::"tools/call:jira/jira.search"; other calls are written in YAML`;
      return this.#fail(path, `no test can call ${JSON.stringify(uid?.id ?? action ?? null)}`, help);
    }
    const name = rest ?? context["target"];
    if (typeof name === "string" && name !== "") return { key, server: of ?? server, name };
    return this.#fail(path, "the action names no definition, and context.target is absent");
  }

  #checkContext(context: JsonObject, { key, server, name }: Target, path: YamlPath): void {
    const fixed: Readonly<Record<string, string>> = {
      primitive: PRIMITIVE_OF_KEY[key],
      server,
      target: name,
    };
    for (const [member, value] of Object.entries(context)) {
      if (STATED.includes(member)) continue;
      const at = [...path, member];
      if (FIXED.includes(member)) {
        const is = fixed[member] ?? "";
        if (value !== is) this.#fail(at, `context.${member} of this call is ${JSON.stringify(is)}`);
      } else if (COMPUTED.includes(member)) {
        this.#fail(at, `context.${member} is computed from the call`, "leave it out");
      } else {
        const help = didYouMean(member, [...STATED, ...FIXED]);
        this.#fail(at, `the context has no member ${JSON.stringify(member)}`, help);
      }
    }
  }

  #hasExtension(value: JsonValue, path: YamlPath): boolean {
    if (typeof value !== "object" || value === null) return false;
    for (const [key, item] of Object.entries(value) as readonly (readonly [string, JsonValue])[]) {
      const at = [...path, Array.isArray(value) ? Number(key) : key];
      if (key === "__entity" || key === "__extn") {
        this.#fail(at, `arguments are JSON: no ${key} reaches a policy`);
        return true;
      }
      if (this.#hasExtension(item, at)) return true;
    }
    return false;
  }

  #request(context: JsonValue | undefined, index: number): TestRequestShape | undefined {
    if (context === undefined || !isJsonObject(context)) return undefined;
    const path = [index, "request", "context"] as const;
    const { now, sourceIp, client, protocol, auth } = context;
    const text = (value: JsonValue, ...at: readonly string[]): string => {
      const arg = isJsonObject(value) && isJsonObject(value["__extn"] ?? null) ? value["__extn"] : value;
      const found = isJsonObject(arg) ? arg["arg"] : arg;
      if (typeof found === "string") return found;
      this.#fail([...path, ...at], "expected a text, or an extension value of one");
      return "";
    };
    const record = (value: JsonValue, member: string, known: readonly string[]): JsonObject => {
      if (!isJsonObject(value)) return this.#fail([...path, member], `context.${member} is a record`) ?? {};
      this.#checkKeys(value, known, [...path, member], `context.${member}`);
      return value;
    };
    const strings = (value: JsonValue, ...at: readonly string[]): readonly string[] =>
      isStrings(value) ? value : (this.#fail([...path, ...at], "expected a list of texts") ?? []);
    const stated: Record<string, unknown> = {};
    if (now !== undefined) stated["now"] = text(now, "now");
    if (sourceIp !== undefined) stated["sourceIp"] = text(sourceIp, "sourceIp");
    for (const [member, value, known] of [
      ["client", client, ["id", "name", "version"]],
      ["protocol", protocol, ["era", "version"]],
      ["auth", auth, ["issuer", "amr", "acr", "scopes", "tokenAge", "authAge", "mfa"]],
    ] as const) {
      if (value === undefined) continue;
      stated[member] = Object.fromEntries(
        Object.entries(record(value, member, known))
          .filter(([name]) => name !== "mfa")
          .map(([name, item]) => [
            name,
            name === "amr" || name === "scopes" ? strings(item, member, name) : text(item, member, name),
          ]),
      );
    }
    this.#checkMfa(auth, [...path, "auth", "mfa"]);
    return stated;
  }

  #checkMfa(auth: JsonValue | undefined, path: YamlPath): void {
    if (auth === undefined || !isJsonObject(auth) || auth["mfa"] === undefined) return;
    const has = Array.isArray(auth["amr"]) && (auth["amr"] as readonly JsonValue[]).includes("mfa");
    if (auth["mfa"] !== has) this.#fail(path, "context.auth.mfa says whether context.auth.amr contains mfa");
  }
}

interface Target {
  readonly key: "prompt" | "resource" | "tool";
  readonly server: string;
  readonly name: string;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function isStrings(value: JsonValue): value is readonly string[] {
  return Array.isArray(value) && (value as readonly JsonValue[]).every((item) => typeof item === "string");
}

/** `Type::"id"`, `{type, id}` or `{__entity: {type, id}}`. */
function entityOf(value: JsonValue | undefined): Entity | undefined {
  if (typeof value === "string") {
    const [, type, literal] = /^([A-Za-z_]\w*)::("(?:[^"\\]|\\.)*")$/su.exec(value) ?? [];
    const id = literal === undefined ? undefined : unquoted(literal);
    return type === undefined || id === undefined ? undefined : { type, id };
  }
  if (value === undefined || !isJsonObject(value)) return undefined;
  const inner = value["__entity"];
  if (inner !== undefined) return entityOf(inner);
  const { type, id } = value;
  return typeof type === "string" && typeof id === "string" ? { type, id } : undefined;
}

function unquoted(literal: string): string | undefined {
  try {
    return JSON.parse(literal) as string;
  } catch {
    return undefined;
  }
}

/** Tests of one file may say different things of one caller. */
function unused(name: string, taken: Readonly<Record<string, unknown>>): string {
  if (!Object.hasOwn(taken, name)) return name;
  for (let use = 2; ; use += 1) if (!Object.hasOwn(taken, `${name} (${use})`)) return `${name} (${use})`;
}
