// Which log messages pass, and what a session's level is.
import { describe, expect, it } from "vitest";
import { logThreshold, noteLogLevel, passesLogLevel } from "../../../runtime/streams/log-level.ts";

const message = (level: unknown): { method: string; params: { level: string } } => ({
  method: "notifications/message",
  params: { level: level as string },
});
const envelope = (level: string): { _meta: Record<string, string> } => ({
  _meta: { "io.modelcontextprotocol/logLevel": level },
});

describe("log messages", () => {
  it.each([
    ["all", "debug", true],
    ["none", "emergency", false],
    ["warning", "notice", false],
    ["warning", "warning", true],
    ["warning", "alert", true],
    ["all", "loud", false],
    ["all", 7, false],
  ])("with the threshold %s, a message of level %j: %j", (threshold, level, passes) => {
    expect(passesLogLevel(message(level), threshold)).toBe(passes);
  });

  it("says nothing about other notifications", () => {
    expect(passesLogLevel({ method: "notifications/progress" }, "none")).toBe(true);
  });

  it("follows the session in the legacy era, and the request in the modern one", () => {
    expect(logThreshold("legacy", undefined, envelope("error"))).toBe("all");
    expect(logThreshold("legacy", "error", undefined)).toBe("error");
    expect(logThreshold("modern", "error", undefined)).toBe("none");
    expect(logThreshold("modern", undefined, envelope("error"))).toBe("error");
    expect(logThreshold("modern", undefined, envelope("loud"))).toBe("none");
  });

  it("keeps a level only once the server took it", () => {
    const session: { logLevel: string | undefined } = { logLevel: undefined };
    const set = { kind: "request", id: 1, method: "logging/setLevel", params: { level: "error" } } as const;
    noteLogLevel({ message: set, session, answer: { kind: "error" } });
    expect(session.logLevel).toBeUndefined();
    noteLogLevel({ message: set, session, answer: { kind: "result" } });
    expect(session.logLevel).toBe("error");
    noteLogLevel({ message: { ...set, params: { level: "loud" } }, session, answer: { kind: "result" } });
    expect(session.logLevel).toBe("error");
  });
});
