// One call of the tour: made through a real client, proved by the server's own counter and the audit log, and printed.
import { setTimeout as delay } from "node:timers/promises";
import type { PolicyId, SourcesSection } from "#bundle";
import type { CliIo } from "../output/io.ts";
import { paint } from "../output/io.ts";
import type { DemoServerId, DemoServers } from "./demo-servers.ts";
import { lastCallDecision } from "./decision-log.ts";
import type { CallAnswer, TourClient } from "./tour-client.ts";

export interface TourCall {
  readonly title: string;
  readonly caller: string;
  readonly server: DemoServerId;
  readonly tool: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  readonly expect: "allowed" | "POLICY_DENIED" | "PIN_MISMATCH";
  /** Part of the id of a policy that must be among the deciding ones. */
  readonly decidedBy?: string;
}

export interface TourOutcome {
  readonly answer: CallAnswer;
  readonly policies: readonly PolicyId[];
  /** What is not as stated; empty = as stated. */
  readonly deviations: readonly string[];
}

export interface TourGround {
  readonly servers: Pick<DemoServers, "calls">;
  readonly auditDir: string;
  readonly sources: SourcesSection;
  readonly io: CliIo;
}

const MAX_ATTEMPTS = 10;
const RETRY_AFTER_MS = 1_000;
const LABEL_WIDTH = 10;
const MAX_SHOWN_CHARS = 160;

/** Makes the call, prints what happened, and compares it with what the tour states. */
export async function takeStep(
  number: number,
  call: TourCall,
  client: TourClient,
  ground: TourGround,
): Promise<TourOutcome> {
  const { io, servers, auditDir } = ground;
  const before = await servers.calls(call.server);
  const answer = await callUntilVerified(call, client);
  const after = await servers.calls(call.server);
  const recorded = await lastCallDecision(auditDir, call.server);
  const policies = recorded?.policies ?? [];
  const isAllowed = answer.kind === "result";
  io.out(`\n${paint(io.colorOut, "bold", `${number}. ${call.title}`)}\n`);
  line(io, "call", `${call.caller} → ${call.server}  ${call.tool} ${JSON.stringify(call.arguments)}`);
  const decision = isAllowed
    ? paint(io.colorOut, "green", "ALLOWED")
    : paint(io.colorOut, "red", `DENIED ${answer.code}`);
  line(io, "decision", `${decision}  ${paint(io.colorOut, "dim", recorded?.id ?? "not recorded")}`);
  line(io, "reason", isAllowed ? "every check passed and a policy permits it" : answer.message);
  line(
    io,
    "policy",
    policies.length === 0
      ? "none: the call was refused before any policy was asked"
      : policies.map((id) => place(id, ground.sources)).join(", "),
  );
  line(io, "server", `calls received: ${before} before, ${after} after`);
  if (isAllowed) line(io, "answer", shorten(JSON.stringify(answer.structured ?? null)));
  const deviations = [...deviationsOf(call, answer, policies)];
  const expectedCalls = call.expect === "allowed" ? 1 : 0;
  if (after - before !== expectedCalls) {
    deviations.push(`the server received ${after - before} calls instead of ${expectedCalls}`);
  }
  const shown = answer.kind === "refused" ? answer.decisionId : recorded?.id;
  if (recorded === undefined || recorded.id !== shown)
    deviations.push("the audit log does not have this decision");
  return { answer, policies, deviations };
}

/**
 * A server that is slow to show its definitions makes the gateway refuse with PIN_UNVERIFIED. Nothing was sent, so the
 * call is made again, as a client would.
 */
export async function callUntilVerified(
  call: Pick<TourCall, "tool" | "arguments">,
  client: TourClient,
): Promise<CallAnswer> {
  for (let attempt = 1; ; attempt++) {
    const answer = await client.callTool(call.tool, call.arguments);
    if (answer.kind === "result" || answer.code !== "PIN_UNVERIFIED" || attempt === MAX_ATTEMPTS)
      return answer;
    await delay(RETRY_AFTER_MS);
  }
}

function deviationsOf(call: TourCall, answer: CallAnswer, policies: readonly PolicyId[]): readonly string[] {
  const got = answer.kind === "result" ? "allowed" : answer.code;
  const deviations = got === call.expect ? [] : [`${got} instead of ${call.expect}`];
  const { decidedBy } = call;
  if (decidedBy !== undefined && !policies.some((id) => id.includes(decidedBy))) {
    deviations.push(`decided by ${policies.join(", ") || "no policy"} instead of ${decidedBy}`);
  }
  return deviations;
}

/** A further fact of a step. */
export function line(io: CliIo, label: string, text: string): void {
  io.out(`   ${paint(io.colorOut, "dim", label.padEnd(LABEL_WIDTH))}${text}\n`);
}

export function shorten(text: string): string {
  return text.length <= MAX_SHOWN_CHARS ? text : `${text.slice(0, MAX_SHOWN_CHARS)}…`;
}

/** A policy id with the line that it is written on. */
function place(id: PolicyId, sources: SourcesSection): string {
  const source = Object.hasOwn(sources.policies, id) ? sources.policies[id] : undefined;
  return source === undefined ? id : `${id} (${source.file}:${source.line})`;
}
