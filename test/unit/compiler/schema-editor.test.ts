// The published schemas, as editors use them: yaml-language-server over stdio with the settings of the template.
import { spawn } from "node:child_process";
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DOCUMENT_SCHEMAS } from "#compiler";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";

const ROOT = join(import.meta.dirname, "../../..");
const TEMPLATE = join(ROOT, "policy-repo-template");

function readJson(path: string): JsonObject {
  return JSON.parse(readFileSync(path, "utf8")) as JsonObject;
}

/** Names of keys without a description, in depth. */
function undescribed(schema: JsonValue | undefined, path: string): readonly string[] {
  if (Array.isArray(schema))
    return (schema as readonly JsonValue[]).flatMap((item) => undescribed(item, path));
  if (schema === undefined || !isJsonObject(schema)) return [];
  const properties = isJsonObject(schema["properties"]) ? Object.entries(schema["properties"]) : [];
  const own = properties.flatMap(([name, member]) => [
    ...(isJsonObject(member) && typeof member["description"] === "string" ? [] : [`${path}.${name}`]),
    ...undescribed(member, `${path}.${name}`),
  ]);
  const inner = ["additionalProperties", "items", "anyOf", "oneOf", "allOf"];
  return [...own, ...inner.flatMap((keyword) => undescribed(schema[keyword], `${path}.*`))];
}

describe("schemas", () => {
  test.each(Object.entries(DOCUMENT_SCHEMAS))("%s describes every key", (kind, schema) => {
    expect(undescribed(schema as JsonValue, kind)).toEqual([]);
  });

  test("the template has them all, as they are", () => {
    const names = readdirSync(join(ROOT, "compiler/schema")).sort();
    expect(readdirSync(join(TEMPLATE, ".schema")).sort()).toEqual(names);
    for (const name of names)
      expect(readJson(join(TEMPLATE, ".schema", name))).toEqual(
        readJson(join(ROOT, "compiler/schema", name)),
      );
  });

  test("the settings of the template name each of them", () => {
    const settings = readJson(join(TEMPLATE, ".vscode/settings.json"))["yaml.schemas"] as JsonObject;
    const named = Object.keys(settings).map((path) => path.replace(".schema/", ""));
    expect(named.sort()).toEqual(readdirSync(join(ROOT, "compiler/schema")).sort());
  });
});

interface LspDiagnostic {
  readonly message: string;
  readonly range: { readonly start: { readonly line: number } };
}

/** As much of an editor as these tests need (Language Server Protocol 3.17 over stdio). */
class Editor {
  readonly #server: ChildProcessWithoutNullStreams;
  readonly #answers = new Map<number, (result: JsonValue) => void>();
  readonly #published = new Map<string, (diagnostics: readonly LspDiagnostic[]) => void>();
  #buffer = Buffer.alloc(0);
  #nextId = 1;
  #settings: JsonObject = {};

  constructor() {
    const require = createRequire(import.meta.url);
    const entry = join(
      dirname(require.resolve("yaml-language-server/package.json")),
      "bin/yaml-language-server",
    );
    this.#server = spawn(process.execPath, [entry, "--stdio"]);
    this.#server.stdout.on("data", (chunk: Buffer) => this.#read(chunk));
  }

  async start(settings: JsonObject): Promise<void> {
    this.#settings = settings;
    const root = pathToFileURL(TEMPLATE).href;
    await this.request("initialize", {
      ...{ processId: process.pid, rootUri: root, workspaceFolders: [{ uri: root, name: "policies" }] },
      capabilities: { textDocument: { hover: {}, completion: {}, publishDiagnostics: {} } },
    });
    this.#notify("initialized", {});
    this.#notify("workspace/didChangeConfiguration", { settings });
  }

  /** Opens a document that is not saved, and waits for what is found in it. */
  open(path: string, text: string): Promise<readonly LspDiagnostic[]> {
    const uri = uriOf(path);
    const found = new Promise<readonly LspDiagnostic[]>((resolve) => this.#published.set(uri, resolve));
    this.#notify("textDocument/didOpen", { textDocument: { uri, languageId: "yaml", version: 1, text } });
    return found;
  }

  request(method: string, params: JsonObject): Promise<JsonValue> {
    const id = this.#nextId++;
    const answer = new Promise<JsonValue>((resolve) => this.#answers.set(id, resolve));
    this.#send({ jsonrpc: "2.0", id, method, params });
    return answer;
  }

  stop(): void {
    this.#server.kill();
  }

  #settingOf(item: JsonValue): JsonValue {
    const section = isJsonObject(item) ? item["section"] : undefined;
    return typeof section === "string" ? (this.#settings[section] ?? null) : null;
  }

  #notify(method: string, params: JsonObject): void {
    this.#send({ jsonrpc: "2.0", method, params });
  }

  #send(message: JsonObject): void {
    const text = JSON.stringify(message);
    this.#server.stdin.write(`Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
  }

  #read(chunk: Buffer): void {
    this.#buffer = Buffer.concat([this.#buffer, chunk]);
    for (;;) {
      const end = this.#buffer.indexOf("\r\n\r\n");
      const length = Number(
        /Content-Length: (\d+)/u.exec(this.#buffer.toString("latin1", 0, Math.max(0, end)))?.[1],
      );
      if (end < 0 || this.#buffer.length < end + 4 + length) return;
      const message = JSON.parse(this.#buffer.toString("utf8", end + 4, end + 4 + length)) as JsonObject;
      this.#buffer = this.#buffer.subarray(end + 4 + length);
      this.#take(message);
    }
  }

  #take(message: JsonObject): void {
    const { id, method, params, result } = message as Readonly<Record<string, JsonValue | undefined>>;
    if (typeof method === "string" && id !== undefined) {
      // The server asks for its configuration by section, and to register.
      const items = isJsonObject(params ?? null) ? (params as JsonObject)["items"] : undefined;
      this.#send({
        jsonrpc: "2.0",
        id,
        result: Array.isArray(items) ? items.map((item) => this.#settingOf(item)) : null,
      });
    } else if (typeof id === "number") this.#answers.get(id)?.(result ?? null);
    else if (method === "textDocument/publishDiagnostics") {
      const { uri, diagnostics } = params as unknown as {
        readonly uri: string;
        readonly diagnostics: readonly LspDiagnostic[];
      };
      this.#published.get(uri)?.(diagnostics);
    }
  }
}

function uriOf(path: string): string {
  return pathToFileURL(join(TEMPLATE, path)).href;
}

/** One document of each kind: an unknown key in line 1, a value of the wrong type in line 3. */
const WRONG: readonly (readonly [path: string, text: string, wrongType: string])[] = [
  ["aegis.yaml", "kinnd: x\nmetadata: { name: x }\nenvironments: 5\n", "array"],
  ["policies/new/p.yaml", "deni: {}\ndeny:\n  tools: 5\n", "array"],
  ["tenants/acme/policies/p.yaml", "deni: {}\ndeny:\n  tools: 5\n", "array"],
  [
    "registry/servers/new.yaml",
    "teir: x\nmetadata: { name: x }\nlabels: 5\ntransport: { type: stdio, program: x }\n",
    "array",
  ],
  ["routes/dev.yaml", "endpoint: []\n\nendpoints: 5\n", "array"],
  ["environments/test.yaml", "publicURL: x\n\npublicUrl: 5\n", "string"],
  ["identity.yaml", "issuer: x\n\nissuers: 5\n", "array"],
  ["limits.yaml", "limit: []\n\nlimits: 5\n", "array"],
  ["retention.yaml", "retain: x\n\nretention: 5\n", "object"],
  ["tests/testdata/new.yaml", "principal: {}\n\nprincipals: 5\n", "object"],
  ["tests/new_test.yaml", "test: {}\nname: x\ntests: 5\n", "array"],
];

describe("in an editor", () => {
  let editor: Editor;
  beforeAll(async () => {
    editor = new Editor();
    const settings = readJson(join(TEMPLATE, ".vscode/settings.json"))["yaml.schemas"] as JsonObject;
    // An editor resolves the paths of its settings against the folder that is open.
    const schemas = Object.fromEntries(Object.entries(settings).map(([path, globs]) => [uriOf(path), globs]));
    await editor.start({
      yaml: { validate: true, hover: true, completion: true, schemas, schemaStore: { enable: false } },
    });
  });
  afterAll(() => editor.stop());

  test.each(WRONG)("%s: an unknown key and a wrong type, each at its line", async (path, text, wrongType) => {
    const found = await editor.open(path, text);
    const lines = found.map(({ message, range }) => `${range.start.line + 1} ${message}`);
    const [unknown = ""] = /^\w+/u.exec(text) ?? [];
    expect(lines).toContainEqual(expect.stringMatching(new RegExp(`^1 .*${unknown} is not allowed`, "u")));
    expect(lines).toContainEqual(expect.stringMatching(new RegExp(`^3 .*${wrongType}`, "u")));
  });

  test("a document that is right has no finding", async () => {
    expect(await editor.open("policies/right.yaml", "deny: { tools: [jira.reindex] }\n")).toEqual([]);
  });

  test("completion offers keys, hover explains them", async () => {
    await editor.open("policies/typing.yaml", "scope:\n  servers: [jira]\n  \n");
    const textDocument = { uri: uriOf("policies/typing.yaml") };
    const offered = (await editor.request("textDocument/completion", {
      ...{ textDocument, position: { line: 2, character: 2 } },
    })) as unknown as {
      readonly items: readonly { readonly label: string; readonly documentation?: unknown }[];
    };
    expect(offered.items.map(({ label }) => label)).toEqual(
      expect.arrayContaining(["labels", "tiers", "principals"]),
    );
    const hover = await editor.request("textDocument/hover", {
      ...{ textDocument, position: { line: 0, character: 1 } },
    });
    expect(JSON.stringify(hover)).toContain("What the names of this document may mean");
  });
});
