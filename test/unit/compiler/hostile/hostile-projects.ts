// Hostile suites, tenants and environments.
import { write, file, many, SUITE, matrix } from "./planting.ts";
import type { HostileRepository } from "./planting.ts";

export const HOSTILE_PROJECTS: readonly HostileRepository[] = [
  file("a matrix of 1,000,000 cells", SUITE, () => matrix(1_000, 1_000), undefined, true),
  file("one cell 36,000,000 times", SUITE, () =>
    matrix(1, 1)
      .replace("[p0]", `[${many(6_000, () => "p0", ",")}]`)
      .replace("[c0]", `[${many(6_000, () => "c0", ",")}]`),
  ),
  file("a matrix of 90,000 cells", SUITE, () => matrix(300, 300)),
  file("1,500 allowed cells", SUITE, () => matrix(40, 40, 1_500)),
  file(
    "arguments 60 deep",
    SUITE,
    () =>
      `name: x\ncalls: { c: { server: jira, tool: jira.search, arguments: ${"{a: ".repeat(50)}1${"}".repeat(50)} } }\ntests: []\n`,
  ),
  file(
    "500 limits",
    "limits.yaml",
    () =>
      `limits:\n${many(500, (index) => `  - { id: l${index}, per: [principal], limit: 1, window: 1m }`)}\n`,
  ),
  file(
    "1,000 endpoints",
    "routes.yaml",
    () => `endpoints:\n${many(1_000, (index) => `  - { path: /e${index}/mcp, server: jira }`)}\n`,
  ),
  file(
    "500 issuers",
    "identity.yaml",
    () =>
      `issuers:\n${many(500, (index) => `  - { issuer: "https://i${index}.example.com/", jwksUrl: "https://i${index}.example.com/jwks", attributes: { is_external: { type: Bool, required: true } } }`)}\n`,
  ),
  {
    name: "300 tenants",
    small: false,
    plant: (dir) => {
      write(
        dir,
        "aegis.yaml",
        `apiVersion: aegis.dev/v1\nkind: Project\nmetadata: { name: x }\nenvironments: [dev, prod]\nroles: [Developer, Employee]\ntenants:\n${many(300, (index) => `  t${index}: { servers: [jira, sql-prod] }`)}\n`,
      );
      for (let index = 0; index < 300; index += 1)
        write(
          dir,
          `tenants/t${index}/policies/p.cedar`,
          many(20, (item) => `forbid(principal,action,resource)when{principal in Group::"g${item}"};`),
        );
    },
  },
  file(
    "500 environments",
    "aegis.yaml",
    () =>
      `apiVersion: aegis.dev/v1\nkind: Project\nmetadata: { name: x }\nenvironments: [${many(500, (index) => `e${index}`, ",")}]\nroles: [Developer, Employee]\n`,
  ),
];
