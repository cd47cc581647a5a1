// How, when and from where a principal of a test suite calls.
import { isIP } from "node:net";
import type { RequestFacts } from "#bundle";
import { UNKNOWN_REQUEST } from "#pdp";
import type { DiagnosticSink, SourceSpan } from "../diagnostics/index.ts";
import type { TestRequestShape } from "../documents/shapes.ts";
import { parseDurationMs } from "../documents/units.ts";

/** Milliseconds since the epoch of an RFC 3339 time; undefined for anything else. */
export function instantOf(text: string): number | undefined {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,3})?(?:Z|[+-]\d\d:\d\d)$/u.test(text)) return undefined;
  const value = Date.parse(text);
  return Number.isNaN(value) || value < 0 ? undefined : value;
}

/** The facts that a fixture states; what it leaves out is unknown. Reports what no gateway could see. */
export function requestOf(
  shape: TestRequestShape | undefined,
  at: (...path: readonly string[]) => SourceSpan,
  sink: DiagnosticSink,
): RequestFacts {
  if (shape === undefined) return UNKNOWN_REQUEST;
  const wrong = (path: readonly string[], message: string): void =>
    sink.report("TEST_PRINCIPAL_INVALID", at(...path), message);
  const written = shape.now === undefined ? UNKNOWN_REQUEST.nowMs : instantOf(shape.now);
  if (written === undefined) wrong(["now"], "expected an RFC 3339 time, e.g. 2026-11-22T10:00:00Z");
  if (shape.sourceIp !== undefined && isIP(shape.sourceIp) === 0)
    wrong(["sourceIp"], "expected an IPv4 or IPv6 address");
  const nowMs = written ?? UNKNOWN_REQUEST.nowMs;
  const age = (name: "tokenAge" | "authAge"): number | undefined => {
    const text = shape.auth?.[name];
    const value = text === undefined ? undefined : parseDurationMs(text);
    if (text !== undefined && value === undefined)
      wrong(["auth", name], "expected a duration of at most a day, e.g. 5m");
    return value;
  };
  const authAgeMs = age("authAge");
  const { auth = {} } = shape;
  return {
    nowMs,
    ...(shape.sourceIp === undefined ? {} : { sourceIp: shape.sourceIp }),
    client: shape.client ?? {},
    protocol: { ...UNKNOWN_REQUEST.protocol, ...shape.protocol },
    auth: {
      issuer: auth.issuer ?? "",
      amr: [...(auth.amr ?? [])].sort(),
      ...(auth.acr === undefined ? {} : { acr: auth.acr }),
      scopes: [...(auth.scopes ?? [])].sort(),
      issuedAtMs: nowMs - (age("tokenAge") ?? 0),
      ...(authAgeMs === undefined ? {} : { authenticatedAtMs: nowMs - authAgeMs }),
    },
  };
}

/** The same request at another time: the ages stay. */
export function requestAt(request: RequestFacts, nowMs: number): RequestFacts {
  const shiftMs = nowMs - request.nowMs;
  const { auth } = request;
  return {
    ...request,
    nowMs,
    auth: {
      ...auth,
      issuedAtMs: auth.issuedAtMs + shiftMs,
      ...(auth.authenticatedAtMs === undefined
        ? {}
        : { authenticatedAtMs: auth.authenticatedAtMs + shiftMs }),
    },
  };
}
