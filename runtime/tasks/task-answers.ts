// What an answer about a task must be, and the client's id in it. Plain functions: an answer worker applies them to large
// answers as the main thread does to others. Redaction comes after, by the transforms of the tool.
import { AegisError } from "#errors";
import type { Era } from "#bundle";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import type { ReadAnswer } from "../pipeline/answer-rules.ts";
import { MAX_TASK_ID_CHARS } from "./task-ids.ts";
import { readTaskState, writeTaskState } from "./task-state.ts";
import type { TaskState } from "./task-state.ts";

/** Means URLs that the user has to visit first (MCP 2025-11-25); no task of the modern era ends so. */
const URL_ELICITATION_REQUIRED = -32042;
const INVALID_PARAMS = -32602;
/** Identifier of the extension of MCP 2026-07-28. */
export const TASKS_EXTENSION = "io.modelcontextprotocol/tasks";
export const RELATED_TASK = "io.modelcontextprotocol/related-task";

/** How the answer to one request about a task is read. Data only: it travels to answer workers. */
export interface TaskPlan {
  readonly era: Era;
  /** Of the request, e.g. `tasks/get`. */
  readonly method: string;
  /** The client's id. */
  readonly id: string;
  readonly upstreamId: string;
  /** Names the task in audit records. */
  readonly digest: string;
}

export interface RuledTask {
  readonly answer: ReadAnswer;
  /** How the task goes, where the answer says so. */
  readonly state: TaskState | undefined;
  /** What the server asks of the client before the task can go on: not yet decided. */
  readonly asks: JsonObject | undefined;
}

/** @throws {AegisError} RESULT_BLOCKED, UPSTREAM_PROTOCOL, TASK_UNKNOWN where the server does not have the task */
export function ruleTaskAnswer(answer: ReadAnswer, plan: TaskPlan): RuledTask {
  if (answer.kind === "error") {
    if (saysUnknown(answer, plan)) throw new AegisError("TASK_UNKNOWN", "the server no longer has the task");
    return { answer: underOwnId(answer, plan), state: undefined, asks: undefined };
  }
  const { result } = answer;
  requireComplete(result);
  if (plan.method === "tasks/result") return ruled(relatedTo(plan.id, toolResult(result)), plan, undefined);
  if (plan.era === "modern" && plan.method !== "tasks/get")
    return ruled({ resultType: "complete" }, plan, undefined);
  if (result["taskId"] !== plan.upstreamId)
    throw new AegisError("UPSTREAM_PROTOCOL", "the answer is about another task");
  const state = readTaskState(result, plan.era);
  const task = writeTaskState(plan.id, state, plan.era);
  const meta = metaOf(result);
  if (plan.era === "legacy") return ruled({ ...task, ...meta }, plan, state);
  const { asks, detail } = detailOf(result, state);
  return { ...ruled({ resultType: "complete", ...task, ...detail, ...meta }, plan, state), asks };
}

/** What a notification says of a task, as the client may have it. @throws {AegisError} as `ruleTaskAnswer` */
export function ruleTaskParams(params: JsonObject, plan: TaskPlan): RuledTask {
  const { answer, state, asks } = ruleTaskAnswer(
    { kind: "result", result: params },
    { ...plan, method: "tasks/get" },
  );
  if (answer.kind !== "result") throw new AegisError("STAGE_FAULT", "a notification with an error");
  const { resultType: _answer, ...rest } = answer.result;
  return { answer: { ...answer, result: rest }, state, asks };
}

/** A task that a call has made, as the server tells of it. */
export interface CreatedTask {
  readonly upstreamId: string;
  readonly state: TaskState;
  readonly meta: JsonObject;
}

/** Undefined where the answer is no new task. @throws {AegisError} RESULT_BLOCKED for a malformed one */
export function readCreated(result: JsonObject, era: Era): CreatedTask | undefined {
  const task = era === "modern" ? result : result["task"];
  if (era === "modern" ? result["resultType"] !== "task" : !isJsonObject(task)) return undefined;
  if (!isJsonObject(task)) return undefined;
  const upstreamId = task["taskId"];
  if (typeof upstreamId !== "string" || upstreamId === "" || upstreamId.length > MAX_TASK_ID_CHARS)
    throw new AegisError("RESULT_BLOCKED", "taskId of a task is not a short string");
  return { upstreamId, state: readTaskState(task, era), meta: metaOf(result) };
}

/** The answer to the call that made a task. */
export function createdAnswer(created: CreatedTask, id: string, digest: string, era: Era): ReadAnswer {
  const task = writeTaskState(id, created.state, era);
  const result =
    era === "modern" ? { resultType: "task", ...task, ...created.meta } : { task, ...created.meta };
  return { kind: "result", result, task: { digest, id, holds: "state" } };
}

function ruled(result: JsonObject, plan: TaskPlan, state: TaskState | undefined): RuledTask {
  const holds = plan.method === "tasks/result" ? "result" : "state";
  return {
    answer: { kind: "result", result, task: { digest: plan.digest, id: plan.id, holds } },
    state,
    asks: undefined,
  };
}

/** The members that a status has beside the task's own: a result, an error, or what is asked. */
function detailOf(
  task: JsonObject,
  state: TaskState,
): { readonly detail: JsonObject; readonly asks: JsonObject | undefined } {
  switch (state.status) {
    case "completed":
      return { detail: { result: inlinedResult(task["result"]) }, asks: undefined };
    case "failed":
      return { detail: { error: inlinedError(task["error"]) }, asks: undefined };
    case "input_required": {
      const asks = task["inputRequests"];
      if (!isJsonObject(asks)) throw new AegisError("RESULT_BLOCKED", "inputRequests is not an object");
      return { detail: {}, asks };
    }
    default:
      return { detail: {}, asks: undefined };
  }
}

function inlinedResult(result: JsonValue | undefined): JsonObject {
  if (!isJsonObject(result)) throw new AegisError("RESULT_BLOCKED", "a completed task without a result");
  requireComplete(result);
  return withoutRelation(result);
}

function inlinedError(error: JsonValue | undefined): JsonObject {
  const code = isJsonObject(error) ? error["code"] : undefined;
  const message = isJsonObject(error) ? error["message"] : undefined;
  if (!isJsonObject(error) || !Number.isSafeInteger(code) || typeof message !== "string")
    throw new AegisError("RESULT_BLOCKED", "a failed task without an error");
  // The URLs of it are asked for by `inputRequests`, where they are judged.
  if (code === URL_ELICITATION_REQUIRED)
    throw new AegisError("RESULT_BLOCKED", "a failed task that sends the user to URLs");
  const { data } = error;
  return { code: code as number, message, ...(data === undefined ? {} : { data: { upstream: data } }) };
}

/** Legacy: the tool's own result. */
function toolResult(result: JsonObject): JsonObject {
  const { resultType: _modern, ...rest } = withoutRelation(result);
  return rest;
}

/** A result that is said to belong to a task (MCP 2025-11-25, tasks, related-task). */
export function relatedTo(id: string, result: JsonObject): JsonObject {
  const meta = isJsonObject(result["_meta"]) ? result["_meta"] : {};
  return { ...result, _meta: { ...meta, [RELATED_TASK]: { taskId: id } } };
}

function withoutRelation(result: JsonObject): JsonObject {
  const meta = result["_meta"];
  if (!isJsonObject(meta) || !Object.hasOwn(meta, RELATED_TASK)) return result;
  const { [RELATED_TASK]: _theirs, ...others } = meta;
  const { _meta: _whole, ...rest } = result;
  return Object.keys(others).length === 0 ? rest : { ...rest, _meta: others };
}

function metaOf(result: JsonObject): JsonObject {
  const meta = withoutRelation(result)["_meta"];
  return isJsonObject(meta) ? { _meta: meta } : {};
}

function requireComplete(result: JsonObject): void {
  const type = result["resultType"];
  if (type !== undefined && type !== "complete")
    throw new AegisError("RESULT_BLOCKED", `resultType ${JSON.stringify(type).slice(0, 128)} of a task`);
}

/**
 * -32602 of `tasks/get` can mean nothing else. Of a cancellation it may say that the task has ended, and of a legacy
 * `tasks/result` it may be what the task came to: there the words decide (MCP 2025-11-25, tasks, error handling).
 */
function saysUnknown({ code, message }: Extract<ReadAnswer, { kind: "error" }>, plan: TaskPlan): boolean {
  if (code !== INVALID_PARAMS) return false;
  if (plan.method === "tasks/get") return true;
  const isAboutTask = message.includes(plan.upstreamId) || /\btask\b/iu.test(message);
  return isAboutTask && /not found|not exist|no such|unknown|expired/iu.test(message);
}

/** Servers quote the id in their errors; the client knows the task by another. */
function underOwnId(answer: Extract<ReadAnswer, { kind: "error" }>, plan: TaskPlan): ReadAnswer {
  const { kind, code, message, data } = answer;
  const told = message.replaceAll(plan.upstreamId, plan.id);
  const quotes = data !== undefined && JSON.stringify(data).includes(plan.upstreamId);
  return { kind, code, message: told, ...(data === undefined || quotes ? {} : { data }) };
}
