import { describe, expect, it } from "vitest";
import { DARK, LIGHT, TEXT_ON_GROUND } from "../../../../compiler/plan-html/theme.ts";
import type { Theme } from "../../../../compiler/plan-html/theme.ts";
import { pageStyle } from "../../../../compiler/plan-html/page-style.ts";

/** Relative luminance of WCAG 2.2. */
function luminance(color: string): number {
  const channel = (at: number): number => {
    const value = Number.parseInt(color.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5);
}

function contrast(one: string, other: string): number {
  const [low = 0, high = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

describe.each([
  ["light", LIGHT],
  ["dark", DARK],
] as const)("the %s theme", (_, theme: Theme) => {
  it.each(TEXT_ON_GROUND)("%s on %s can be read", (text, ground) => {
    expect(contrast(theme[text], theme[ground])).toBeGreaterThanOrEqual(4.5);
  });

  it("has every colour the style sheet names", () => {
    const named = [...pageStyle().matchAll(/var\(--([a-z-]+)\)/gu)].map(([, name = ""]) => name);
    const known = new Set([...Object.keys(theme), "tone", "tone-soft"]);
    expect(named.filter((name) => !known.has(name))).toEqual([]);
  });
});
