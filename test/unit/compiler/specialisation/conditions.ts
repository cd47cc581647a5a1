// Random conditions, each written twice: as an author writes it, and in plain Cedar as the reference reads it.
import type { Dice } from "./dice.ts";
import { TEXTS } from "./fields.ts";
import type { Field } from "./fields.ts";
import type { Leaf, Shape } from "./shape.ts";

export interface Written {
  /** As an author writes it. */
  readonly source: string;
  /** The same meaning without `.matches`, with methods as groups. */
  readonly reference: string;
}

/** One `.matches`: the Boolean `context._m.p<index>` of the reference. */
export interface Search {
  /** From `context`, `principal` or `resource`. */
  readonly path: readonly string[];
  readonly pattern: string;
}

const PATTERNS = ["(?i)^\\s*select", "^a", "example\\.org$", "[0-9]", "^prod", "t1$"];

function same(text: string): Written {
  return { source: text, reference: text };
}

function join(parts: readonly Written[], write: (texts: readonly string[]) => string): Written {
  return {
    source: write(parts.map((part) => part.source)),
    reference: write(parts.map((part) => part.reference)),
  };
}

export class Conditions {
  readonly #dice: Dice;
  readonly #shape: Shape;
  readonly searches: Search[];

  constructor(dice: Dice, shape: Shape, searches: Search[]) {
    this.#dice = dice;
    this.#shape = shape;
    this.searches = searches;
  }

  expression(depth = 0): Written {
    const dice = this.#dice;
    if (depth >= 3 || dice.chance(0.4)) return this.#atom();
    const row = (operator: string): Written =>
      join(
        dice.times(2, 4, () => this.expression(depth + 1)),
        (texts) => `(${texts.map((text) => `(${text})`).join(` ${operator} `)})`,
      );
    switch (dice.below(6)) {
      case 0:
      case 1:
        return row("&&");
      case 2:
        return row("||");
      case 3:
        return join([this.expression(depth + 1)], ([text = ""]) => `!(${text})`);
      case 4:
        return join(
          [0, 1, 2].map(() => this.expression(depth + 1)),
          ([a = "", b = "", c = ""]) => `(if ${a} then ${b} else ${c})`,
        );
      default: {
        const operator = dice.pick(["==", "!="]);
        return join(
          [0, 1].map(() => this.expression(depth + 1)),
          ([a = "", b = ""]) => `((${a}) ${operator} (${b}))`,
        );
      }
    }
  }

  #atom(): Written {
    const dice = this.#dice;
    const draw = dice.below(10);
    if (draw < 3) return this.#ofLeaf();
    if (draw < 5) return this.#ofPrincipal();
    if (draw < 7) return this.#ofRequest();
    return this.#ofArguments();
  }

  /** What the leaf fixes, so that it folds. */
  #ofLeaf(): Written {
    const dice = this.#dice;
    const leaf = dice.pick(this.#shape.leaves);
    const other = dice.pick(this.#shape.leaves);
    const method = dice.pick(["tools/call", "resources/read", "prompts/get"]);
    const server = dice.pick(this.#shape.servers).id;
    return dice.pick<() => Written>([
      () => same(`context.primitive == ${text(dice.pick(["tool", "resource", "prompt"]))}`),
      () => same(`${text(leaf.name)} == context.target`),
      () => same(`context.target != ${text(leaf.name)}`),
      () => same(`[${text(leaf.name)}, ${text(other.name)}].contains(context.target)`),
      () => same(`context.target like ${dice.pick(['"t*"', '"*1"', '"s0*"', '"*"'])}`),
      () => same(`context.server ${dice.pick(["==", "!="])} ${text(server)}`),
      () => same(`resource == Server::${text(server)}`),
      () => same(`resource in [Server::${text(server)}, Server::"s0"]`),
      () => same(dice.pick(["resource is Server", "principal is User || true", "true", "false"])),
      () => same(`resource.tier ${dice.pick(['== "production"', '!= "internal"', 'like "prod*"'])}`),
      () =>
        same(
          `resource.labels.${dice.pick(['contains("data")', 'containsAny(["data", "web"])', "isEmpty()"])}`,
        ),
      () => same(`action ${dice.pick(["==", "!="])} Action::${text(leaf.action)}`),
      () => same(`action in [Action::"prompts/get", Action::${text(leaf.action)}]`),
      () => ({
        source: `action == Action::${text(method)}`,
        reference: `(action in Action::${text(method)})`,
      }),
      () => ({
        source: `action != Action::${text(method)}`,
        reference: `!(action in Action::${text(method)})`,
      }),
      () =>
        same(
          `(context.primitive == "tool" && context.annotations.${dice.pick(["readOnlyHint", "destructiveHint", "openWorldHint"])})`,
        ),
      () => this.#matches(["context", "target"]),
      () => this.#matches(["resource", "tier"]),
    ])();
  }

  #ofPrincipal(): Written {
    const dice = this.#dice;
    const level = dice.pick(["> 2", "== 1", "<= 0"]);
    return dice.pick<() => Written>([
      () => same(dice.pick(["principal is User", "principal is Agent", 'principal == User::"u1"'])),
      () => same(`principal in Role::${text(dice.pick(ROLES))}`),
      () => same(`principal in [Role::${text(dice.pick(ROLES))}, Role::"Auditor"]`),
      () => same('principal in Group::"ops"'),
      () => same(dice.pick(["principal.is_external", "principal.is_external == false"])),
      () => same(`principal.email ${dice.pick(['== "a@example.org"', 'like "*@example.org"'])}`),
      () =>
        same(
          `principal.teams.${dice.pick(['contains("core")', 'containsAll(["core", "data"])', "isEmpty()"])}`,
        ),
      () => same('(principal has department && principal.department == "it")'),
      () => same(`(principal has level && principal.level ${level})`),
      // Overflows for a level above 1, which is an error and denies.
      () => same("(principal has level && principal.level * 9007199254740991 * 9007199254740991 > 0)"),
      () => same("!(principal has level && principal.level * 9007199254740991 * 9007199254740991 < 0)"),
      () => same("(principal has level && principal.level * 4611686018427387 * 2048 >= 0)"),
      () => this.#matches(["principal", "email"]),
    ])();
  }

  #ofRequest(): Written {
    const dice = this.#dice;
    return same(
      dice.pick([
        'context.now > datetime("2026-01-01T00:00:00Z")',
        'context.now.toTime() < duration("12h")',
        '(context has sourceIp && context.sourceIp.isInRange(ip("10.0.0.0/8")))',
        "(context has sourceIp && context.sourceIp.isIpv6())",
        '(context.client has name && context.client.name == "claude")',
        "context.client has id",
        "context.auth.mfa",
        'context.auth.amr.contains("pwd")',
        '(context.auth has acr && context.auth.acr == "high")',
        'context.auth.tokenAge < duration("10m")',
        'context.auth.scopes.containsAny(["read", "write"])',
        'context.protocol.era == "modern"',
        'context.extra.contains("zz")',
        'context.extra.containsAll(["yy", "zz"])',
        "context has arguments",
      ]),
    );
  }

  /** Guarded by the leaf that has the argument, in one of the ways that narrow to it. */
  #ofArguments(): Written {
    const dice = this.#dice;
    const leaf = dice.pick(this.#shape.leaves);
    const inner = this.#reads(leaf, leaf.fields, ["context", "arguments"]);
    if (inner === undefined) return this.#ofPrincipal();
    const guard = dice.pick([
      `context.server == ${text(leaf.server)} && context.target == ${text(leaf.name)}`,
      `action == Action::${text(leaf.action)}`,
      `resource == Server::${text(leaf.server)} && context.target == ${text(leaf.name)}`,
    ]);
    if (dice.chance(0.15)) {
      const otherwise = dice.pick(["true", "false"]);
      return join([inner], ([body = ""]) => `(if ${guard} then ${body} else ${otherwise})`);
    }
    return join([inner], ([body = ""]) => `(${guard} && ${body})`);
  }

  #reads(leaf: Leaf, fields: readonly Field[], path: readonly string[]): Written | undefined {
    const readable = fields.filter(({ kind }) => kind !== "opaque");
    if (readable.length === 0) return undefined;
    const dice = this.#dice;
    const field = dice.pick(readable);
    const at = [...path, field.name];
    const test = field.kind === "record" ? this.#reads(leaf, field.fields, at) : this.#tests(field, at);
    const present = `${receiver(path)} has ${text(field.name)}`;
    if (test === undefined || (!field.required && dice.chance(0.15))) return same(`(${present})`);
    // Null enters as absence.
    const optional = !field.required || field.kind === "maybe";
    return optional ? join([test], ([body = ""]) => `(${present} && ${body})`) : test;
  }

  #tests(field: Field, path: readonly string[]): Written {
    const dice = this.#dice;
    const value = receiver(path);
    switch (field.kind) {
      case "whole":
        return same(`${value} ${dice.pick(["< 5", ">= 1", "== 10", "* 9007199254740991 > 0", "+ 1 > 1"])}`);
      case "number":
        return same(
          `${value}.${dice.pick(['lessThan(decimal("10.0"))', 'greaterThanOrEqual(decimal("1.5"))'])}`,
        );
      case "flag":
        return same(dice.pick([value, `${value} == false`]));
      case "list":
        return same(
          `${value}.${dice.pick(['contains("alpha")', 'containsAny(["beta", "x"])', "isEmpty()"])}`,
        );
      default:
        if (dice.chance(0.35)) return this.#matches(path);
        return same(
          dice.chance(0.5)
            ? `${value} == ${text(dice.pick(TEXTS))}`
            : `${value} like ${dice.pick(['"*a*"', '"drop*"', '"a\\*b"', '"*"'])}`,
        );
    }
  }

  #matches(path: readonly string[]): Written {
    const pattern = this.#dice.pick(PATTERNS);
    const index = this.searches.push({ path, pattern }) - 1;
    const at = receiver(path);
    return {
      source: `${at}.matches("${pattern.replaceAll("\\", "\\\\")}")`,
      reference: `(${at} like "*" && context._m.p${String(index)})`,
    };
  }
}

export const ROLES = ["Developer", "Employee", "Auditor"];

/** A Cedar string literal. */
export function text(value: string): string {
  return JSON.stringify(value);
}

function receiver([root = "", ...names]: readonly string[]): string {
  return names.reduce(
    (at, name) => (/^[A-Za-z_]\w*$/u.test(name) ? `${at}.${name}` : `${at}[${text(name)}]`),
    root,
  );
}
