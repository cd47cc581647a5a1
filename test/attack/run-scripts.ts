// Plays scripted attacks against a target.
import { setTimeout as delay } from "node:timers/promises";
import { legacyPresets, legacySpec, requestBytes } from "./case-file.ts";
import type { Variables } from "./case-file.ts";
import { judge } from "./judge.ts";
import { exchangeRaw, isComplete, openRaw, readResponse } from "./raw-http.ts";
import type { RawConnection, RawTarget } from "./raw-http.ts";
import { expectationOf, isLegacyOnly, needsOf, targetOf, variablesOf } from "./run-corpus.ts";
import type { CorpusOptions, CorpusResult } from "./run-corpus.ts";
import { readScriptFile } from "./script-file.ts";
import type { Script, ScriptFile, Step } from "./script-file.ts";
import { heldBytes } from "./socket-buffers.ts";

const MAX_DRIPPED_BYTES = 100_000;

/** What came says nothing about the target. */
class NotJudged extends Error {}

/** Every script, all at once: they wait more than they work. */
export async function runScripts(options: CorpusOptions): Promise<readonly CorpusResult[]> {
  const file = inEra(readScriptFile(options.file), options);
  const wanted = file.scripts.filter(({ id }) => options.only?.test(id) !== false);
  return Promise.all(wanted.map((script) => runOne(file, script, options)));
}

function inEra(file: ScriptFile, options: CorpusOptions): ScriptFile {
  if (!isLegacyOnly(options)) return file;
  const sent = (step: Step): Step =>
    step.send === undefined ? step : { ...step, send: legacySpec(step.send) };
  return {
    presets: legacyPresets(file),
    scripts: file.scripts.map((script) => ({ ...script, steps: script.steps.map(sent) })),
  };
}

async function runOne(file: ScriptFile, script: Script, options: CorpusOptions): Promise<CorpusResult> {
  const { id, title, needs = [], steps } = script;
  const requests = steps.flatMap(({ send }) => (send === undefined ? [] : needsOf(file, send)));
  const missing = [...new Set([...needs, ...requests])].filter(
    (need) => options.offers?.includes(need) !== true,
  );
  if (missing.length > 0)
    return { id, title, outcome: "not-applicable", status: 0, reason: `needs ${missing.join(", ")}` };
  let play: Play | undefined;
  try {
    // Ids of requests that run at once collide in one session: a script has its own.
    play = new Play(file, options, await variablesOf(options));
    for (const [at, step] of steps.entries()) {
      const reasons = await play.step(step);
      if (reasons.length > 0)
        return {
          id,
          title,
          outcome: "fail",
          status: play.status,
          reason: `step ${at + 1}: ${reasons.join("; ")}`,
        };
    }
    return { id, title, outcome: "pass", status: play.status, reason: "" };
  } catch (fault) {
    if (fault instanceof NotJudged)
      return { id, title, outcome: "not-applicable", status: play?.status ?? 0, reason: fault.message };
    return { id, title, outcome: "fail", status: play?.status ?? 0, reason: (fault as Error).message };
  } finally {
    play?.close();
  }
}

class Play {
  readonly #file: ScriptFile;
  readonly #options: CorpusOptions;
  readonly #target: RawTarget;
  #variables: Variables;
  readonly #named = new Map<string, RawConnection>();
  readonly #idle: RawConnection[] = [];
  /** Of the last answer. */
  status = 0;

  constructor(file: ScriptFile, options: CorpusOptions, variables: Variables) {
    this.#file = file;
    this.#options = options;
    this.#target = targetOf(options);
    this.#variables = variables;
  }

  close(): void {
    for (const connection of [...this.#named.values(), ...this.#idle]) connection.close();
  }

  /** What went otherwise than the step says. */
  async step(step: Step): Promise<readonly string[]> {
    if (step.send !== undefined) return this.#send(step.send);
    if (step.receives !== undefined) {
      const { on, text, withinMs = this.#target.timeoutMs } = step.receives;
      const connection = this.#connection(on);
      const has = (): boolean => connection.received().includes(text);
      if (await connection.until(has, withinMs)) return [];
      const tail = connection.received().toString("utf8").slice(-200);
      return [`${on} did not get ${text} within ${withinMs} ms, but ${JSON.stringify(tail)}`];
    }
    if (step.open !== undefined)
      return this.#connection(step.open).isClosed() ? [`${step.open} was closed`] : [];
    if (step.closes !== undefined) {
      const { on, withinMs, unreadMs } = step.closes;
      const connection = this.#connection(on);
      if (unreadMs === undefined) await connection.until(connection.isClosed, withinMs);
      else if (await this.#readLate(connection, unreadMs, withinMs)) return [`${on} got the whole answer`];
      return connection.isClosed() ? [] : [`${on} is open after ${(unreadMs ?? 0) + withinMs} ms`];
    }
    for (let at = 0; at < (step.idle ?? 0); at++) this.#idle.push(openRaw(this.#target));
    return [];
  }

  /** True where the answer came whole. @throws {NotJudged} where it is one that no server could have kept back */
  async #readLate(connection: RawConnection, unreadMs: number, withinMs: number): Promise<boolean> {
    await delay(this.#options.unreadMs ?? unreadMs);
    connection.resume();
    const isWhole = (): boolean => isComplete(connection.received());
    await connection.until(() => connection.isClosed() || isWhole(), withinMs);
    if (!isWhole()) return false;
    const received = connection.received();
    this.status = readResponse(received)?.status ?? 0;
    const held = this.#options.heldBytes ?? heldBytes();
    if (received.length > held) return true;
    throw new NotJudged(
      `cannot be judged: the answer (${megabytes(received.length, 1)} MB) fits the system's buffers; use a tool that answers with more than ${megabytes(held, 0)} MB`,
    );
  }

  #connection(name: string): RawConnection {
    const found = this.#named.get(name);
    if (found === undefined) throw new Error(`no connection ${name}`);
    return found;
  }

  async #send(send: NonNullable<Step["send"]>): Promise<readonly string[]> {
    const bytes = requestBytes(this.#file, send, this.#variables);
    if (send.on !== undefined) return this.#hold(send, send.on, bytes);
    const response = await exchangeRaw(this.#target, bytes);
    this.status = response.status;
    for (const [variable, header] of Object.entries(send.capture ?? {})) {
      const value = response.headers.get(header);
      if (value === undefined) return [`the answer has no ${header}`];
      this.#variables = { ...this.#variables, [variable]: value };
    }
    return judge(expectationOf(send.expect ?? {}, this.#options), response);
  }

  /** Sends on a connection that stays; where something is expected, waits for the head or the whole of the answer. */
  async #hold(send: NonNullable<Step["send"]>, name: string, bytes: Buffer): Promise<readonly string[]> {
    const connection = openRaw(this.#target);
    this.#named.set(name, connection);
    if (send.unread === true) connection.pause();
    if (send.drip !== undefined) {
      void drip(connection, bytes, send.drip);
      return [];
    }
    connection.write(bytes);
    if (send.expect === undefined) return [];
    const hasHead = (): boolean => (readResponse(connection.received())?.status ?? 0) >= 200;
    await connection.until(hasHead, this.#target.timeoutMs);
    const isStream = readResponse(connection.received())?.headers.get("content-type") === "text/event-stream";
    if (!isStream) await connection.until(() => isComplete(connection.received()), this.#target.timeoutMs);
    const response = readResponse(connection.received());
    this.status = response?.status ?? 0;
    return response === undefined
      ? ["no answer"]
      : judge(expectationOf(send.expect, this.#options), response);
  }
}

function megabytes(bytes: number, digits: number): string {
  return (Math.ceil(bytes / 10 ** (6 - digits)) / 10 ** digits).toFixed(digits);
}

async function drip(
  connection: RawConnection,
  bytes: Buffer,
  { part, pauseMs }: { readonly part: "head" | "body"; readonly pauseMs: number },
): Promise<void> {
  const from = part === "head" ? 0 : bytes.indexOf("\r\n\r\n") + 4;
  connection.write(bytes.subarray(0, from));
  for (let at = from; at < Math.min(bytes.length, from + MAX_DRIPPED_BYTES) && !connection.isClosed(); at++) {
    connection.write(bytes.subarray(at, at + 1));
    await delay(pauseMs);
  }
}
