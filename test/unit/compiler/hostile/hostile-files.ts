// Hostile files, names and links.
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { KIB, write, filled, file, many } from "./planting.ts";
import type { HostileRepository } from "./planting.ts";

export const HOSTILE_FILES: readonly HostileRepository[] = [
  {
    name: "a link out of the repository",
    small: true,
    plant: (dir) => symlinkSync("/etc/passwd", join(dir, "policies/link.yaml")),
    code: "SOURCE_UNSAFE",
  },
  {
    name: "a folder that is a link",
    small: false,
    plant: (dir) => symlinkSync("/etc", join(dir, "policies/link")),
    code: "SOURCE_UNSAFE",
  },
  {
    name: "a link to itself",
    small: false,
    plant: (dir) => symlinkSync("loop.yaml", join(dir, "policies/loop.yaml")),
    code: "SOURCE_UNSAFE",
  },
  {
    name: "a FIFO",
    small: true,
    plant: (dir) => execFileSync("mkfifo", [join(dir, "policies/pipe.yaml")]),
    code: "SOURCE_UNSAFE",
  },
  {
    name: "aegis.yaml as a FIFO",
    refused: true,
    small: true,
    plant: (dir) => {
      execFileSync("rm", [join(dir, "aegis.yaml")]);
      execFileSync("mkfifo", [join(dir, "aegis.yaml")]);
    },
  },
  {
    name: "aegis.yaml as a link to a device",
    refused: true,
    small: true,
    plant: (dir) => {
      execFileSync("rm", [join(dir, "aegis.yaml")]);
      symlinkSync("/dev/zero", join(dir, "aegis.yaml"));
    },
  },
  { name: "a folder called p.yaml", small: false, plant: (dir) => mkdirSync(join(dir, "policies/p.yaml")) },
  {
    name: "an unreadable file",
    small: true,
    plant: (dir) => {
      write(dir, "policies/secret.yaml", "deny: {}\n");
      chmodSync(join(dir, "policies/secret.yaml"), 0);
    },
  },
  {
    name: "an unreadable folder",
    small: false,
    plant: (dir) => {
      mkdirSync(join(dir, "policies/secret"));
      chmodSync(join(dir, "policies/secret"), 0);
    },
  },
  {
    name: "control characters in a name",
    small: true,
    plant: (dir) => write(dir, "policies/a\n\u001b[31mb.yaml", "deny: {}\n"),
    code: "SOURCE_UNSAFE",
  },
  {
    name: "a backslash in a name",
    small: false,
    plant: (dir) => write(dir, "policies/..\\x.yaml", "deny: {}\n"),
    code: "SOURCE_UNSAFE",
  },
  {
    name: "invisible characters in a name",
    small: true,
    plant: (dir) => write(dir, "policies/a\u202eb.yaml", "deny: {}\n"),
    code: "SOURCE_UNSAFE",
  },
  {
    name: "names that differ in case",
    small: true,
    plant: (dir) => {
      write(dir, "policies/twin.yaml", "deny: {}\n");
      write(dir, "policies/Twin.yaml", "deny: {}\n");
    },
    code: "SOURCE_UNSAFE",
  },
  {
    name: "names that differ in normal form",
    small: false,
    plant: (dir) => {
      write(dir, "policies/\u00e9.yaml", "deny: {}\n");
      write(dir, "policies/e\u0301.yaml", "deny: {}\n");
    },
    code: "SOURCE_UNSAFE",
  },
  {
    name: "a name that is not UTF-8",
    small: false,
    plant: (dir) => execFileSync("sh", ["-c", `touch "$1/policies/$(printf '\\377').yaml"`, "sh", dir]),
    code: "SOURCE_UNSAFE",
  },
  {
    name: "folders 40 deep",
    small: false,
    plant: (dir) => write(dir, `policies/${"d/".repeat(40)}p.yaml`, "deny: {}\n"),
    code: "SOURCE_UNSAFE",
  },
  {
    name: "25,000 files",
    small: false,
    plant: (dir) => {
      for (let index = 0; index < 25_000; index += 1) write(dir, `policies/f/${index}.yaml`, "");
    },
    code: "SOURCE_LIMIT",
  },
  {
    name: "3,000 documents",
    small: false,
    plant: (dir) => {
      for (let index = 0; index < 3_000; index += 1)
        write(dir, `policies/${index}.yaml`, "deny: { tools: [jira.reindex] }\n");
    },
  },
  {
    name: "200 documents that are no YAML",
    small: false,
    plant: (dir) => {
      for (let index = 0; index < 200; index += 1) write(dir, `policies/${index}.yaml`, filled('"', 20_000));
    },
    code: "YAML_INVALID",
  },
  {
    name: "100 documents at the cap",
    small: false,
    plant: (dir) => {
      for (let index = 0; index < 100; index += 1)
        write(dir, `policies/${index}.yaml`, `deny: {}\n# ${filled("x ")}`);
    },
  },
  {
    name: "40 Cedar files of 6,000 policies",
    small: false,
    plant: (dir) => {
      for (let index = 0; index < 40; index += 1)
        write(
          dir,
          `policies/${index}.cedar`,
          many(4_000, () => "permit(principal,action,resource);", ""),
        );
    },
    code: "CEDAR_TOO_MANY",
  },
  {
    name: "300 MiB of pins",
    small: false,
    plant: (dir) => {
      for (let index = 0; index < 20; index += 1)
        write(dir, `registry/pins/p${index}.json`, `"${"x".repeat(15 * KIB * KIB)}"`);
    },
    code: "SOURCE_LIMIT",
  },
  {
    name: "a key set of 10 MiB",
    small: false,
    plant: (dir) => {
      write(dir, "identity/keys.json", `{"keys":[${filled("{},", 10 * KIB * KIB)}{}]}`);
      write(
        dir,
        "identity.yaml",
        "issuers:\n  - { issuer: x, jwksFile: identity/keys.json, attributes: { is_external: { type: Bool, required: true } } }\n",
      );
    },
    code: "IDENTITY_KEYS_INVALID",
  },
  file(
    "a key set outside",
    "identity.yaml",
    () => "issuers:\n  - { issuer: x, jwksFile: ../../../etc/passwd }\n",
  ),
];
