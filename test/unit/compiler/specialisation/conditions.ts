// Random conditions, each written twice: as an author writes it, and in plain Cedar as the reference reads it.
import { DEFAULT_TENANT } from "#bundle";
import type { LeafAction, TenantId } from "#bundle";
import type { Dice } from "./dice.ts";
import { found, SQL_QUESTIONS, TEXT_QUESTIONS } from "./facts.ts";
import type { FactBook, Question } from "./facts.ts";
import { TEXTS } from "./fields.ts";
import type { Field } from "./fields.ts";
import { LABELS, pickLeaf } from "./shape.ts";
import type { Leaf, Shape } from "./shape.ts";

/** A part of the language that a policy uses; `action`: it is read on this leaf alone. */
export interface Feature {
  readonly name: string;
  readonly action?: LeafAction;
}

export interface Written {
  /** As an author writes it. */
  readonly source: string;
  /** The same meaning without methods of the language, with method names as groups and qualified ids. */
  readonly reference: string;
  readonly features: readonly Feature[];
}

export const ROLES = ["Developer", "Employee", "Auditor"];
const PATTERNS = ["(?i)^\\s*select", "^a", "example\\.org$", "[0-9]", "^prod", "t1$"];

/** Who writes: the platform or a tenant. */
export interface Layer {
  readonly tenant: TenantId;
  readonly shape: Shape;
  /** Tenants that the platform may name; of a tenant itself alone. */
  readonly tenants: readonly TenantId[];
}

/** The entity id that a name means to the layer: the platform's are as written, a tenant's are its own. */
export function qualified({ tenant }: Layer, name: string): string {
  return tenant === DEFAULT_TENANT ? name : `${tenant}/${name}`;
}

/** A Cedar string literal. */
export function text(value: string): string {
  return JSON.stringify(value);
}

function same(source: string, ...names: readonly string[]): Written {
  return { source, reference: source, features: names.map((name) => ({ name })) };
}

function join(parts: readonly Written[], write: (texts: readonly string[]) => string): Written {
  return {
    source: write(parts.map((part) => part.source)),
    reference: write(parts.map((part) => part.reference)),
    features: parts.flatMap((part) => part.features),
  };
}

/** Methods as they are sampled with the leaf that has them. */
const REQUESTS: readonly (readonly [feature: string, source: string])[] = [
  ["now", 'context.now > datetime("2026-01-01T00:00:00Z")'],
  ["now", 'context.now.offset(duration("-8h")).toDate() == datetime("2025-12-31")'],
  ["now", 'context.now.toTime() < duration("12h")'],
  ["now", 'context.now.durationSince(datetime("2025-12-31")).toHours() >= 8'],
  ["sourceIp", '(context has sourceIp && context.sourceIp.isInRange(ip("10.0.0.0/8")))'],
  ["sourceIp", "(context has sourceIp && context.sourceIp.isIpv6())"],
  ["sourceIp", '(context has sourceIp && context.sourceIp == ip("192.0.2.1"))'],
  ["client", '(context.client has name && context.client.name == "claude")'],
  ["client", "context.client has id"],
  ["auth", "context.auth.mfa"],
  ["auth", 'context.auth.amr.contains("pwd")'],
  ["auth", '(context.auth has acr && context.auth.acr == "high")'],
  ["auth", 'context.auth.tokenAge < duration("10m")'],
  ["auth", '(context.auth has authAge && context.auth.authAge <= duration("1h"))'],
  ["auth", 'context.auth.scopes.containsAny(["read", "write"])'],
  ["protocol", 'context.protocol.era == "modern"'],
  ["protocol", 'context.protocol.version like "2025-*"'],
  ["extra", 'context.extra.contains("zz")'],
  ["extra", 'context.extra.containsAll(["yy", "zz"])'],
  ["extra", "context has arguments"],
];

export class Conditions {
  readonly #dice: Dice;
  readonly #layer: Layer;
  readonly #shape: Shape;
  readonly #facts: FactBook;

  constructor(dice: Dice, layer: Layer, facts: FactBook) {
    this.#dice = dice;
    this.#layer = layer;
    this.#shape = layer.shape;
    this.#facts = facts;
  }

  expression(depth = 0): Written {
    const dice = this.#dice;
    if (depth >= 3 || dice.chance(0.4)) return this.#atom();
    const row = (operator: string): Written =>
      join(
        dice.times(2, 4, () => this.expression(depth + 1)),
        (texts) => `(${texts.map((item) => `(${item})`).join(` ${operator} `)})`,
      );
    switch (dice.below(6)) {
      case 0:
      case 1:
        return row("&&");
      case 2:
        return row("||");
      case 3:
        return join([this.expression(depth + 1)], ([item = ""]) => `!(${item})`);
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

  /** An entity of the caller's tenant, or to the platform sometimes of another one. */
  entity(type: "Group" | "Role" | "User", name: string): Written {
    const { tenant, tenants } = this.#layer;
    const isForeign = tenant === DEFAULT_TENANT && tenants.length > 0 && this.#dice.chance(0.4);
    const written = isForeign ? `${this.#dice.pick(tenants)}/${name}` : name;
    const features = isForeign || tenant !== DEFAULT_TENANT ? [{ name: "qualified id" }] : [];
    const reference = `${type}::${text(qualified(this.#layer, written))}`;
    return { source: `${type}::${text(written)}`, reference, features };
  }

  #atom(): Written {
    const dice = this.#dice;
    const draw = dice.below(11);
    if (draw < 3) return this.#ofLeaf();
    if (draw < 5) return this.#ofPrincipal();
    if (draw < 7) {
      const [feature, source] = dice.pick(REQUESTS);
      return same(source, feature);
    }
    return this.#ofArguments();
  }

  /** What the leaf fixes, so that it folds. */
  #ofLeaf(): Written {
    const dice = this.#dice;
    const leaf = pickLeaf(dice, this.#shape);
    const other = dice.pick(this.#shape.leaves);
    const method = dice.pick(["tools/call", "resources/read", "prompts/get", "sampling/createMessage"]);
    const primitive = dice.pick(["tool", "resource", "prompt", "sampling", "completion"]);
    const server = dice.pick(this.#shape.servers).id;
    const hint = dice.pick(["readOnlyHint", "destructiveHint", "openWorldHint"]);
    const labels = dice.pick([`contains(${text(dice.pick(LABELS))})`, 'containsAny(["data"])', "isEmpty()"]);
    return dice.pick<() => Written>([
      () => same(`context.primitive == ${text(primitive)}`),
      () => same(`${text(leaf.name)} == context.target`),
      () => same(`context.target != ${text(leaf.name)}`),
      () => same(`[${text(leaf.name)}, ${text(other.name)}].contains(context.target)`),
      () => same(`context.target like ${dice.pick(['"t*"', '"*1"', '"s0*"', '"*"', '"s?://*"'])}`),
      () => same(`context.server ${dice.pick(["==", "!="])} ${text(server)}`),
      () => same(`resource == Server::${text(server)}`),
      () => same(`resource in [Server::${text(server)}, Server::${text(leaf.server)}]`),
      () => same(dice.pick(["resource is Server", "principal is User || true", "true", "false"])),
      () => same(`resource.tier ${dice.pick(['== "production"', '!= "internal"', 'like "prod*"'])}`),
      () => same(`resource.labels.${labels}`),
      () => same(`action ${dice.pick(["==", "!="])} Action::${text(leaf.action)}`),
      () => same(`action in [Action::"prompts/get", Action::${text(leaf.action)}]`),
      () => ({
        ...same(`action == Action::${text(method)}`),
        reference: `(action in Action::${text(method)})`,
      }),
      () => ({
        ...same(`action != Action::${text(method)}`),
        reference: `!(action in Action::${text(method)})`,
      }),
      () => same(`(context.primitive == "tool" && context.annotations.${hint})`, "annotations"),
      () => this.#matches(["context", "target"]),
      () => this.#matches(["resource", "tier"]),
      () => this.#asks(["context", "target"], ["length", "length() > 5", (value) => [...value].length > 5]),
      () => this.#asks(["resource", "tier"], ["length", "length() == 5", (value) => value === "prod2"]),
      () => this.#counts(["resource", "labels"], 1),
    ])();
  }

  #ofPrincipal(): Written {
    const dice = this.#dice;
    const level = dice.pick(["> 2", "== 1", "<= 0"]);
    const member = (type: "Group" | "Role" | "User", name: string, write: (id: string) => string): Written =>
      join([this.entity(type, name)], ([id = ""]) => write(id));
    return dice.pick<() => Written>([
      () => same(dice.pick(["principal is User", "principal is Agent"])),
      () => member("User", "u1", (id) => `principal == ${id}`),
      () => member("Role", dice.pick(ROLES), (id) => `principal in ${id}`),
      () => member("Role", dice.pick(ROLES), (id) => `principal in [${id}, ${id}]`),
      () => member("Group", "ops", (id) => `principal in ${id}`),
      () => same(`principal in Tenant::${text(this.#anyTenant())}`, "principal in Tenant"),
      () => same(dice.pick(["principal.is_external", "principal.is_external == false"])),
      () => same(`principal.email ${dice.pick(['== "a@example.org"', 'like "*@example.org"'])}`),
      () =>
        same(
          `principal.teams.${dice.pick(['contains("core")', 'containsAll(["core", "data"])', "isEmpty()"])}`,
        ),
      () => same('(principal has department && principal.department == "it")'),
      () => same(`(principal has level && principal.level ${level})`),
      ...[0, 1, 2].map(() => () => this.#erring()),
      () => this.#matches(["principal", "email"]),
      () => this.#asks(["principal", "email"], dice.pick(TEXT_QUESTIONS)),
      () => this.#counts(["principal", "teams"], 2),
    ])();
  }

  /** What the leaf decides after what may be an error. */
  lateDecision(): readonly [Written, Written] {
    return [this.#erring(), this.#ofLeaf()];
  }

  /** Overflows for a level above 1, which is an error and denies. */
  #erring(): Written {
    return same(
      this.#dice.pick([
        "(principal has level && principal.level * 9007199254740991 * 9007199254740991 > 0)",
        "!(principal has level && principal.level * 9007199254740991 * 9007199254740991 < 0)",
        "(principal has level && principal.level * 4611686018427387 * 2048 >= 0)",
      ]),
    );
  }

  #anyTenant(): TenantId {
    const { tenant, tenants } = this.#layer;
    return this.#dice.pick(tenant === DEFAULT_TENANT ? [tenant, ...tenants] : [tenant]);
  }

  /** Guarded by the leaf that has the argument, in one of the ways that narrow to it. */
  #ofArguments(): Written {
    const dice = this.#dice;
    const leaf = pickLeaf(dice, this.#shape);
    const inner = this.#reads(leaf, leaf.fields, ["context", "arguments"]);
    if (inner === undefined) return this.#ofPrincipal();
    const isOneOfMany = leaf.name === "";
    const guard = dice.pick([
      `action == Action::${text(leaf.action)}`,
      ...(isOneOfMany
        ? []
        : [
            `context.server == ${text(leaf.server)} && context.target == ${text(leaf.name)}`,
            `resource == Server::${text(leaf.server)} && context.target == ${text(leaf.name)}`,
          ]),
    ]);
    const { action, kind } = leaf;
    const features = [...inner.features, { name: `arguments of ${kind}` }].map(({ name }) => ({
      name,
      action,
    }));
    if (dice.chance(0.15)) {
      const otherwise = dice.pick(["true", "false"]);
      return { ...join([inner], ([body = ""]) => `(if ${guard} then ${body} else ${otherwise})`), features };
    }
    return { ...join([inner], ([body = ""]) => `(${guard} && ${body})`), features };
  }

  #reads(leaf: Leaf, fields: readonly Field[], path: readonly string[]): Written | undefined {
    const readable = fields.filter(({ kind }) => kind !== "opaque");
    if (readable.length === 0) return undefined;
    const dice = this.#dice;
    const sql = leaf.hasSql && dice.chance(0.4) ? readable.filter(({ name }) => name === "sql") : [];
    const field = dice.pick(sql.length === 0 ? readable : sql);
    const at = [...path, field.name];
    const isSql = leaf.hasSql && path.length === 2 && field.name === "sql";
    const test =
      field.kind === "record" ? this.#reads(leaf, field.fields, at) : this.#tests(field, at, isSql);
    const present = `${receiver(path)} has ${text(field.name)}`;
    if (test === undefined || (!field.required && dice.chance(0.15))) return same(`(${present})`);
    // Null enters as absence.
    const optional = !field.required || field.kind === "maybe";
    return optional ? join([test], ([body = ""]) => `(${present} && ${body})`) : test;
  }

  #tests(field: Field, path: readonly string[], isSql: boolean): Written {
    const dice = this.#dice;
    const value = receiver(path);
    const like = ['"*a*"', '"drop*"', '"a\\*b"', '"*"', '"s0://x/*"', '"file:*"'];
    switch (field.kind) {
      case "whole":
        return same(`${value} ${dice.pick(["< 5", ">= 1", "== 10", "* 9007199254740991 > 0", "+ 1 > 1"])}`);
      case "number":
        return same(
          `${value}.${dice.pick(['lessThan(decimal("10.0"))', 'greaterThanOrEqual(decimal("1.5"))'])}`,
          "decimal",
        );
      case "flag":
        return same(dice.pick([value, `${value} == false`]));
      case "wholes":
        if (dice.chance(0.5)) return this.#counts(path, 1);
        return same(`${value}.${dice.pick(["contains(5)", "containsAll([1, 5])", "isEmpty()"])}`);
      case "rows":
        if (dice.chance(0.5)) return this.#counts(path, 1);
        return same(`${value}.isEmpty()`);
      case "list":
        if (dice.chance(0.3)) return this.#counts(path, 2);
        return same(
          `${value}.${dice.pick(['contains("alpha")', 'containsAny(["beta", "x"])', "isEmpty()"])}`,
        );
      default:
        if (isSql && dice.chance(0.5)) return this.#asks(path, dice.pick(SQL_QUESTIONS));
        if (dice.chance(0.35)) return this.#asks(path, dice.pick(TEXT_QUESTIONS));
        if (dice.chance(0.35)) return this.#matches(path);
        return same(
          dice.chance(0.5) ? `${value} == ${text(dice.pick(TEXTS))}` : `${value} like ${dice.pick(like)}`,
        );
    }
  }

  #matches(path: readonly string[]): Written {
    const pattern = this.#dice.pick(PATTERNS);
    const call = `matches("${pattern.replaceAll("\\", "\\\\")}")`;
    return this.#asks(path, ["matches", call, (value) => found(pattern, value)]);
  }

  /** The reference reads the receiver as well: where it is absent that is an error. */
  #asks(path: readonly string[], [feature, source, holds]: Question): Written {
    const at = receiver(path);
    const fact = this.#facts.about(path, (value) => typeof value === "string" && holds(value));
    return {
      source: `(${at}.${source})`,
      reference: `(${at} like "*" && ${fact})`,
      features: [{ name: `.${feature}()` }],
    };
  }

  #counts(path: readonly string[], most: number): Written {
    const at = receiver(path);
    const fact = this.#facts.about(path, (value) => Array.isArray(value) && value.length <= most);
    return {
      source: `(${at}.count() <= ${String(most)})`,
      reference: `((${at}.isEmpty() || true) && ${fact})`,
      features: [{ name: ".count()" }],
    };
  }
}

function receiver([root = "", ...names]: readonly string[]): string {
  return names.reduce(
    (at, name) => (/^[A-Za-z_]\w*$/u.test(name) ? `${at}.${name}` : `${at}[${text(name)}]`),
    root,
  );
}
