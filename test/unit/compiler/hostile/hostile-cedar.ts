// Hostile Cedar.
import { KIB, filled, cedar, many } from "./planting.ts";
import type { HostileRepository } from "./planting.ts";

export const HOSTILE_CEDAR: readonly HostileRepository[] = [
  cedar(
    "unknown()",
    () => 'permit (principal, action, resource) when { unknown("x") };',
    "CEDAR_UNKNOWN_FUNCTION",
    true,
  ),
  cedar(
    "open parentheses",
    () => `permit (principal, action, resource) when { ${filled("(", 200 * KIB)} };`,
    "CEDAR_TOO_LARGE",
  ),
  cedar(
    "61 parentheses",
    () => `permit (principal, action, resource) when { ${"(".repeat(61)}true${")".repeat(61)} };`,
    "CEDAR_TOO_DEEP",
  ),
  cedar(
    "chain of negations",
    () => `permit (principal, action, resource) when { ${"!".repeat(3_000)}true };`,
    "CEDAR_TOO_DEEP",
  ),
  cedar(
    "chain of members",
    () => `permit (principal, action, resource) when { context${".a".repeat(3_000)} };`,
    "CEDAR_TOO_DEEP",
  ),
  cedar(
    "chain of additions",
    () => `permit (principal, action, resource) when { 1${" + 1".repeat(3_000)} == 1 };`,
    "CEDAR_TOO_DEEP",
  ),
  cedar(
    "else ladder",
    () => `permit (principal, action, resource) when { ${"if true then true else ".repeat(1_000)}true };`,
    "CEDAR_TOO_DEEP",
  ),
  cedar(
    "7,000 policies",
    () => many(7_000, () => "permit(principal,action,resource);", ""),
    "CEDAR_TOO_LARGE",
    true,
  ),
  cedar(
    "3,000 different forbids",
    () => many(3_000, (index) => `forbid(principal,action,resource)when{context.target=="${index}"};`, ""),
    "CEDAR_UNKNOWN_TARGET",
  ),
  cedar("250,000 semicolons", () => filled(";"), "CEDAR_TOO_LARGE"),
  cedar("250,000 quotes", () => filled('"')),
  cedar(
    "250,000 backslashes",
    () => `permit(principal,action,resource)when{context.target=="${filled("\\", 60_000)}"};`,
  ),
  cedar(
    "annotations",
    () => `${filled('@a("b") ', 60_000)}permit(principal,action,resource);`,
    "CEDAR_TOO_LARGE",
  ),
  cedar(
    "a set of 15,000",
    () =>
      `permit(principal,action,resource)when{[${many(9_000, (index) => `"${index}"`, ",")}].contains(context.target)};`,
    "CEDAR_UNKNOWN_TARGET",
  ),
  cedar(
    "stars in like",
    () => `forbid(principal,action,resource)when{context.target like "${"*a".repeat(20_000)}"};`,
  ),
  cedar(
    "regex bomb",
    () =>
      'forbid(principal,action==Action::"tools/call:jira/jira.search",resource)when{context.arguments.jql.matches("((((x{1,30}){1,30}){1,30}){1,30})")};',
    "CEDAR_REGEX_INVALID",
  ),
  cedar(
    "a pattern of alternatives",
    () =>
      `forbid(principal,action==Action::"tools/call:jira/jira.search",resource)when{context.arguments.jql.matches("^(${many(240, (index) => `a${index}?`, "|").slice(0, 900)})")};`,
  ),
  cedar("600 patterns", () =>
    many(
      600,
      (index) =>
        `forbid(principal,action==Action::"tools/call:jira/jira.search",resource)when{context.arguments.jql.matches("^a${index}(b|c)*$")};`,
    ),
  ),
  cedar("invisible characters in Cedar", () => filled("\u202e", 80_000), "CEDAR_HIDDEN_CHARACTER"),
  cedar(
    "surrogates",
    () => 'permit(principal,action,resource)when{context.target=="\\u{d800}"};',
    "CEDAR_SYNTAX",
  ),
  cedar("byte order mark", () => "\ufeffpermit(principal,action,resource);", "PERMIT_EVERYTHING"),
  cedar(
    "reserved names",
    () => "permit(principal,action,resource)when{context._m.x};",
    "CEDAR_RESERVED_NAME",
  ),
  cedar(
    "records",
    () => `permit(principal,action,resource)when{${"{a:".repeat(70)}1${"}".repeat(70)}==1};`,
    "CEDAR_TOO_DEEP",
  ),
];
