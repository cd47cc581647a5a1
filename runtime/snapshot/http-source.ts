// A channel on a web server: conditional requests, a cap on every body, no redirects.
import { Agent, request } from "undici";
import type { Dispatcher } from "undici";
import { MAX_BUNDLE_BYTES, MAX_DOCUMENT_BYTES, RELEASE_FILE, bundleFile, rootFile } from "#bundle";
import { TrustError } from "#errors";
import { BUNDLE_READ, ROOT_READ, STATEMENT_READ } from "./read-codes.ts";
import type { ReadCodes } from "./read-codes.ts";
import type { ReleaseSource } from "./release-source.ts";

export interface HttpSourceOptions {
  /** Value of the `Authorization` header, for private storage. */
  readonly authorization?: string;
  /** PEM certificates that may vouch for the server instead of the system's. */
  readonly ca?: string;
  /** Silence that ends a request. */
  readonly idleTimeoutMs?: number;
}

const DEFAULT_IDLE_TIMEOUT_MS = 10_000;

interface Reply {
  readonly status: number;
  readonly etag?: string;
  readonly bytes: Uint8Array;
}

export function createHttpSource(base: URL, options: HttpSourceOptions): ReleaseSource {
  const { authorization, ca, idleTimeoutMs = DEFAULT_IDLE_TIMEOUT_MS } = options;
  const agent = new Agent({
    connect: { timeout: idleTimeoutMs, ...(ca === undefined ? {} : { ca }) },
    headersTimeout: idleTimeoutMs,
    bodyTimeout: idleTimeoutMs,
    connections: 2,
  });
  const directory = base.pathname.endsWith("/") ? base.pathname : `${base.pathname}/`;
  const origin = `${base.origin}${directory}`;

  const get = async (
    name: string,
    maxBytes: number,
    codes: ReadCodes,
    signal: AbortSignal,
    etag?: string,
  ): Promise<Reply> => {
    // The query may carry a signature of the storage (presigned directory access); it is sent and never shown.
    const target = new URL(`${directory}${name}${base.search}`, base.origin);
    try {
      const reply = await request(target, {
        dispatcher: agent,
        signal,
        headers: {
          accept: "application/json, application/octet-stream",
          ...(authorization === undefined ? {} : { authorization }),
          ...(etag === undefined ? {} : { "if-none-match": etag }),
        },
      });
      const bytes = await readCapped(reply, maxBytes, name, codes);
      const replyEtag = reply.headers["etag"];
      return {
        status: reply.statusCode,
        bytes,
        ...(typeof replyEtag === "string" ? { etag: replyEtag } : {}),
      };
    } catch (error) {
      if (error instanceof TrustError) throw error;
      throw new TrustError(codes.unreadable, `${name}: ${reasonOf(error)}`, { cause: error });
    }
  };

  return {
    origin,
    poll: async (etag, signal) => {
      const reply = await get(RELEASE_FILE, MAX_DOCUMENT_BYTES, STATEMENT_READ, signal, etag);
      if (reply.status === 304 && etag !== undefined) return { kind: "unchanged" };
      if (reply.status !== 200) throw refusedStatus(RELEASE_FILE, reply.status, STATEMENT_READ);
      return {
        kind: "statement",
        bytes: reply.bytes,
        ...(reply.etag === undefined ? {} : { etag: reply.etag }),
      };
    },
    fetchBundle: async (digest, signal) => {
      const reply = await get(bundleFile(digest), MAX_BUNDLE_BYTES, BUNDLE_READ, signal);
      if (reply.status !== 200) throw refusedStatus(bundleFile(digest), reply.status, BUNDLE_READ);
      return reply.bytes;
    },
    fetchRoot: async (version, signal) => {
      const reply = await get(rootFile(version), MAX_DOCUMENT_BYTES, ROOT_READ, signal);
      // Object stores answer 403 for a key that does not exist where listing is not granted.
      if (reply.status === 404 || reply.status === 403) return undefined;
      if (reply.status !== 200) throw refusedStatus(rootFile(version), reply.status, ROOT_READ);
      return reply.bytes;
    },
    close: () => agent.close(),
  };
}

async function readCapped(
  reply: Dispatcher.ResponseData,
  maxBytes: number,
  name: string,
  codes: ReadCodes,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  // Leaving the loop early destroys the body, and with it the connection.
  for await (const chunk of reply.body as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    if (length > maxBytes) throw new TrustError(codes.tooLarge, `${name} exceeds ${String(maxBytes)} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length);
}

function refusedStatus(name: string, status: number, codes: ReadCodes): TrustError {
  const why = status >= 300 && status < 400 ? "redirects are not followed" : "expected 200";
  return new TrustError(codes.unreadable, `${name}: HTTP ${String(status)}, ${why}`);
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return "the request failed";
  return "code" in error && typeof error.code === "string" ? `${error.code} ${error.message}` : error.message;
}
