// Where commands write. Data goes to standard output, diagnostics and progress to standard error.

export interface CliIo {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Colour on standard output / standard error: a terminal, and no NO_COLOR. */
  readonly colorOut: boolean;
  readonly colorErr: boolean;
  /** Progress lines are written only to a terminal. */
  readonly showProgress: boolean;
  /** Columns of the terminal that diagnostics go to; absent where it is none. */
  readonly columns?: number;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export function processIo(): CliIo {
  const plain = process.env["NO_COLOR"] !== undefined && process.env["NO_COLOR"] !== "";
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    colorOut: process.stdout.isTTY && !plain,
    colorErr: process.stderr.isTTY && !plain,
    showProgress: process.stderr.isTTY,
    ...(process.stderr.isTTY ? { columns: process.stderr.columns } : {}),
    cwd: process.cwd(),
    env: process.env,
  };
}

/** How diagnostics are written to standard error. */
export function textOptions({ colorErr, columns }: CliIo): {
  readonly color: boolean;
  readonly columns?: number;
} {
  return columns === undefined ? { color: colorErr } : { color: colorErr, columns };
}

const STYLES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, blue: 34 } as const;
export type Style = keyof typeof STYLES;

export function paint(enabled: boolean, style: Style, text: string): string {
  return enabled ? `\u001b[${STYLES[style]}m${text}\u001b[0m` : text;
}

/** One JSON document and a newline. */
export function jsonDocument(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

/** `1 change`, `2 changes`. */
export function plural(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? "" : "s"}`;
}
