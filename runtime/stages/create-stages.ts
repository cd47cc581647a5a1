// Makes every stage with the domain objects it needs. Order is not decided here: see pipeline/request-pipeline.ts.
import type { AuditLog } from "#audit";
import type { Sealer } from "#sealing";
import type { Clock } from "#std";
import type { Bridge } from "../bridge/index.ts";
import { createAskDesk, createAskLimits, createInputRounds } from "../asks/index.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";
import type { TransportRules } from "../listener/check-transport.ts";
import type { AnswerPool } from "../large-answers/answer-pool.ts";
import type { RateLimiter } from "../limits/rate-limiter.ts";
import { createLocalAnswers } from "../local/answer.ts";
import type { Recorded } from "../pipeline/exchange.ts";
import { createObserver } from "../pipeline/server-messages.ts";
import type { SessionTable } from "../sessions/session-table.ts";
import { createTaskGovernor, watchTasks } from "../tasks/index.ts";
import type { OpenTasks, TaskWatch } from "../tasks/index.ts";
import type { Streams } from "../streams/create-streams.ts";
import { createAdmitStage } from "./admit.ts";
import { createAuthenticateStage } from "./authenticate.ts";
import { createAuthorizeStage } from "./authorize.ts";
import type { ShadowResult } from "./authorize.ts";
import { createCheckResultStage } from "./check-result.ts";
import { createListenerStage } from "./check-transport.ts";
import { createDispatchStage } from "./dispatch.ts";
import { createPinAndProjectStage } from "./pin-and-project.ts";
import { createRecordResultStage } from "./record-result.ts";
import { createRecordStage } from "./record.ts";
import { createEndpointStage } from "./resolve-endpoint.ts";
import { createTargetStage } from "./resolve-target.ts";
import type { Stages } from "./stages.ts";
import { tellingLevels } from "./tell-levels.ts";
import { createThrottleStage } from "./throttle.ts";
import { createTransformRequestStage } from "./transform-request.ts";
import { createTransformResponseStage } from "./transform-response.ts";

export interface StageDependencies {
  readonly transport: TransportRules;
  readonly sessions: SessionTable;
  readonly limiter: RateLimiter;
  readonly audit: AuditLog;
  readonly clock: Clock;
  readonly maxRequestBytes: number;
  /** Seals what clients carry: cursors, request states, task ids. */
  readonly sealer: Sealer;
  readonly bridge: Bridge;
  /** The active release, which what servers ask in the middle of a call is decided by; the call's own where absent. */
  readonly currentSnapshot?: (() => Snapshot | undefined) | undefined;
  readonly streams: Pick<Streams, "answerListen" | "answerSubscription">;
  /** Where the tasks of callers are known; of its own where absent. */
  readonly openTasks?: OpenTasks;
  readonly onNotification: (method: string, relayed: boolean) => void;
  readonly onUpstream: (server: string, outcome: string, durationMs: number) => void;
  readonly onShadow?: (result: ShadowResult) => void;
  /** Reads large answers; without it every answer is read on this thread. */
  readonly largeAnswers?: AnswerPool | undefined;
}

export function createStages(dependencies: StageDependencies): Stages {
  const { transport, sessions, limiter, audit, clock, maxRequestBytes, onNotification } = dependencies;
  const { onUpstream, sealer, streams } = dependencies;
  const asks = createAskDesk({
    ...{ audit, currentSnapshot: dependencies.currentSnapshot },
    limits: createAskLimits(limiter, clock),
  });
  const rounds = createInputRounds(asks, sealer);
  const tasks = createTaskGovernor({ sealer, limiter, clock, audit, open: dependencies.openTasks });
  const { currentSnapshot = () => undefined } = dependencies;
  const listenToTasks = (exchange: Recorded, signal: AbortSignal): Promise<TaskWatch | undefined> =>
    watchTasks(exchange, signal, { sealer, audit, snapshot: currentSnapshot });
  const stages: Stages = {
    listener: createListenerStage(transport, clock),
    endpoint: createEndpointStage(),
    authenticate: createAuthenticateStage(clock),
    admit: createAdmitStage({ maxRequestBytes, sessions }),
    target: createTargetStage(sealer),
    pinAndProject: createPinAndProjectStage(),
    authorize: createAuthorizeStage(dependencies.onShadow),
    throttle: createThrottleStage(limiter, clock),
    transformRequest: createTransformRequestStage(audit, rounds),
    record: createRecordStage(audit),
    dispatch: tasks.around(
      createDispatchStage({
        answerLocally: tasks.answering(
          createLocalAnswers(sessions, sealer, (exchange, signal) =>
            streams.answerListen(exchange, signal, listenToTasks),
          ),
        ),
        observe: createObserver({ audit, asks, onNotification, onTaskStatus: tasks.onStatus }),
        subscribe: streams.answerSubscription,
        onUpstream,
        bridge: dependencies.bridge,
        answersAhead: rounds.ahead,
        clock,
        deferLarge: dependencies.largeAnswers !== undefined,
      }),
    ),
    checkResult: createCheckResultStage({ asks, rounds }),
    transformResponse: createTransformResponseStage(audit, dependencies.largeAnswers),
    recordResult: createRecordResultStage(audit, clock),
  };
  return { ...stages, ...tellingLevels(stages, { audit, clock }) };
}
