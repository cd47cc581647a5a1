// A tenant's directory cannot borrow the files of another by a link.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { compile } from "#compiler";

let dir = "";
afterEach(() => rmSync(dir, { recursive: true, force: true }));

test.each([
  ["a link to the directory of another tenant", "tenants/acme", "globex"],
  ["a link to the policies of another tenant", "tenants/acme/policies", "../globex/policies"],
  ["a link to the policies of the platform", "tenants/acme/policies", "../../policies"],
  ["a link to a policy of another tenant", "tenants/acme/policies/x.cedar", "../../globex/policies/x.cedar"],
  ["a link out of the repository", "tenants/acme/identity/keys.json", "/etc/hostname"],
])("%s", async (_what, path, target) => {
  dir = mkdtempSync(join(tmpdir(), "aegis-tenants-"));
  const files = {
    "aegis.yaml":
      "apiVersion: aegis.dev/v1\nkind: Project\nmetadata: { name: t }\ntenants: { acme: { servers: [s] }, globex: { servers: [s] } }\n",
    "policies/x.cedar": "permit (principal, action, resource);\n",
    "tenants/globex/policies/x.cedar": "permit (principal, action, resource);\n",
  };
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, name)), { recursive: true });
    writeFileSync(join(dir, name), text);
  }
  mkdirSync(dirname(join(dir, path)), { recursive: true });
  symlinkSync(target, join(dir, path));
  const { bundle, diagnostics } = await compile({ dir });
  expect(bundle).toBeUndefined();
  expect(diagnostics.map(({ code }) => code)).toContain("SOURCE_UNSAFE");
});
