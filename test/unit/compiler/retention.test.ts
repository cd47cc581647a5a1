// retention.yaml: from the document to what a gateway reads and `inspect` shows.
import { expect, test } from "vitest";
import { decodeBundle } from "#bundle";
import type { BundleContent } from "#bundle";
import { inspectBundle } from "#release";
import { compileWith } from "./tenants/escape-lab.ts";

const retention = (text: string): ReturnType<typeof compileWith> =>
  compileWith({ "retention.yaml": `apiVersion: aegis.dev/v1\nkind: Retention\nretention: ${text}\n` });

async function carried(text: string): Promise<BundleContent["retention"]> {
  const { bundle, diagnostics } = await retention(text);
  expect(diagnostics).toEqual([]);
  if (bundle === undefined) throw new Error("does not compile");
  expect(inspectBundle(bundle.bytes).retention).toEqual(bundle.content.retention);
  return decodeBundle(bundle.bytes, bundle.digest).retention;
}

test("days by tenant reach the bundle", async () => {
  expect(await carried("{ default: 90d, tenants: { globex: 3650d, acme: 1d } }")).toEqual({
    defaultDays: 90,
    tenants: { acme: 1, globex: 3650 },
  });
  expect(await carried("{ tenants: { default: 7d } }")).toEqual({ tenants: { default: 7 } });
});

test("a repository that says nothing has no such section", async () => {
  const { bundle } = await compileWith({});
  expect(bundle?.content.retention).toBeUndefined();
  expect(bundle?.manifest.requires).not.toContain("retention/1");
  expect(bundle?.manifest.files["retention.json"]).toBeUndefined();
});

const document = (text: string): ReturnType<typeof compileWith> =>
  compileWith({ "retention.yaml": `apiVersion: aegis.dev/v1\nkind: Retention\n${text}\n` });

test("facts in decision records reach the bundle, with or without days", async () => {
  const { bundle, diagnostics } = await document("facts: { default: without-text, tenants: { acme: all } }");
  expect(diagnostics).toEqual([]);
  if (bundle === undefined) throw new Error("does not compile");
  const decoded = decodeBundle(bundle.bytes, bundle.digest).retention;
  expect(decoded).toEqual({ tenants: {}, facts: { default: "without-text", tenants: { acme: "all" } } });
  expect(bundle.manifest.requires).toContain("decision-facts/1");
});

test.each([
  ["neither member", "", "DOCUMENT_INVALID"],
  ["another mode", "facts: { default: some }", "DOCUMENT_INVALID"],
  ["a tenant that is not declared", "facts: { tenants: { initech: all } }", "TENANT_UNKNOWN"],
])("refuses facts with %s", async (_what, text, code) => {
  const { diagnostics } = await document(text);
  expect(diagnostics.map((item) => item.code)).toEqual([code]);
});

test.each([
  ["more than ten years", "{ default: 3651d }", "DURATION_INVALID"],
  ["no days", "{ default: 0d }", "DOCUMENT_INVALID"],
  ["another unit", "{ default: 90h }", "DOCUMENT_INVALID"],
  ["a number", "{ default: 90 }", "DOCUMENT_INVALID"],
  ["nothing", "{}", "DOCUMENT_INVALID"],
  ["a tenant that is not declared", "{ tenants: { initech: 1d } }", "TENANT_UNKNOWN"],
])("refuses %s", async (_what, text, code) => {
  const { diagnostics, bundle } = await retention(text);
  expect(bundle).toBeUndefined();
  expect(diagnostics.map((item) => item.code)).toEqual([code]);
});
