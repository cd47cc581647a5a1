// What a server asks of the client and what follows from a permit: random restrictions, judged here by the language's
// document, and random requests as the protocol writes them.
import { completionArguments, elicitationArguments, rootArguments, samplingArguments } from "#methods";
import type { JsonObject, JsonValue } from "#std";
import type { Dice } from "./dice.ts";
import type { Draft, Line, Part } from "./documents.ts";
import { uriFits } from "./patterns.ts";
import type { Leaf } from "./shape.ts";

type Arguments = Readonly<Record<string, JsonValue | undefined>>;
type Restriction = readonly [key: string, setting: JsonValue, broken: (asked: Arguments) => boolean];

function texts(value: JsonValue | undefined): readonly string[] {
  return value as readonly string[];
}

function isOneOf(names: readonly string[], value: JsonValue | undefined): boolean {
  return names.includes(value as string);
}

function isBelow(host: JsonValue | undefined, domain: string): boolean {
  return (host as string).endsWith(`.${domain}`);
}

const SAMPLING: readonly Restriction[] = [
  ["maxTokens", 100, ({ maxTokens }) => (maxTokens as number) > 100],
  [
    "models",
    ["claude-*", "small"],
    ({ modelHints }) => !texts(modelHints).every((name) => /^(claude-.*|small)$/u.test(name)),
  ],
  ["tools", [], ({ tools }) => texts(tools).length > 0],
  ["tools", ["search"], ({ tools }) => texts(tools).some((name) => name !== "search")],
  ["includeContext", ["none", "thisServer"], ({ includeContext }) => includeContext === "allServers"],
];
const ELICITATION: readonly Restriction[] = [
  ["modes", ["form"], ({ mode }) => mode !== "form"],
  [
    "fields",
    ["name", "e*"],
    ({ fields }) => !texts(fields).every((name) => /^(name|e.*)$/u.test(name.toLowerCase())),
  ],
  ["forbiddenFields", ["*PassWord*"], ({ fields }) => texts(fields).some((name) => /password/iu.test(name))],
  [
    "hosts",
    ["example.com", "*.example.org"],
    ({ mode, urlHost }) => mode === "url" && urlHost !== "example.com" && !isBelow(urlHost, "example.org"),
  ],
];
const ROOTS: readonly Restriction[] = [
  ["schemes", ["https", "FILE"], ({ scheme }) => !isOneOf(["https", "file"], scheme)],
  [
    "within",
    ["/home/ada/**", "https://example.com/*"],
    ({ uri, isCanonical }) =>
      isCanonical !== true ||
      !["file:///home/ada/**", "https://example.com/*"].some((pattern) => uriFits(pattern, uri as string)),
  ],
];
const RESTRICTIONS = { sampling: SAMPLING, elicitation: ELICITATION, roots: ROOTS } as const;
const METHODS = {
  sampling: "sampling/createMessage",
  elicitation: "elicitation/create",
  roots: "roots/list",
} as const;

/** The sections `sampling`, `elicitation` and `roots` of a document. */
export function randomAsks({ dice, facts, servers }: Draft): readonly Part[] {
  return dice.some(["sampling", "elicitation", "roots"] as const, 0.4).map((group): Part => {
    const name = dice.pick(["*", ...servers.map(({ id }) => id)]);
    const on = name === "*" ? servers.map(({ id }) => id) : [name];
    const drawn = dice.times(1, 2, () => dice.pick(RESTRICTIONS[group]));
    const settings = [...new Map(drawn.map((item) => [item[0], item])).values()];
    const lines = settings.flatMap(([key, , broken]) => {
      const when = facts.add([METHODS[group]], ({ context }) => broken(context["arguments"] as JsonObject));
      return on.map((server): Line => {
        const pointer = `/${group}/${name}/${key}${name === "*" ? `/${server}` : ""}`;
        return {
          ...{ pointer, effect: "forbid", server, when },
          actions: [METHODS[group]],
          feature: `${group}.${key}`,
        };
      });
    });
    return {
      yaml: { [group]: { [name]: Object.fromEntries(settings.map(([key, setting]) => [key, setting])) } },
      lines,
    };
  });
}

/** The arguments of a method as its parameters give them, and what is not the same in every decision about them. */
export function methodArguments(dice: Dice, leaf: Leaf): JsonObject {
  switch (leaf.kind) {
    case "sampling":
      return samplingArguments(samplingParams(dice));
    case "elicitation":
      return elicitationArguments(elicitationParams(dice));
    case "roots":
      return rootArguments({ uri: dice.pick(ROOT_URIS) });
    case "completion":
      return completionArguments({
        ref: dice.pick([
          { type: "ref/prompt", name: "s0.p0" },
          { type: "ref/resource", uri: "s0://x/{id}" },
        ]),
        argument: { name: dice.pick(["topic", "alpha"]), value: "a" },
      });
    case "subscription":
      return { uri: dice.pick([`${leaf.server}://r0`, `${leaf.server}://x/7`, "file:///shared/a"]) };
    case "logging":
      return { level: dice.pick(["debug", "error"]) };
    default:
      return {
        taskId: dice.pick(["", "alpha"]),
        tool: "alpha",
        direction: dice.pick(["client-to-server", "server-to-client"]),
      };
  }
}

const ROOT_URIS = [
  ...["file:///home/ada/x", "file:///home/bob", "file:///home/ada/../bob", "https://example.com/a"],
  ...["https://example.com/a/b", "https://other.example/a", "FILE:///home/ada/x", "git://example.com/a"],
];

function samplingParams(dice: Dice): JsonObject {
  const named = (names: readonly string[]): JsonValue => names.map((name) => ({ name }));
  return {
    maxTokens: dice.pick([1, 5, 10, 100, 101, 4_000]),
    messages: dice.times(0, 2, () => ({ role: "user", content: { type: dice.pick(["text", "image"]) } })),
    ...(dice.chance(0.6)
      ? { modelPreferences: { hints: named(dice.some(["claude-opus", "small", "gpt"], 0.35)) } }
      : {}),
    ...(dice.chance(0.4) ? { tools: named(dice.some(["search", "drop"])) } : {}),
    ...(dice.chance(0.3) ? { toolChoice: { mode: dice.pick(["none", "required"]) } } : {}),
    ...(dice.chance(0.5) ? { includeContext: dice.pick(["none", "thisServer", "allServers"]) } : {}),
    ...(dice.chance(0.3) ? { systemPrompt: "be brief" } : {}),
  };
}

function elicitationParams(dice: Dice): JsonObject {
  if (dice.chance(0.4)) {
    return {
      mode: "url",
      url: dice.pick(["https://example.com/a", "https://a.example.org/", "http://evil.test/x"]),
    };
  }
  const names = dice.some(["name", "Email", "userPassword"]);
  const properties = Object.fromEntries(names.map((name) => [name, { type: "string" }]));
  return { ...(dice.chance(0.5) ? { mode: "form" } : {}), requestedSchema: { type: "object", properties } };
}
