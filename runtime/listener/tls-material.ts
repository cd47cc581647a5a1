// The certificate of the MCP port: read from files, judged, and read again when the files change. A certificate that
// cannot be used never takes the place of one that can.
import { X509Certificate, createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import type { SecureContextOptions } from "node:tls";

export interface TlsFiles {
  /** PEM: the certificate, then the intermediate ones. */
  readonly cert: string;
  readonly key: string;
  /** PEM: authorities; where given, a client must show a certificate that one of them signed. */
  readonly ca?: string;
  readonly minVersion: "TLSv1.2" | "TLSv1.3";
}

export interface TlsStatus {
  /** When the certificate in use expires, ISO 8601. */
  readonly expiresAt: string;
  readonly subject: string;
  /** SHA-256 of the certificate, hex. */
  readonly fingerprint: string;
  readonly loadedAt: string;
  /** Certificates that were refused since the start, and why the latest was; null where the files are those in use. */
  readonly rejected: number;
  readonly lastRejection: string | null;
}

export type TlsReload =
  | { readonly kind: "activated" }
  | { readonly kind: "unchanged" }
  | { readonly kind: "rejected"; readonly reason: string };

export interface TlsMaterial {
  /** What a TLS server is made with. */
  readonly context: () => SecureContextOptions;
  readonly requiresClientCertificate: boolean;
  readonly status: () => TlsStatus;
  /** Reads the files again. Never throws. */
  readonly reload: () => Promise<TlsReload>;
  /** The same, but only where a file has changed since. */
  readonly reloadIfChanged: () => Promise<TlsReload>;
  /** Told of every certificate that takes the place of another. */
  readonly onActivated: (listener: (context: SecureContextOptions) => void) => void;
}

interface Loaded {
  readonly context: SecureContextOptions;
  readonly certificate: X509Certificate;
  readonly digest: string;
  readonly loadedAtMs: number;
}

/** Rejects with a message that names the file, never its content, where the files cannot be used. */
export async function openTlsMaterial(files: TlsFiles, nowMs: () => number): Promise<TlsMaterial> {
  const listeners: ((context: SecureContextOptions) => void)[] = [];
  let seen = await versionsOf(files);
  let current = await load(files, nowMs());
  let rejected = 0;
  let lastRejection: string | null = null;
  const reload = async (): Promise<TlsReload> => {
    try {
      seen = await versionsOf(files);
      const next = await load(files, nowMs());
      lastRejection = null;
      if (next.digest === current.digest) return { kind: "unchanged" };
      requireCurrent(next.certificate, nowMs());
      current = next;
      for (const listener of listeners) listener(next.context);
      return { kind: "activated" };
    } catch (fault) {
      rejected += 1;
      lastRejection = fault instanceof Error ? fault.message : String(fault);
      return { kind: "rejected", reason: lastRejection };
    }
  };
  return {
    context: () => current.context,
    requiresClientCertificate: files.ca !== undefined,
    status: () => ({
      expiresAt: new Date(current.certificate.validTo).toISOString(),
      subject: current.certificate.subject.replaceAll("\n", ", "),
      fingerprint: current.certificate.fingerprint256.replaceAll(":", "").toLowerCase(),
      loadedAt: new Date(current.loadedAtMs).toISOString(),
      rejected,
      lastRejection,
    }),
    reload,
    reloadIfChanged: async () => {
      const versions = await versionsOf(files);
      return versions === seen ? { kind: "unchanged" } : reload();
    },
    onActivated: (listener) => void listeners.push(listener),
  };
}

/** Changes whenever a file does. A file that is not there has a version too. */
async function versionsOf({ cert, key, ca }: TlsFiles): Promise<string> {
  const versions = await Promise.all(
    [cert, key, ...(ca === undefined ? [] : [ca])].map((file) =>
      stat(file).then(
        ({ mtimeMs, ctimeMs, size, ino }) => `${mtimeMs} ${ctimeMs} ${size} ${ino}`,
        () => "absent",
      ),
    ),
  );
  return versions.join("\n");
}

async function load(files: TlsFiles, nowMs: number): Promise<Loaded> {
  const [cert, key, ca] = await Promise.all([
    readPem(files.cert),
    readPem(files.key),
    files.ca === undefined ? undefined : readPem(files.ca),
  ]);
  const context: SecureContextOptions = {
    ...{ cert, key, minVersion: files.minVersion },
    ...(ca === undefined ? {} : { ca }),
  };
  let certificate: X509Certificate;
  try {
    // Refuses what is no certificate or key, and a key that belongs to another certificate.
    createSecureContext(context);
    certificate = new X509Certificate(cert);
  } catch {
    throw new Error(`${files.cert} and ${files.key} are no certificate with its key`);
  }
  const digest = createHash("sha256").update(cert).update("\0").update(key).update("\0");
  return { context, certificate, digest: digest.update(ca ?? "").digest("hex"), loadedAtMs: nowMs };
}

async function readPem(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch {
    throw new Error(`${file} cannot be read`);
  }
}

function requireCurrent(certificate: X509Certificate, nowMs: number): void {
  if (nowMs >= Date.parse(certificate.validTo))
    throw new Error(`the certificate expired at ${certificate.validTo}`);
  if (nowMs < Date.parse(certificate.validFrom))
    throw new Error(`the certificate is not valid before ${certificate.validFrom}`);
}
