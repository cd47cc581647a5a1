// Makes every stage with the domain objects it needs. Order is not decided here: see pipeline/request-pipeline.ts.
import type { AuditLog } from "#audit";
import type { Sealer } from "#sealing";
import type { Clock } from "#std";
import type { TransportRules } from "../listener/check-transport.ts";
import type { AnswerPool } from "../large-answers/answer-pool.ts";
import type { RateLimiter } from "../limits/rate-limiter.ts";
import { createLocalAnswers } from "../local/answer.ts";
import { createObserver } from "../pipeline/server-messages.ts";
import type { SessionTable } from "../sessions/session-table.ts";
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
  readonly onNotification: (method: string, relayed: boolean) => void;
  readonly onUpstream: (server: string, outcome: string, durationMs: number) => void;
  readonly onShadow?: (result: ShadowResult) => void;
  /** Reads large answers; without it every answer is read on this thread. */
  readonly largeAnswers?: AnswerPool | undefined;
}

export function createStages(dependencies: StageDependencies): Stages {
  const { transport, sessions, limiter, audit, clock, maxRequestBytes, onNotification } = dependencies;
  const { onUpstream } = dependencies;
  return {
    listener: createListenerStage(transport, clock),
    endpoint: createEndpointStage(),
    authenticate: createAuthenticateStage(clock),
    admit: createAdmitStage({ maxRequestBytes, sessions }),
    target: createTargetStage(),
    pinAndProject: createPinAndProjectStage(),
    authorize: createAuthorizeStage(dependencies.onShadow),
    throttle: createThrottleStage(limiter, clock),
    transformRequest: createTransformRequestStage(audit),
    record: createRecordStage(audit),
    dispatch: createDispatchStage({
      answerLocally: createLocalAnswers(sessions),
      observe: createObserver({ audit, onNotification }),
      onUpstream,
      clock,
      deferLarge: dependencies.largeAnswers !== undefined,
    }),
    checkResult: createCheckResultStage(),
    transformResponse: createTransformResponseStage(audit, dependencies.largeAnswers),
    recordResult: createRecordResultStage(audit, clock),
  };
}
