// What /metrics shows, and that no peer can make it grow without end.
import { expect, test } from "vitest";
import { createMetrics } from "../../../runtime/telemetry/index.ts";

const sample = {
  route: "/sql-prod/mcp",
  method: "tools/call",
  outcome: "denied",
  code: "POLICY_DENIED",
  durationMs: 3,
};

test("exchanges, stages, upstreams, alarms and releases", async () => {
  const metrics = createMetrics();
  metrics.exchange(sample);
  metrics.exchange(sample);
  metrics.stage("authorize", 0.2);
  metrics.upstream("sql-prod", "result", 12);
  metrics.notification("notifications/progress", true);
  metrics.protocolViolation("jira");
  metrics.pinAlarm("jira");
  metrics.activeRelease("aaa", 6);
  metrics.activeRelease("bbb", 7);
  metrics.releaseRejected("RELEASE_ROLLBACK");
  const text = await metrics.render();
  for (const line of [
    'aegis_exchanges_total{route="/sql-prod/mcp",method="tools/call",outcome="denied",code="POLICY_DENIED"} 2',
    'aegis_exchange_duration_seconds_bucket{le="0.005",outcome="denied"} 2',
    'aegis_stage_duration_seconds_bucket{le="0.0005",stage="authorize"} 1',
    'aegis_stage_duration_seconds_bucket{le="0.0001",stage="authorize"} 0',
    'aegis_upstream_duration_seconds_count{server="sql-prod",outcome="result"} 1',
    'aegis_notifications_total{method="notifications/progress",relayed="true"} 1',
    'aegis_upstream_protocol_violations_total{server="jira"} 1',
    'aegis_pin_alarms_total{server="jira"} 1',
    'aegis_active_release_info{digest="bbb"} 1',
    "aegis_active_release_sequence 7",
    'aegis_releases_rejected_total{code="RELEASE_ROLLBACK"} 1',
  ]) {
    expect(text).toContain(`${line}\n`);
  }
  expect(text).not.toContain('digest="aaa"');
  expect(text).toContain("nodejs_eventloop_lag_p99_seconds");
  expect(metrics.contentType).toContain("text/plain");
});

test("the audit log is read when it is scraped", async () => {
  const metrics = createMetrics();
  expect(await metrics.render()).not.toMatch(/^aegis_audit_writable 1$/m);
  let writable = true;
  const stats = {
    queuedRecords: 3,
    queuedBytes: 700,
    segment: 2,
    segmentBytes: 5_000,
    appendedRecords: 9,
    failures: 1,
  };
  metrics.watchAudit({ writable: () => writable, stats: () => stats });
  const text = await metrics.render();
  for (const line of [
    "aegis_audit_writable 1",
    "aegis_audit_queue_records 3",
    "aegis_audit_queue_bytes 700",
    "aegis_audit_failures 1",
  ]) {
    expect(text).toContain(`${line}\n`);
  }
  writable = false;
  expect(await metrics.render()).toContain("aegis_audit_writable 0\n");
});

test("two gateways in one process do not share a registry", async () => {
  const [one, two] = [createMetrics(), createMetrics()];
  one.pinAlarm("jira");
  expect(await two.render()).not.toContain('aegis_pin_alarms_total{server="jira"}');
});

test("labels are bounded in number and length", async () => {
  const metrics = createMetrics();
  for (let value = 0; value < 3_000; value += 1) {
    const name = `name-${String(value)}`;
    metrics.exchange({ route: name, method: name, outcome: "denied", code: name, durationMs: 1 });
    metrics.stage(name, 1);
    metrics.upstream(name, name, 1);
    metrics.notification(name, false);
    metrics.protocolViolation(name);
    metrics.pinAlarm(name);
    metrics.releaseRejected(name);
  }
  metrics.pinAlarm("x".repeat(1_000));
  const text = await metrics.render();
  expect(text).not.toContain("xxxxx");
  expect(text.match(/^aegis_exchanges_total\{/gm)?.length).toBeLessThanOrEqual(501);
  expect(text.match(/^aegis_pin_alarms_total\{/gm)?.length).toBeLessThanOrEqual(501);
  expect(text).toContain('aegis_pin_alarms_total{server="(other)"}');
});

test("combinations of labels are bounded too", async () => {
  const metrics = createMetrics();
  for (let route = 0; route < 150; route += 1) {
    for (let code = 0; code < 100; code += 1) {
      metrics.exchange({ ...sample, route: `/r${String(route)}`, code: `C${String(code)}` });
    }
  }
  const series = (await metrics.render()).match(/^aegis_exchanges_total\{/gm) ?? [];
  expect(series.length).toBeLessThanOrEqual(10_001);
});
