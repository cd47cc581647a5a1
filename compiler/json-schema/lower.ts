// Lowers a pinned JSON Schema (2020-12, and the draft-07 forms still in use) into the closed program that the gateway
// interprets. What cannot be lowered is an error: a keyword that decides validity is never dropped.
import type { SchemaProgram } from "#bundle";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { APPLICATOR_KEYWORDS } from "./applicator-keywords.ts";
import { assignProjections } from "./assign-projections.ts";
import { SchemaFindings } from "./findings.ts";
import type { SchemaFinding } from "./findings.ts";
import type { NodeDraft, NodeFields } from "./node-draft.ts";
import { isInert, noteOtherKeyword } from "./other-keywords.ts";
import { findEvaluationCycle } from "./evaluation-cycle.ts";
import { SchemaDocument, pointerTo } from "./schema-document.ts";
import type { Located } from "./schema-document.ts";
import { VALUE_KEYWORDS } from "./value-keywords.ts";

const MAX_NODES = 10_000;
const REFUSE_EVERYTHING: SchemaProgram = { nodes: [{ always: false }], root: 0 };

export interface LoweredSchema {
  /** Refuses every value where a finding is an error. */
  readonly program: SchemaProgram;
  readonly findings: readonly SchemaFinding[];
}

class Lowering {
  readonly findings = new SchemaFindings();
  readonly nodes: NodeFields[] = [];
  readonly pointers: string[] = [];
  readonly #document: SchemaDocument;
  readonly #indexes = new Map<string, number>();
  readonly #open: { readonly index: number; readonly located: Located }[] = [];

  constructor(schema: JsonValue) {
    this.#document = new SchemaDocument(schema, this.findings);
  }

  /** Lowers everything reachable from the root and returns the root's index. */
  run(): number {
    const root = this.#indexOf({ pointer: "", schema: this.#document.root });
    for (let job = this.#open.pop(); job !== undefined; job = this.#open.pop()) {
      this.#fill(this.nodes[job.index] as NodeFields, job.located);
    }
    return root;
  }

  #allocate(pointer: string, node: NodeFields): number {
    if (this.nodes.length === MAX_NODES) {
      this.findings.report("SCHEMA_TOO_LARGE", pointer, `the schema has more than ${MAX_NODES} nodes`);
    }
    this.pointers.push(pointer);
    return this.nodes.push(node) - 1;
  }

  #indexOf(start: Located): number {
    const located = this.#skipReferences(start);
    const known = this.#indexes.get(located.pointer);
    if (known !== undefined) return known;
    const index = this.#allocate(located.pointer, {});
    this.#indexes.set(located.pointer, index);
    if (this.nodes.length <= MAX_NODES) this.#open.push({ index, located });
    return index;
  }

  /** A schema that is only a reference is its target. */
  #skipReferences(start: Located): Located {
    let located = start;
    const seen = new Set<string>();
    for (;;) {
      const { schema, pointer } = located;
      if (!isJsonObject(schema) || typeof schema["$ref"] !== "string") return located;
      if (!Object.keys(schema).every((keyword) => keyword === "$ref" || isInert(keyword))) return located;
      const at = pointerTo(pointer, "$ref");
      if (seen.has(pointer)) {
        this.findings.report("SCHEMA_REF_CYCLE", at, "the references lead back to themselves");
        return { pointer, schema: false };
      }
      seen.add(pointer);
      located = this.#document.resolve(schema["$ref"], at) ?? { pointer: at, schema: false };
    }
  }

  #fill(fields: NodeFields, located: Located): void {
    const { schema, pointer } = located;
    if (typeof schema === "boolean") {
      fields.always = schema;
      return;
    }
    if (!isJsonObject(schema)) {
      this.findings.report("SCHEMA_INVALID", pointer, "a schema must be an object or a Boolean");
      fields.always = false;
      return;
    }
    const draft = this.#draft(fields, schema, pointer);
    for (const [keyword, value] of Object.entries(schema)) {
      const handler = VALUE_KEYWORDS.get(keyword) ?? APPLICATOR_KEYWORDS.get(keyword) ?? noteOtherKeyword;
      handler(draft, value, keyword);
    }
  }

  #draft(fields: NodeFields, schema: JsonObject, pointer: string): NodeDraft {
    return {
      fields,
      schema,
      report: (code, keyword, message, help) =>
        this.findings.report(code, pointerTo(pointer, keyword), message, help),
      child: (child, ...tokens) => this.#indexOf({ pointer: pointerTo(pointer, ...tokens), schema: child }),
      reference: (target) => {
        const at = pointerTo(pointer, "$ref");
        return this.#indexOf(this.#document.resolve(target, at) ?? { pointer: at, schema: false });
      },
      synthetic: (node) => this.#allocate(pointer, { ...node }),
      require: (index) => {
        fields.allOf = [...(fields.allOf ?? []), index];
      },
    };
  }
}

function lower(schema: JsonValue): { readonly lowering: Lowering; readonly root: number } {
  const lowering = new Lowering(schema);
  const root = lowering.run();
  const { findings, nodes, pointers } = lowering;
  if (!findings.hasErrors) {
    const cycle = findEvaluationCycle(nodes);
    if (cycle !== undefined) {
      findings.report(
        "SCHEMA_REF_CYCLE",
        pointers[cycle] ?? "",
        "a value would be validated against itself for ever",
      );
    }
  }
  return { lowering, root };
}

/**
 * Lowers an approved inputSchema and assigns what policies may read of a value.
 * `format` is an annotation, as in MCP; annotations and unknown keywords have no effect.
 */
export function lowerSchema(schema: JsonValue): LoweredSchema {
  const { lowering, root } = lower(schema);
  const { findings, nodes, pointers } = lowering;
  const rootTypes = nodes[root]?.types;
  if (rootTypes !== undefined && !rootTypes.includes("object")) {
    findings.report("SCHEMA_ROOT_NOT_OBJECT", pointerTo("", "type"), "arguments are always an object");
  }
  if (findings.hasErrors) return { program: REFUSE_EVERYTHING, findings: findings.items };
  const top = assignProjections(nodes, root, (index, message) =>
    findings.report("SCHEMA_PROJECTION_TOO_LARGE", pointers[index] ?? "", message),
  );
  return { program: { nodes, root: top }, findings: findings.items };
}

/** Lowers an approved outputSchema: any JSON value may be described, nothing of it is visible to policy. */
export function lowerOutputSchema(schema: JsonValue): LoweredSchema {
  const { lowering, root } = lower(schema);
  const { findings, nodes } = lowering;
  const program = findings.hasErrors ? REFUSE_EVERYTHING : { nodes, root };
  return { program, findings: findings.items };
}
