// Tasks around the dispatch of a call: room for one before a call that may make it, the client's id in place of the
// server's, what the server asks meanwhile, and the answers about it. Everything that comes of a task is governed under
// the tool that made it.
import type { AuditLog } from "#audit";
import { AegisError, isAegisError, requestFault } from "#errors";
import type { LimitEntry } from "#bundle";
import type { Sealer } from "#sealing";
import { isJsonObject } from "#std";
import type { Clock, JsonObject, JsonValue } from "#std";
import type { ExchangeObserver, OutboundRequest } from "#upstream";
import type { RateLimiter } from "#limits";
import { createAskLimits } from "../asks/ask-limits.ts";
import { answerOf as replyAnswer } from "../pipeline/answer-rules.ts";
import type { ReadAnswer } from "../pipeline/answer-rules.ts";
import { learn } from "../pipeline/exchange.ts";
import type { Answer, Answered, Recorded, TargetTask } from "../pipeline/exchange.ts";
import type { Stage } from "../pipeline/pipeline.ts";
import type { Verdict } from "../pipeline/verdict.ts";
import { ownerKeyOf } from "../sessions/session-table.ts";
import { OpenTasks, TASK_CAPS } from "./open-tasks.ts";
import type { TaskCaps } from "./open-tasks.ts";
import { taskCallerOf } from "./task-access.ts";
import { createdAnswer, readCreated, ruleTaskAnswer } from "./task-answers.ts";
import type { TaskPlan } from "./task-answers.ts";
import { MAX_ASKS, MAX_ASK_KEY_CHARS, createAskGovernor } from "./task-asks.ts";
import type { AskGovernor, TaskAsk } from "./task-asks.ts";
import { allowsTask } from "./task-capability.ts";
import { digestOf, sealTaskId, taskBinding, taskDigest } from "./task-ids.ts";
import type { TaskReference } from "./task-ids.ts";
import { answerTaskList } from "./task-list.ts";
import { governTaskStatus } from "./task-notifications.ts";
import type { TaskStatus } from "./task-state.ts";

/** What a client is told of a task that waits for what it was not asked. */
const ASK_REFUSED = "A request of the server to the client was refused";

export interface TaskGovernorOptions {
  readonly sealer: Sealer;
  readonly limiter: RateLimiter;
  readonly clock: Clock;
  readonly audit: AuditLog;
  /** Where the tasks of callers are known; its own where absent. */
  readonly open?: OpenTasks | undefined;
  readonly caps?: Partial<TaskCaps>;
}

/** A message that is about one task. */
type TaskExchange = Recorded & {
  readonly target: { readonly kind: "leaf"; readonly task: TargetTask };
};

export function createTaskGovernor(options: TaskGovernorOptions): TaskGovernor {
  return new TaskGovernor(options);
}

export class TaskGovernor {
  readonly open: OpenTasks;
  readonly #options: TaskGovernorOptions;
  readonly #asks: AskGovernor;
  readonly #requests: LimitEntry;

  constructor(options: TaskGovernorOptions) {
    const caps = { ...TASK_CAPS, ...options.caps };
    this.#options = options;
    this.#asks = createAskGovernor(options.audit, createAskLimits(options.limiter, options.clock));
    this.open = options.open ?? new OpenTasks(caps, options.clock.nowMs);
    this.#requests = {
      id: "gateway/task-requests",
      per: ["principal"],
      limit: caps.requestsPerMinute,
      windowMs: 60_000,
    };
  }

  /** The dispatch stage with tasks governed around it. */
  around(dispatch: Stage<Recorded, Answered>): Stage<Recorded, Answered> {
    return {
      name: dispatch.name,
      run: (exchange, signal) => {
        const { target, method } = exchange;
        if (target.kind !== "leaf" || exchange.outbound === undefined) return dispatch.run(exchange, signal);
        if (isAboutTask(exchange)) return this.#use(exchange, dispatch, signal);
        if (method.method !== "tools/call") return dispatch.run(exchange, signal);
        const mayMakeTask =
          exchange.era === "modern"
            ? allowsTask(exchange, target.server, target.leaf)
            : exchange.outbound.params?.["task"] !== undefined;
        return mayMakeTask
          ? this.#create(exchange, dispatch, signal)
          : this.#callOnly(exchange, dispatch, signal);
      },
    };
  }

  /** Answers `tasks/list` before what the gateway answers otherwise. */
  answering(
    others: (exchange: Recorded, signal: AbortSignal) => Answer | Promise<Answer>,
  ): (exchange: Recorded, signal: AbortSignal) => Answer | Promise<Answer> {
    return (exchange, signal) =>
      exchange.method.method === "tasks/list"
        ? answerTaskList(exchange, this.open, this.#options.sealer, signal)
        : others(exchange, signal);
  }

  /** `notifications/tasks/status` that comes during a call, as its caller may have it. */
  readonly onStatus = (exchange: Recorded, notification: JsonObject): JsonObject | undefined => {
    if (exchange.target.kind !== "leaf") return undefined;
    const server = exchange.target.server.entry.id;
    return governTaskStatus(taskCallerOf(exchange), server, notification, this.open, {
      fingerprint: this.#options.audit.fingerprint,
    });
  };

  /** A task that nobody asked for has no id that the client could use. Modern ones are refused by their result type. */
  async #callOnly(
    exchange: Recorded,
    dispatch: Stage<Recorded, Answered>,
    signal: AbortSignal,
  ): Promise<Verdict<Answered>> {
    const verdict = await dispatch.run(exchange, signal);
    const answer = answerOf(exchange);
    if (exchange.era === "modern" || answer?.kind !== "result") return verdict;
    if (isJsonObject(answer.result["task"]) && answer.result["content"] === undefined)
      throw new AegisError("RESULT_BLOCKED", "a task that the call did not ask for");
    return verdict;
  }

  async #create(
    exchange: Recorded,
    dispatch: Stage<Recorded, Answered>,
    signal: AbortSignal,
  ): Promise<Verdict<Answered>> {
    const release = this.open.reserve(ownerOf(exchange));
    try {
      const verdict = await dispatch.run(exchange, signal);
      const answer = answerOf(exchange);
      // What says that it is a task must be read here, where the client's id for it is made.
      if (answer?.kind === "unread" && exchange.era === "legacy")
        throw new AegisError("RESULT_BLOCKED", "a large answer to a call that asked for a task");
      if (answer?.kind === "result") this.#register(exchange, answer.result);
      return verdict;
    } finally {
      release();
    }
  }

  #register(exchange: Recorded, result: JsonObject): void {
    const { era, target, principal, route } = exchange;
    const created = readCreated(result, era);
    if (created === undefined || target.kind !== "leaf") return;
    const reference: TaskReference = {
      server: target.server.entry.id,
      upstreamId: created.upstreamId,
      action: target.action,
      argumentsDigest: digestOf(JSON.stringify(target.arguments)),
      createdAtMs: this.#options.clock.nowMs(),
    };
    const binding = taskBinding(principal.bindingKey, route.entry.path);
    const id = sealTaskId(this.#options.sealer, binding, reference);
    this.open.add(ownerOf(exchange), { id, reference, binding, era, state: created.state });
    learn(exchange, { answer: createdAnswer(created, id, taskDigest(reference), era) });
  }

  async #use(
    exchange: TaskExchange,
    dispatch: Stage<Recorded, Answered>,
    signal: AbortSignal,
  ): Promise<Verdict<Answered>> {
    await this.#charge(exchange);
    try {
      return await this.#dispatch(exchange, dispatch, signal);
    } catch (fault) {
      if (isAegisError(fault) && fault.code === "TASK_UNKNOWN") {
        const { binding, reference } = placeOf(exchange);
        this.open.drop(ownerOf(exchange), binding, reference);
      }
      throw fault;
    }
  }

  async #dispatch(
    exchange: TaskExchange,
    dispatch: Stage<Recorded, Answered>,
    signal: AbortSignal,
  ): Promise<Verdict<Answered>> {
    if (exchange.method.method === "tasks/update") await this.#governUpdate(exchange, signal);
    const verdict = await dispatch.run(exchange, signal);
    const answer = answerOf(exchange);
    // An answer worker reads it by the same plan. Only a task that has ended says so much.
    if (answer?.kind === "unread") this.#note(exchange, "completed");
    if (answer?.kind !== "result" && answer?.kind !== "error") return verdict;
    const ruled = ruleTaskAnswer(answer, planOf(exchange));
    if (ruled.state !== undefined) {
      const { binding, reference } = placeOf(exchange);
      this.open.observe(ownerOf(exchange), binding, reference, ruled.state);
    } else if (exchange.method.method === "tasks/result" && ruled.answer.kind === "result")
      this.#note(exchange, ruled.answer.result["isError"] === true ? "failed" : "completed");
    learn(exchange, { answer: await this.#withAsks(exchange, ruled.answer, ruled.asks, signal) });
    return verdict;
  }

  #note(exchange: TaskExchange, status: TaskStatus): void {
    const { binding, reference } = placeOf(exchange);
    const owner = ownerOf(exchange);
    const held = this.open.find(owner, binding, reference);
    if (held !== undefined) this.open.observe(owner, binding, reference, { ...held.state, status });
  }

  async #charge(exchange: TaskExchange): Promise<void> {
    const check = { limit: this.#requests, key: `task-requests ${digestOf(ownerOf(exchange))}` };
    const outcome = await this.#options.limiter.check([check], this.#options.clock.monotonicMs());
    if (outcome.allowed) return;
    const { limitId, retryAfterMs } = outcome;
    throw new AegisError("RATE_LIMITED", limitId, { data: { limit: limitId, retryAfterMs } });
  }

  /** What is asked, entry by entry; one that is refused is not there, and the server goes on waiting for it. */
  async #withAsks(
    exchange: TaskExchange,
    answer: ReadAnswer,
    asks: JsonObject | undefined,
    signal: AbortSignal,
  ): Promise<ReadAnswer> {
    if (asks === undefined || answer.kind !== "result") return answer;
    const inputRequests: Record<string, JsonValue> = Object.create(null) as Record<string, JsonValue>;
    let statusMessage: string | undefined;
    const { binding, reference } = placeOf(exchange);
    const held = this.open.find(ownerOf(exchange), binding, reference);
    const told = new Map<string, string>();
    for (const [key, ask] of entriesOf(asks)) {
      const governed = await this.#asks.ask(exchange, ask, held?.told.get(key), signal);
      told.set(key, governed.told);
      if (governed.ask === undefined) statusMessage = ASK_REFUSED;
      else inputRequests[key] = governed.ask;
    }
    if (held !== undefined) held.told = told;
    const status = statusMessage === undefined ? {} : { statusMessage };
    return { ...answer, result: { ...answer.result, inputRequests, ...status } };
  }

  /**
   * An answer is judged by what was asked, and that is the server's to say: it is asked for it again, so that no replica
   * has to remember. Answers to nothing that is asked are left out (extension tasks, tasks/update).
   */
  async #governUpdate(exchange: TaskExchange, signal: AbortSignal): Promise<void> {
    const { outbound } = exchange;
    const given = outbound?.params?.["inputResponses"];
    if (outbound === undefined || !isJsonObject(given) || Object.keys(given).length > MAX_ASKS)
      throw requestFault("ARGUMENTS_INVALID", "params.inputResponses is not what the protocol defines");
    const { taskId, _meta } = outbound.params ?? {};
    const get: OutboundRequest = {
      method: "tasks/get",
      params: { taskId: taskId ?? null, ...(_meta === undefined ? {} : { _meta }) },
      paramHeaders: {},
    };
    const { asks } = ruleTaskAnswer(await ask(exchange, get, signal), {
      ...planOf(exchange),
      method: "tasks/get",
    });
    const inputResponses: Record<string, JsonValue> = Object.create(null) as Record<string, JsonValue>;
    for (const [key, ask] of entriesOf(asks ?? {})) {
      const response = Object.hasOwn(given, key) ? given[key] : undefined;
      if (!isJsonObject(response)) continue;
      inputResponses[key] = await this.#asks.answer(exchange, ask, response, signal);
    }
    // Whatever is asked from now on is asked anew.
    const { binding, reference } = placeOf(exchange);
    const held = this.open.find(ownerOf(exchange), binding, reference);
    if (held !== undefined) held.told = new Map();
    learn(exchange, { outbound: { ...outbound, params: { ...outbound.params, inputResponses } } });
  }
}

/** Asks the server of an exchange something within it: the decision to do so is that of the exchange. */
async function ask(exchange: TaskExchange, get: OutboundRequest, signal: AbortSignal): Promise<ReadAnswer> {
  const { maxResponseBytes } = exchange.route.entry;
  const { upstream } = exchange.target.server.binding;
  const observer: ExchangeObserver = {
    onNotification: () => undefined,
    onServerRequest: () =>
      Promise.resolve({ kind: "error", error: { code: -32601, message: "Method not found" } }),
  };
  const reply = await upstream.request({ era: "modern" }, get, observer, { maxResponseBytes }, signal);
  return replyAnswer(reply, exchange.era);
}

/** How the answer to a message about a task is read; undefined for any other message. */
export function taskPlanOf(exchange: Recorded): TaskPlan | undefined {
  return isAboutTask(exchange) ? planOf(exchange) : undefined;
}

function planOf({ era, method, target }: TaskExchange): TaskPlan {
  const { id, digest, reference } = target.task;
  return { era, method: method.method, id, upstreamId: reference.upstreamId, digest };
}

function isAboutTask(exchange: Recorded): exchange is TaskExchange {
  return exchange.target.kind === "leaf" && exchange.target.task !== undefined;
}

/** What the dispatch stage learned, though its verdict does not say. */
function answerOf(exchange: Recorded): Answer | undefined {
  return (exchange as Partial<Answered>).answer;
}

/** Whose share of tasks it counts against: the caller, whatever client it came with. */
function ownerOf({ principal }: Recorded): string {
  return ownerKeyOf(principal.issuer, principal.facts);
}

function placeOf({ principal, route, target }: TaskExchange): {
  readonly binding: string;
  readonly reference: TaskReference;
} {
  return {
    binding: taskBinding(principal.bindingKey, route.entry.path),
    reference: target.task.reference,
  };
}

function entriesOf(asks: JsonObject): readonly (readonly [key: string, ask: TaskAsk])[] {
  const entries = Object.entries(asks);
  if (entries.length > MAX_ASKS || entries.some(([key]) => key.length > MAX_ASK_KEY_CHARS))
    throw new AegisError("RESULT_BLOCKED", "a task asks for too much at once");
  return entries.map(([key, ask]) => [
    key,
    isJsonObject(ask)
      ? { method: ask["method"], params: ask["params"] }
      : { method: undefined, params: undefined },
  ]);
}
