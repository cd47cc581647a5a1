// The colours of the page, in both themes. Allowed is blue and denied is orange, which all common kinds of colour
// blindness keep apart; every colour also comes with a sign or a word.

export type ColorName =
  | "page"
  | "card"
  | "sunk"
  | "line"
  | "text"
  | "muted"
  | "link"
  | "allowed"
  | "allowed-soft"
  | "denied"
  | "denied-soft"
  | "both"
  | "both-soft"
  | "reasons"
  | "reasons-soft"
  | "good"
  | "good-soft"
  | "bad"
  | "bad-soft"
  | "warn"
  | "warn-soft";

/** A theme: `#rrggbb` by name. */
export type Theme = Readonly<Record<ColorName, string>>;

export const LIGHT: Theme = {
  page: "#f5f6f8",
  card: "#ffffff",
  sunk: "#eef1f5",
  line: "#d3d9e2",
  text: "#18212d",
  muted: "#526074",
  link: "#0b50c4",
  allowed: "#0b4ab8",
  "allowed-soft": "#d9e6ff",
  denied: "#8a3a00",
  "denied-soft": "#ffe3cb",
  both: "#71199a",
  "both-soft": "#f2dffb",
  reasons: "#465164",
  "reasons-soft": "#e3e8ef",
  good: "#0f6535",
  "good-soft": "#d8f1e2",
  bad: "#a3111c",
  "bad-soft": "#fde0e0",
  warn: "#704b00",
  "warn-soft": "#ffefc4",
};

export const DARK: Theme = {
  page: "#0e131a",
  card: "#161c25",
  sunk: "#1e2631",
  line: "#323d4d",
  text: "#e6ebf2",
  muted: "#a5b1c2",
  link: "#8ab4ff",
  allowed: "#a9c8ff",
  "allowed-soft": "#17356a",
  denied: "#ffc08a",
  "denied-soft": "#52300f",
  both: "#e5b9ff",
  "both-soft": "#45215d",
  reasons: "#c5cedb",
  "reasons-soft": "#2b3543",
  good: "#88e2ae",
  "good-soft": "#113b27",
  bad: "#ffb4b4",
  "bad-soft": "#581b1f",
  warn: "#ffda7d",
  "warn-soft": "#453608",
};

/** Text and the ground it stands on, wherever the page puts one on the other. */
export const TEXT_ON_GROUND: readonly (readonly [ColorName, ColorName])[] = [
  ...(["page", "card", "sunk"] as const).flatMap((ground) =>
    (["text", "muted", "link", "allowed", "denied", "both", "reasons", "good", "bad", "warn"] as const).map(
      (text) => [text, ground] as const,
    ),
  ),
  ...(["allowed", "denied", "both", "reasons", "good", "bad", "warn"] as const).flatMap((name) => [
    [name, `${name}-soft`] as const,
    ["text", `${name}-soft`] as const,
  ]),
];

/** Declarations of custom properties, one for each colour. */
export function themeProperties(theme: Theme): string {
  return Object.entries(theme)
    .map(([color, value]) => `--${color}:${value}`)
    .join(";");
}
