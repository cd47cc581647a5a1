// Requests around what policies read: addresses, durations, and combinations under the cap.
import { describe, expect, test } from "vitest";
import { UNKNOWN_REQUEST } from "#pdp";
import { addressesAround, datetimeMsOf, durationMsOf } from "../../../../compiler/calls/request-values.ts";
import { requestClasses } from "../../../../compiler/calls/request-classes.ts";
import { coherentCall, methodStarts } from "../../../../compiler/calls/method-calls.ts";
import { uriSamples } from "../../../../compiler/calls/resource-calls.ts";

describe("values", () => {
  test.each([
    ["10.0.0.0/8", ["10.0.0.0", "10.255.255.255", "11.0.0.0", "9.255.255.255"]],
    ["192.0.2.7", ["192.0.2.7", "192.0.2.8", "192.0.2.6"]],
    ["0.0.0.0/0", ["0.0.0.0", "255.255.255.255"]],
    [
      "2001:db8::/32",
      [
        "2001:db8:0:0:0:0:0:0",
        "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
        "2001:db9:0:0:0:0:0:0",
        "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
      ],
    ],
    ["::1", ["0:0:0:0:0:0:0:1", "0:0:0:0:0:0:0:2", "0:0:0:0:0:0:0:0"]],
    ["example", []],
  ])("addresses around %s", (range, addresses) => {
    expect(addressesAround(range)).toEqual(addresses);
  });

  test("durations and datetimes as Cedar writes them", () => {
    expect(["15m", "1d2h3m4s5ms", "-1h", "x", "0ms"].map(durationMsOf)).toEqual([
      900_000,
      93_784_005,
      -3_600_000,
      undefined,
      0,
    ]);
    expect(["2026-01-01", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00+0100", "x"].map(datetimeMsOf)).toEqual(
      [...[1_767_225_600_000, 1_767_225_600_000, 1_767_225_600_000, undefined]],
    );
  });
});

describe("combinations", () => {
  const reading = (...requestReads: readonly string[]) => ({
    comparisons: [],
    entities: [],
    types: [],
    requestReads,
  });

  test("the request as it is comes first, and all combinations of few facts follow", () => {
    const { changes, truncated } = requestClasses([reading("auth.mfa", "protocol.era")], [], 32);
    const seen = changes
      .map((change) => change(UNKNOWN_REQUEST))
      .map(({ auth, protocol }) => `${auth.amr.join()} ${protocol.era}`);
    expect(truncated).toBe(false);
    expect(seen[0]).toBe(" modern");
    expect(new Set(seen)).toEqual(new Set([" modern", " legacy", "mfa modern", "mfa legacy"]));
  });

  test("never more than the cap, and the cut is said", () => {
    const many = [
      "auth.mfa",
      "auth.acr",
      "auth.authAge",
      "client.id",
      "client.name",
      "protocol.era",
      "sourceIp",
    ];
    const { changes, truncated } = requestClasses([reading(...many)], [], 16);
    expect(changes).toHaveLength(16);
    expect(truncated).toBe(true);
  });
});

test("what a method's call says twice agrees", () => {
  const [form = {}, url = {}] = methodStarts("elicitation");
  expect(coherentCall("elicitation", { ...form, fieldLines: "Password\nname" })).toMatchObject({
    fields: ["Password", "name"],
    fieldLines: "password\nname",
  });
  expect(coherentCall("elicitation", { ...url, urlHost: "evil.example" })).toMatchObject({
    url: "https://evil.example/",
  });
  expect(coherentCall("elicitation", { ...url, urlHost: "no host" })).toBeUndefined();
  const [start = {}] = methodStarts("roots");
  expect(coherentCall("roots", { ...start, scheme: "file" })).toMatchObject({
    uri: "file://sample/",
    scheme: "file",
  });
});

test("URIs inside and outside of a pattern are canonical", () => {
  const uris = uriSamples(["file:///shared/public/**", "jira://tickets/{key}"]);
  expect(uris).toEqual(
    expect.arrayContaining([
      "file:///shared/public/sample/inner",
      "file:///shared/outside/sample",
      "jira://tickets/sample",
    ]),
  );
});
