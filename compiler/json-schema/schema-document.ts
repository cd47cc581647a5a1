// One pinned schema as a document: where its subschemas are, what its references mean.
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import type { SchemaFindings } from "./findings.ts";

type Shape = "schema" | "list" | "map" | "schema-or-list" | "map-or-names";

/** Keywords whose value holds subschemas. */
const SUBSCHEMA_SHAPES: ReadonlyMap<string, Shape> = new Map([
  ["$defs", "map"],
  ["definitions", "map"],
  ["properties", "map"],
  ["patternProperties", "map"],
  ["dependentSchemas", "map"],
  ["dependencies", "map-or-names"],
  ["additionalProperties", "schema"],
  ["propertyNames", "schema"],
  ["additionalItems", "schema"],
  ["items", "schema-or-list"],
  ["prefixItems", "list"],
  ["contains", "schema"],
  ["allOf", "list"],
  ["anyOf", "list"],
  ["oneOf", "list"],
  ["not", "schema"],
  ["if", "schema"],
  ["then", "schema"],
  ["else", "schema"],
]);

const DIALECTS: ReadonlySet<string> = new Set([
  "https://json-schema.org/draft/2020-12/schema",
  "https://json-schema.org/draft/2019-09/schema",
  "http://json-schema.org/draft-07/schema",
  "https://json-schema.org/draft-07/schema",
  "http://json-schema.org/draft-06/schema",
]);

const MAX_SUBSCHEMAS = 50_000;

export interface Located {
  readonly pointer: string;
  readonly schema: JsonValue;
}

export function pointerTo(parent: string, ...tokens: readonly (string | number)[]): string {
  return tokens.reduce<string>(
    (pointer, token) => `${pointer}/${String(token).replaceAll("~", "~0").replaceAll("/", "~1")}`,
    parent,
  );
}

function subschemas({ pointer, schema }: Located): readonly Located[] {
  if (!isJsonObject(schema)) return [];
  const found: Located[] = [];
  for (const [keyword, value] of Object.entries(schema)) {
    const shape = SUBSCHEMA_SHAPES.get(keyword);
    if (shape === undefined) continue;
    const at = pointerTo(pointer, keyword);
    if (Array.isArray(value)) {
      if (shape !== "list" && shape !== "schema-or-list") continue;
      for (const [index, item] of (value as readonly JsonValue[]).entries()) {
        found.push({ pointer: pointerTo(at, index), schema: item });
      }
    } else if (shape === "map" || shape === "map-or-names") {
      if (!isJsonObject(value)) continue;
      for (const [name, item] of Object.entries(value))
        found.push({ pointer: pointerTo(at, name), schema: item });
    } else {
      found.push({ pointer: at, schema: value });
    }
  }
  return found;
}

export class SchemaDocument {
  readonly root: JsonValue;
  readonly #findings: SchemaFindings;
  readonly #anchors = new Map<string, Located>();
  #rootId = "";

  constructor(root: JsonValue, findings: SchemaFindings) {
    this.root = root;
    this.#findings = findings;
    if (isJsonObject(root)) this.#readIdentity(root);
    this.#collectAnchors();
  }

  #readIdentity(root: JsonObject): void {
    const { $schema: dialect, $id: id } = root;
    if (typeof id === "string") this.#rootId = id.replace(/#.*$/, "");
    if (dialect === undefined) return;
    if (typeof dialect === "string" && DIALECTS.has(dialect.replace(/#$/, ""))) return;
    this.#findings.report(
      "SCHEMA_DIALECT_UNSUPPORTED",
      "/$schema",
      `the dialect ${JSON.stringify(dialect)} is not supported`,
      "Use JSON Schema 2020-12 or draft-07.",
    );
  }

  #collectAnchors(): void {
    const open: Located[] = [{ pointer: "", schema: this.root }];
    for (let visited = 0; open.length > 0; visited += 1) {
      if (visited >= MAX_SUBSCHEMAS) {
        this.#findings.report(
          "SCHEMA_TOO_LARGE",
          "",
          `the schema has more than ${MAX_SUBSCHEMAS} subschemas`,
        );
        return;
      }
      const located = open.pop() as Located;
      if (isJsonObject(located.schema)) this.#readAnchors(located, located.schema);
      open.push(...subschemas(located));
    }
  }

  #readAnchors(located: Located, schema: JsonObject): void {
    const { $anchor: anchor, $dynamicAnchor: dynamicAnchor, $id: id } = schema;
    const names = [anchor, dynamicAnchor].filter((name) => typeof name === "string");
    if (typeof id === "string" && id.startsWith("#")) names.push(id.slice(1));
    else if (id !== undefined && located.pointer !== "") {
      this.#findings.report(
        "SCHEMA_ID_NESTED",
        pointerTo(located.pointer, "$id"),
        "a nested $id changes what references mean and is not supported",
      );
    }
    for (const name of names) {
      if (this.#anchors.has(name)) {
        this.#findings.report(
          "SCHEMA_INVALID",
          located.pointer,
          `the anchor ${JSON.stringify(name)} is declared twice`,
        );
      }
      this.#anchors.set(name, located);
    }
  }

  /** The target of a `$ref`; reports and returns undefined where it has none in this document. */
  resolve(reference: string, pointer: string): Located | undefined {
    const local =
      this.#rootId !== "" && reference.startsWith(this.#rootId)
        ? reference.slice(this.#rootId.length)
        : reference;
    if (local !== "" && !local.startsWith("#")) {
      this.#findings.report(
        "SCHEMA_REF_REMOTE",
        pointer,
        `$ref ${JSON.stringify(reference)} points outside the schema`,
        "Only references within the pinned schema are followed; nothing is fetched.",
      );
      return undefined;
    }
    const target = this.#find(local.slice(1));
    if (target === undefined) {
      this.#findings.report(
        "SCHEMA_REF_UNRESOLVED",
        pointer,
        `$ref ${JSON.stringify(reference)} has no target`,
      );
    }
    return target;
  }

  #find(encoded: string): Located | undefined {
    let fragment: string;
    try {
      fragment = decodeURIComponent(encoded);
    } catch {
      return undefined;
    }
    if (fragment === "") return { pointer: "", schema: this.root };
    if (!fragment.startsWith("/")) return this.#anchors.get(fragment);
    let schema: JsonValue = this.root;
    let pointer = "";
    for (const escaped of fragment.slice(1).split("/")) {
      const token = escaped.replaceAll("~1", "/").replaceAll("~0", "~");
      if (schema === null || typeof schema !== "object" || !Object.hasOwn(schema, token)) return undefined;
      schema = (schema as JsonObject)[token] as JsonValue;
      pointer = pointerTo(pointer, token);
    }
    return { pointer, schema };
  }
}
