// aegis init: a policy repository from the template.
import { cp, mkdir, readdir } from "node:fs/promises";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { CliError } from "../output/cli-error.ts";
import { EXIT } from "../output/exit-codes.ts";
import type { CommandHost } from "../program.ts";

/** The template beside the built CLI, else the one of this checkout. */
export function templateDir(): string {
  const built = join(import.meta.dirname, "policy-repo-template");
  return existsSync(built) ? built : join(import.meta.dirname, "..", "..", "policy-repo-template");
}

export function registerInit(program: Command, host: CommandHost): void {
  program
    .command("init")
    .argument("[dir]", "directory to fill; must be empty or absent", ".")
    .summary("Start a policy repository from the template.")
    .description("Start a policy repository from the template. Nothing that is there is overwritten.")
    .action(
      host.action(async (dir: string) => {
        const target = resolve(host.io.cwd, dir);
        const present = await readdir(target).catch(() => []);
        const foreign = present.filter((name) => name !== ".git");
        if (foreign.length > 0) {
          throw new CliError(
            `${target} is not empty (${foreign.slice(0, 3).join(", ")}${foreign.length > 3 ? ", …" : ""})`,
            {
              help: "name a new directory: aegis init my-policies",
            },
          );
        }
        await mkdir(target, { recursive: true });
        await cp(templateDir(), target, { recursive: true });
        host.io.out(`${target}\n`);
        host.io.err(NEXT_STEPS);
        return EXIT.ok;
      }),
    );
}

const NEXT_STEPS = `Next:
  aegis check        what is wrong, with file, line and fix
  aegis test         run the policy tests
  aegis dev          serve it here, recompile on save
`;
