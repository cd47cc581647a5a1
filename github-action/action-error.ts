// A run that cannot do what the workflow asked: message, and what to do about it.

export class ActionError extends Error {
  readonly help: string | undefined;
  constructor(message: string, options: { readonly help?: string; readonly cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = "ActionError";
    this.help = options.help;
  }
}
