// A value that must not be printed.
import { inspect } from "node:util";

const SHOWN = "[secret]";

/** Holds a secret so that JSON, templates, `console.log` and the logger show `[secret]`. Only `reveal` gives it back. */
export class Secret {
  readonly #value: string;
  constructor(value: string) {
    this.#value = value;
  }
  reveal(): string {
    return this.#value;
  }
  toString(): string {
    return SHOWN;
  }
  toJSON(): string {
    return SHOWN;
  }
  [inspect.custom](): string {
    return SHOWN;
  }
}
