// Opens a page in the user's browser: an argument of a fixed program, never a shell (CVE-2025-6514 was one).
import { spawn } from "node:child_process";
import { isSafeUrl } from "./authorization-server.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** Program and arguments for this platform; undefined where there is no display to show a browser on. */
export function browserCommand(
  url: URL,
  platform: NodeJS.Platform,
  env: Environment,
): readonly [string, readonly string[]] | undefined {
  if (!isSafeUrl(url)) return undefined;
  switch (platform) {
    case "darwin":
      return ["/usr/bin/open", [url.href]];
    case "win32":
      return ["rundll32.exe", ["url.dll,FileProtocolHandler", url.href]];
    default: {
      const hasDisplay = [env["DISPLAY"], env["WAYLAND_DISPLAY"]].some(
        (name) => name !== undefined && name !== "",
      );
      return hasDisplay ? ["xdg-open", [url.href]] : undefined;
    }
  }
}

/** Tries to; nobody waits for it, and the address is printed as well. */
export function openBrowser(url: URL, env: Environment): void {
  const command = browserCommand(url, process.platform, env);
  if (command === undefined) return;
  const [program, args] = command;
  const child = spawn(program, args, { stdio: "ignore", detached: true, shell: false });
  child.on("error", () => undefined);
  child.unref();
}
