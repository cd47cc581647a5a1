// Stage 10, record: the allow decision is durable before anything is sent. The only place that mints `Recorded`.
import type { AuditLog } from "#audit";
import { decisionRecord } from "../pipeline/audit-records.ts";
import { learn } from "../pipeline/exchange.ts";
import type { Recorded, Transformed } from "../pipeline/exchange.ts";
import type { Stage } from "../pipeline/pipeline.ts";
import { proceed } from "../pipeline/verdict.ts";

export function createRecordStage(audit: AuditLog): Stage<Transformed, Recorded> {
  return {
    name: "record",
    run: (exchange) => {
      if (exchange.method.audit === "count")
        return proceed(learn(exchange, { receipt: undefined }) as unknown as Recorded);
      const body = decisionRecord(
        exchange,
        { effect: "allow", policies: exchange.decision?.reasons ?? [] },
        audit,
      );
      const recording = audit.append({ tenant: exchange.route.entry.tenant, event: "decision", body });
      learn(exchange, { recording });
      return recording.then((receipt) => proceed(learn(exchange, { receipt }) as unknown as Recorded));
    },
  };
}
