// aegis explain --decision for a decision that no policy was asked about: what its record says of it.
import type { AuditRecord } from "#audit";
import type { RecordedEnd } from "#replay";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";

const FORMAT_VERSION = 1;

/** A decision before the policies were asked, or about no definition. Members that the record does not have are null. */
export interface RecordedRefusal {
  readonly id: string;
  /** RFC 3339. */
  readonly at: string;
  readonly tenant: string;
  readonly effect: string;
  readonly method: string | null;
  readonly target: string | null;
  readonly route: string | null;
  readonly code: string | null;
  readonly stage: string | null;
  readonly detail: string | null;
  /** Null where the caller was not authenticated. */
  readonly principal: { readonly id: string; readonly roles: readonly string[] } | null;
  /** Address that the request came from. */
  readonly client: string | null;
}

export function readRefusal({ body, tenant, time }: AuditRecord): RecordedRefusal {
  return {
    ...{ id: text(body["id"]) ?? "", at: time, tenant, effect: text(body["effect"]) ?? "deny" },
    ...{ method: text(body["method"]), target: text(body["target"]), route: text(body["route"]) },
    ...{ code: text(body["code"]), stage: text(body["stage"]), detail: text(body["detail"]) },
    principal: principalOf(body["principal"]),
    client: text(body["client"]),
  };
}

function principalOf(value: JsonValue | undefined): RecordedRefusal["principal"] {
  if (!isJsonObject(value ?? null)) return null;
  const { id, roles } = value as JsonObject;
  const names = Array.isArray(roles) ? roles.filter((role) => typeof role === "string") : [];
  return { id: text(id) ?? "", roles: names };
}

function text(value: JsonValue | undefined): string | null {
  return typeof value === "string" ? value : null;
}

/** One JSON document with a `formatVersion`. */
export function refusalJson(record: RecordedRefusal, end: RecordedEnd | null): string {
  return `${JSON.stringify({ formatVersion: FORMAT_VERSION, policiesAsked: false, record, end }, null, 2)}\n`;
}

/** Lines of text, ending with a newline. `ended`: those about its end. `printable`: makes a line safe to show. */
export function refusalText(
  record: RecordedRefusal,
  ended: readonly string[],
  printable: (line: string) => string,
): string {
  const { principal, client, code, stage, detail } = record;
  const roles = principal?.roles.length === 0 ? "no roles" : `roles ${principal?.roles.join(", ") ?? ""}`;
  const who = principal === null ? "not authenticated" : `${principal.id} (${roles})`;
  const lines = [
    `${record.effect.toUpperCase()}  ${record.method ?? "no method was read"}${record.target === null ? "" : `  ${record.target}`}  (recorded)`,
    `  decision   ${record.id}, ${record.at}, tenant ${record.tenant}`,
    `  caller     ${who}${client === null ? "" : `, from ${client}`}`,
    ...(record.route === null ? [] : [`  endpoint   ${record.route}`]),
    ...(code === null ? [] : [`  code       ${code}`]),
    ...(stage === null ? [] : [`  stage      ${stage}`]),
    ...(detail === null ? [] : [`  detail     ${detail}`]),
    ...ended,
    record.effect === "allow"
      ? "  policies   were not asked: it calls no definition"
      : "  policies   were not asked: it was refused before, or calls no definition",
  ];
  return lines.map((line) => `${printable(line)}\n`).join("");
}
