// The caller and the request that a satisfiable answer describes.
import type { AttributeMapping, PrincipalFacts, PrincipalType, RequestFacts, TenantId } from "#bundle";
import { UNKNOWN_REQUEST } from "#pdp";
import { isJsonObject } from "#std";
import type { JsonValue } from "#std";
import { addressText } from "./address-text.ts";
import type { Model } from "./model.ts";

type AttributeValue = PrincipalFacts["attributes"][string];

/** The id of a made-up caller, as in the rest of a plan. */
const CALLER_ID = "plan";

export function buildCaller(
  model: Model,
  type: PrincipalType,
  tenant: TenantId,
  mappings: readonly AttributeMapping[],
): PrincipalFacts {
  const id = model.text("caller id") ?? "";
  return {
    type,
    id: id === "" ? CALLER_ID : id,
    tenant,
    roles: model.trueNames("Role"),
    groups: model.trueNames("Group"),
    attributes: attributes(model, mappings),
  };
}

function attributes(model: Model, mappings: readonly AttributeMapping[]): PrincipalFacts["attributes"] {
  const found = new Map<string, AttributeValue>();
  for (const { attribute, type } of mappings) {
    if (model.truth("has attribute", attribute) === true) found.set(attribute, DEFAULTS[type]);
  }
  for (const typed of model.trueNames("present", "principal")) {
    const space = typed.lastIndexOf(" {");
    const value = attributeValue(model, typed, JSON.parse(typed.slice(space + 1)) as JsonValue);
    if (value !== undefined) found.set(typed.slice(0, space), value);
  }
  return Object.fromEntries([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}

const DEFAULTS: Readonly<Record<AttributeMapping["type"], AttributeValue>> = {
  Bool: false,
  Long: 0,
  String: "other",
  StringSet: [],
};

function attributeValue(model: Model, typed: string, type: JsonValue): AttributeValue | undefined {
  const name = isJsonObject(type) ? type["type"] : undefined;
  switch (name) {
    case "Bool":
    case "Boolean":
      return model.truth("principal", typed) ?? false;
    case "Long":
      return Number(model.integer("principal", typed) ?? 0n);
    case "String":
      return model.text("principal", typed) ?? "other";
    case "Set":
      return (model.members("principal", typed) ?? []).map(String);
    default:
      return undefined;
  }
}

/** The request, with what nobody asks about as it is where nothing is known. */
export function buildRequest(model: Model): RequestFacts {
  const nowMs = Number(model.integer("request", "now") ?? BigInt(UNKNOWN_REQUEST.nowMs));
  const isV6 = model.truth("request", "sourceIp", "v6");
  const address = model.integer("request", "sourceIp", "address");
  const hasAddress =
    isV6 !== undefined && address !== undefined && model.truth("present", "request", "sourceIp") !== false;
  return {
    nowMs,
    ...(hasAddress ? { sourceIp: addressText(address, isV6) } : {}),
    client: client(model),
    protocol: protocol(model),
    auth: auth(model, nowMs),
  };
}

function client(model: Model): RequestFacts["client"] {
  const members = (["id", "name", "version"] as const).flatMap((name) =>
    model.truth("present", "request", "client", name) === true
      ? [[name, model.text("request", "client", name) ?? "other"] as const]
      : [],
  );
  return Object.fromEntries(members);
}

function protocol(model: Model): RequestFacts["protocol"] {
  const own = UNKNOWN_REQUEST.protocol;
  const era = model.text("request", "protocol", "era");
  return {
    era: era === "legacy" || era === "modern" ? era : own.era,
    version: model.text("request", "protocol", "version") ?? own.version,
  };
}

function auth(model: Model, nowMs: number): RequestFacts["auth"] {
  const own = UNKNOWN_REQUEST.auth;
  const texts = (name: "amr" | "scopes"): readonly string[] =>
    model.members("request", "auth", name)?.map(String).sort() ?? own[name];
  const mfa = model.truth("request", "auth", "mfa");
  const amr = texts("amr").filter((method) => method !== "mfa");
  const isMfa = mfa ?? texts("amr").includes("mfa");
  const age = (name: "authAge" | "tokenAge"): bigint | undefined => model.integer("request", "auth", name);
  const authAge =
    model.truth("present", "request", "auth", "authAge") === true ? (age("authAge") ?? 0n) : undefined;
  const acr =
    model.truth("present", "request", "auth", "acr") === true
      ? (model.text("request", "auth", "acr") ?? "other")
      : undefined;
  return {
    issuer: model.text("request", "auth", "issuer") ?? own.issuer,
    amr: isMfa ? [...amr, "mfa"].sort() : amr,
    ...(acr === undefined ? {} : { acr }),
    scopes: texts("scopes"),
    issuedAtMs: nowMs - Number(age("tokenAge") ?? 0n),
    ...(authAge === undefined ? {} : { authenticatedAtMs: nowMs - Number(authAge) }),
  };
}
