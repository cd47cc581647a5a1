// What the names in a test mean: `name` is a principal or a call, `@name` a group of them.
import type { DiagnosticSink, SourceSpan } from "../diagnostics/index.ts";
import { didYouMean } from "../documents/yaml-source.ts";
import type { TestCall, TestPrincipal } from "../model/test-suite.ts";
import type { Fixtures, NamedGroup } from "./suite-fixtures.ts";

/** Resolves names within one suite; a name whose declaration was faulty has been reported already. */
export class SuiteNames {
  readonly #fixtures: Fixtures;
  readonly #declaredCalls: ReadonlySet<string>;
  readonly #sink: DiagnosticSink;
  readonly #reported = new Set<NamedGroup>();

  constructor(fixtures: Fixtures, declaredCalls: ReadonlySet<string>, sink: DiagnosticSink) {
    this.#fixtures = fixtures;
    this.#declaredCalls = declaredCalls;
    this.#sink = sink;
  }

  /** The principals of a list, each once, in the order in which they are first named. */
  principals(written: readonly string[], place: (index: number) => SourceSpan): readonly TestPrincipal[] {
    const names = distinct(
      written.flatMap((name, index) => this.#names("principal", name, place(index))),
      ({ name }) => name,
    );
    return names.flatMap(({ name, at }) => this.principal(name, at) ?? []);
  }

  calls(written: readonly string[], place: (index: number) => SourceSpan): readonly TestCall[] {
    const names = distinct(
      written.flatMap((name, index) => this.#names("call", name, place(index))),
      ({ name }) => name,
    );
    return names.flatMap(({ name, at }) => this.call(name, at) ?? []);
  }

  /** Names that `written` stands for: itself, or the members of a group. An unknown group is reported and empty. */
  members(noun: "call" | "principal", written: string, at: SourceSpan): readonly string[] {
    return this.#names(noun, written, at).map(({ name }) => name);
  }

  /** True where a group of that name, written `@name`, is declared. */
  hasGroup(noun: "call" | "principal", written: string): boolean {
    const { callGroups, principalGroups } = this.#fixtures;
    return (noun === "call" ? callGroups : principalGroups).has(written.slice(1));
  }

  principal(name: string, at: SourceSpan): TestPrincipal | undefined {
    const found = this.#fixtures.principals.get(name);
    if (found === undefined) this.#unknown("principal", name, [...this.#fixtures.principals.keys()], at);
    return found;
  }

  call(name: string, at: SourceSpan): TestCall | undefined {
    const found = this.#fixtures.calls.get(name);
    if (found === undefined && !this.#declaredCalls.has(name)) {
      this.#unknown("call", name, [...this.#fixtures.calls.keys()], at);
    }
    return found;
  }

  #names(noun: "call" | "principal", written: string, at: SourceSpan): readonly PlacedName[] {
    if (!written.startsWith("@")) return [{ name: written, at }];
    const groups = noun === "call" ? this.#fixtures.callGroups : this.#fixtures.principalGroups;
    const group = groups.get(written.slice(1));
    if (group === undefined) {
      this.#unknown(
        `group of ${noun}s`,
        written,
        [...groups.keys()].map((name) => `@${name}`),
        at,
      );
      return [];
    }
    return this.#known(noun, group);
  }

  /** Reports the members that are declared nowhere once, however many tests name the group. */
  #known(noun: "call" | "principal", group: NamedGroup): readonly PlacedName[] {
    const isFirst = !this.#reported.has(group);
    this.#reported.add(group);
    return group.names.flatMap((name, index): readonly PlacedName[] => {
      const at = group.place(index);
      const isDeclared =
        noun === "principal"
          ? this.#fixtures.principals.has(name)
          : this.#fixtures.calls.has(name) || this.#declaredCalls.has(name);
      if (isDeclared) return [{ name, at }];
      if (isFirst) this[noun](name, at);
      return [];
    });
  }

  #unknown(noun: string, name: string, known: readonly string[], at: SourceSpan): void {
    this.#sink.report(
      "TEST_NAME_UNKNOWN",
      at,
      `no ${noun} is named ${JSON.stringify(name)}`,
      didYouMean(name, known),
    );
  }
}

interface PlacedName {
  readonly name: string;
  readonly at: SourceSpan;
}

function distinct<T>(items: readonly T[], key: (item: T) => string): readonly T[] {
  const byKey = new Map<string, T>();
  for (const item of items) if (!byKey.has(key(item))) byKey.set(key(item), item);
  return [...byKey.values()];
}
