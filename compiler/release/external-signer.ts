// Signing by a program, for keys that never leave a KMS or an HSM. The program is run without a shell, gets the exact
// signing input on standard input, and prints the signature. Nothing it says is believed: the signature is verified.
import { spawn } from "node:child_process";
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import type { DocumentType } from "#bundle";
import { ReleaseToolError } from "./release-error.ts";
import type { PublicKey } from "./keys.ts";
import { decodeSignature } from "./signature-forms.ts";

/** How to reach a key that somebody else holds. */
export interface ExternalProgram {
  /** Program and arguments; run as they are. */
  readonly command: readonly [string, ...string[]];
  /** Working directory of the program. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** From start to exit. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** A public key whose private half signs through a program. */
export interface ExternalKey extends PublicKey {
  readonly program: ExternalProgram;
}

/** Long enough for somebody to touch a token. */
export const DEFAULT_SIGNER_TIMEOUT_MS = 60_000;

/** A signature is at most 72 octets; the rest is for programs that print a line more. */
const MAX_OUTPUT_BYTES = 4 * 1024;
const MAX_STDERR_BYTES = 4 * 1024;

/**
 * Lets the program sign `input`, the JWS signing input (RFC 7515, section 5.1). The program learns the key from
 * AEGIS_KEY_ID, AEGIS_KEY_ALGORITHM (`Ed25519`, `ES256`) and AEGIS_DOCUMENT (`aegis-release`, `aegis-root`).
 * Returns the signature as JWS wants it, 64 octets. Throws SIGNER_FAILED.
 */
export async function signExternally(
  key: ExternalKey,
  document: DocumentType,
  input: Uint8Array,
): Promise<Uint8Array> {
  const { program } = key;
  const env = {
    ...program.env,
    AEGIS_KEY_ID: key.keyId,
    AEGIS_KEY_ALGORITHM: key.alg,
    AEGIS_DOCUMENT: document,
  };
  const output = await runProgram({ ...program, env }, input);
  const signature = decodeSignature(output, key.alg);
  if (signature === undefined) {
    throw failed(program, `it printed ${String(output.length)} bytes that are no ${key.alg} signature`);
  }
  return signature;
}

function runProgram(program: ExternalProgram, input: Uint8Array): Promise<Buffer> {
  const [file, ...args] = program.command;
  return new Promise((resolve, reject) => {
    const stop = AbortSignal.any([
      AbortSignal.timeout(program.timeoutMs),
      ...(program.signal === undefined ? [] : [program.signal]),
    ]);
    let child: ChildProcessWithoutNullStreams;
    try {
      child = spawn(file, args, {
        cwd: program.cwd,
        env: { ...program.env },
        shell: false,
        windowsHide: true,
      });
    } catch (error) {
      reject(failed(program, messageOf(error)));
      return;
    }
    const out: Buffer[] = [];
    let outBytes = 0;
    let complaint = "";
    const settle = (finish: () => void): void => {
      stop.removeEventListener("abort", onStop);
      // A program of the program may hold the pipes open: nobody waits for it.
      for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy();
      child.kill("SIGKILL");
      finish();
    };
    const fail = (reason: string): void => {
      settle(() => reject(failed(program, reason, complaint)));
    };
    const onStop = (): void => {
      fail(`it did not end within ${String(program.timeoutMs / 1000)} seconds`);
    };
    stop.addEventListener("abort", onStop, { once: true });
    // A program that reads nothing closes the pipe early; its signature tells whether that was right.
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
    child.stdout.on("data", (chunk: Buffer) => {
      outBytes += chunk.length;
      if (outBytes > MAX_OUTPUT_BYTES) fail(`it printed more than ${String(MAX_OUTPUT_BYTES)} bytes`);
      else out.push(chunk);
    });
    child.stderr.on("data", (chunk: Buffer) => {
      if (complaint.length < MAX_STDERR_BYTES) complaint += chunk.toString("utf8");
    });
    child.on("error", (error) => fail(messageOf(error)));
    child.on("close", (code, killedBy) => {
      if (code === 0) settle(() => resolve(Buffer.concat(out)));
      else fail(code === null ? `it was ended by ${String(killedBy)}` : `it exited with ${String(code)}`);
    });
  });
}

/** The error that a signer ends with; `complaint` is what the program wrote to standard error. */
function failed(program: ExternalProgram, reason: string, complaint = ""): ReleaseToolError {
  const said = printable(complaint.slice(0, MAX_STDERR_BYTES)).trimEnd();
  const lines = said === "" ? "" : `\n${said.replace(/^/gmu, "  | ")}`;
  return new ReleaseToolError("SIGNER_FAILED", `${printable(program.command[0])}: ${reason}${lines}`);
}

/** What a foreign program wrote must not drive the terminal. */
function printable(text: string): string {
  return text.replace(/[^\P{C}\n\t]/gu, "\u{fffd}");
}

function messageOf(error: unknown): string {
  const { code } = error as { readonly code?: unknown };
  if (code === "ENOENT") return "there is no such program";
  if (code === "EACCES") return "it is not executable";
  return error instanceof Error ? error.message : "it cannot be run";
}
