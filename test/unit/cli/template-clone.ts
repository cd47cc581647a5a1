// A copy of the template repository under Git, for commands that read and compare repositories on disk.
import { execFileSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

export const TEMPLATE = join(import.meta.dirname, "../../../policy-repo-template");

export function gitIn(repo: string, ...args: readonly string[]): void {
  const identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"];
  execFileSync("git", [...identity, ...args], { cwd: repo, stdio: "pipe" });
}

/** Throws where the text is not there: an edit that changes nothing would prove nothing. */
export async function editIn(repo: string, file: string, find: string, replace: string): Promise<void> {
  const path = join(repo, file);
  const text = await readFile(path, "utf8");
  if (!text.includes(find)) throw new Error(`${find} is not in ${file}`);
  await writeFile(
    path,
    text.replace(find, () => replace),
  );
}
