// The mutants of a YAML policy document: its lists, its scope, its constraints, its transforms.
import type { Parsed } from "../documents/load.ts";
import type { PolicyShape } from "../documents/shapes.ts";
import { SQL_OPERATIONS } from "../lower/constraints.ts";
import { policyIdOf } from "../lower/policies.ts";
import { memberAt, withMember, withoutMember } from "./document-edits.ts";
import type { DocumentPath } from "./document-edits.ts";
import { excerpt } from "./excerpt.ts";
import type { Mutant, OperatorName } from "./mutant.ts";
import { anchors, charactersOf } from "./pattern-edits.ts";

type Document = Parsed<PolicyShape>;

/** Every mutant of one document, in the order of its sections. */
export function documentMutants(document: Document): readonly Mutant[] {
  return [
    ...modeMutants(document),
    ...scopeMutants(document),
    ...listMutants(document, "deny"),
    ...listMutants(document, "allow"),
    ...restrictionMutants(document),
    ...transformMutants(document),
  ];
}

type Draft = Pick<Mutant, "change" | "description" | "operator">;

/** `at`: the value at the path; `key`: the name of the member. */
function mutant(document: Document, path: DocumentPath, show: "at" | "key", draft: Draft): Mutant {
  const { source } = document;
  const { file, line, column } = show === "at" ? source.at(...path) : source.atKey(...path);
  return { at: { file, line, column }, ...draft };
}

function shown(value: unknown): string {
  return excerpt(typeof value === "string" ? value : JSON.stringify(value));
}

function entriesAt(document: Document, path: DocumentPath): readonly unknown[] {
  const value = memberAt(document.shape, path);
  return Array.isArray(value) ? value : [];
}

function namesAt(document: Document, path: DocumentPath): readonly string[] {
  const value = memberAt(document.shape, path);
  return typeof value === "object" && value !== null && !Array.isArray(value) ? Object.keys(value) : [];
}

/** A document that transforms cannot be put into shadow mode. */
function modeMutants(document: Document): readonly Mutant[] {
  if (document.shape.transforms !== undefined) return [];
  const isShadow = document.shape.policy?.mode === "shadow";
  const description = isShadow
    ? "enforced the document that is in shadow mode"
    : "put the document into shadow mode: enforce became shadow";
  const path = ["policy", "mode"];
  const change = withMember(document, path, isShadow ? "enforce" : "shadow");
  return [mutant(document, path, "at", { operator: "flip-mode", description, change })];
}

function scopeMutants(document: Document): readonly Mutant[] {
  const { scope = {} } = document.shape;
  const found: Mutant[] = [];
  const { principals } = scope;
  if (typeof principals === "object" && principals.in !== undefined) {
    const path = ["scope", "principals"];
    const description = `widened principals from ${shown(principals.in)} to any`;
    const change = withMember(document, path, "any");
    found.push(mutant(document, path, "key", { operator: "widen-principal", description, change }));
    found.push(...withoutEach(document, [...path, "in"], "scope.principals", "drop-member"));
  }
  for (const name of ["servers", "labels", "tiers"] as const) {
    const path = ["scope", name];
    if (scope[name] === undefined) continue;
    const description = `widened the scope: removed ${name} ${shown(scope[name])}`;
    const change = withoutMember(document, path);
    found.push(mutant(document, path, "key", { operator: "widen-resource", description, change }));
    found.push(...withoutEach(document, path, `scope.${name}`, "drop-member"));
  }
  return found;
}

/** One for each entry of a list that has more than one. */
function withoutEach(
  document: Document,
  path: DocumentPath,
  where: string,
  operator: OperatorName,
): readonly Mutant[] {
  const entries = entriesAt(document, path);
  if (entries.length < 2) return [];
  return entries.map((entry, index) => {
    const change = withoutMember(document, [...path, index]);
    const description = `removed \`${shown(entry)}\` from ${where}`;
    return mutant(document, [...path, index], "at", { operator, description, change });
  });
}

/** `deny` and `allow`: an entry is taken out, or means its opposite. */
function listMutants(document: Document, verb: "allow" | "deny"): readonly Mutant[] {
  const grants = document.shape.scope?.principals !== undefined;
  return namesAt(document, [verb]).flatMap((group) =>
    entriesAt(document, [verb, group]).flatMap((entry, index): readonly Mutant[] => {
      const path = [verb, group, index];
      const exposes = verb === "allow" && !grants;
      const operator = exposes ? "expose" : "remove-policy";
      const description = `removed \`${shown(entry)}\` from ${verb}.${group}`;
      const removed = mutant(document, path, "at", {
        ...{ operator, description },
        change: withoutMember(document, path),
      });
      if (exposes) return [removed];
      const effects = verb === "deny" ? ["deny", "allow"] : ["allow", "deny"];
      const flipped = mutant(document, path, "at", {
        operator: "flip-effect",
        description: `${effects.join(" became ")} for \`${shown(entry)}\``,
        change: { kind: "policy", id: policyIdOf(document, path), flip: true },
      });
      return [removed, flipped];
    }),
  );
}

/** Sections whose members restrict something that is named. */
const RESTRICTED = ["sampling", "elicitation", "roots"] as const;
/** Numbers that a value is compared with. */
const NUMERIC: ReadonlySet<string> = new Set([
  ...["max", "min", "minLength", "maxLength", "minItems", "maxItems", "maxTokens"],
]);

function restrictionMutants(document: Document): readonly Mutant[] {
  const found: Mutant[] = [];
  for (const tool of namesAt(document, ["constraints"])) {
    for (const key of namesAt(document, ["constraints", tool])) {
      if (key !== "arguments") {
        found.push(...keyMutants(document, ["constraints", tool, key], tool));
        continue;
      }
      for (const argument of namesAt(document, ["constraints", tool, key])) {
        const path = ["constraints", tool, key, argument];
        for (const rule of namesAt(document, path)) {
          found.push(...keyMutants(document, [...path, rule], `${argument} of ${tool}`));
        }
      }
    }
  }
  for (const section of RESTRICTED) {
    for (const server of namesAt(document, [section])) {
      for (const key of namesAt(document, [section, server])) {
        found.push(...keyMutants(document, [section, server, key], `${section} of ${server}`));
      }
    }
  }
  return found;
}

/** One constraint: gone, at its boundary, without one of its values, or with a looser pattern. */
function keyMutants(document: Document, path: DocumentPath, of: string): readonly Mutant[] {
  const key = String(path.at(-1));
  const value = memberAt(document.shape, path);
  const removed = mutant(document, path, "key", {
    operator: "remove-constraint",
    description: `removed the constraint ${key} of ${of}`,
    change: withoutMember(document, path),
  });
  if (typeof value === "number" && NUMERIC.has(key)) {
    const around = [value + 1, value - 1].filter((other) => other >= 0 || value < 0);
    return [
      removed,
      ...around.map((other) => boundaryMutant(document, path, value, other, `${key} of ${of}`)),
    ];
  }
  if (typeof value === "string" && key === "pattern") {
    return [removed, ...patternMutants(document, path, value, of)];
  }
  if (!Array.isArray(value)) return [removed];
  const items: readonly unknown[] = value;
  const members = items.map((item, index) =>
    mutant(document, [...path, index], "at", {
      operator: "drop-member",
      description: `removed \`${shown(item)}\` from ${key} of ${of}`,
      change: withoutMember(document, [...path, index]),
    }),
  );
  const isEverything = SQL_OPERATIONS.every((operation) => items.includes(operation));
  if (key !== "operations" || isEverything) return [removed, ...members];
  const description = `widened operations of ${of} from ${shown(value)} to all`;
  const change = withMember(document, path, SQL_OPERATIONS);
  const widened = mutant(document, path, "key", { operator: "widen-constraint", description, change });
  return [removed, widened, ...members];
}

function boundaryMutant(
  document: Document,
  path: DocumentPath,
  before: number,
  after: number,
  name: string,
): Mutant {
  return mutant(document, path, "at", {
    operator: "boundary",
    description: `${before} became ${after} in ${name}`,
    change: withMember(document, path, after),
  });
}

function patternMutants(
  document: Document,
  path: DocumentPath,
  pattern: string,
  of: string,
): readonly Mutant[] {
  return anchors(charactersOf(pattern)).map(({ written, start, end }) => {
    const change = withMember(document, path, pattern.slice(0, start) + pattern.slice(end));
    const description = `removed the anchor ${written} of the pattern of ${of}`;
    return mutant(document, path, "at", { operator: "drop-anchor", description, change });
  });
}

const TRANSFORM_NOUNS: Readonly<Record<string, string>> = {
  redact: "redaction",
  remove: "removal",
  hash: "hashing",
  truncate: "truncation",
  replace: "replacement",
  detect: "detection",
};

function transformMutants(document: Document): readonly Mutant[] {
  return namesAt(document, ["transforms"]).flatMap((tool) =>
    namesAt(document, ["transforms", tool]).flatMap((verb) =>
      entriesAt(document, ["transforms", tool, verb]).flatMap((entry, index) =>
        operationMutants(document, ["transforms", tool, verb, index], verb, entry),
      ),
    ),
  );
}

function operationMutants(
  document: Document,
  path: DocumentPath,
  verb: string,
  entry: unknown,
): readonly Mutant[] {
  const where = typeof entry === "string" ? entry : memberAt(entry, ["path"]);
  const removed = mutant(document, path, "at", {
    operator: "remove-transform",
    description: `removed the ${TRANSFORM_NOUNS[verb] ?? verb} of ${shown(where)}`,
    change: withoutMember(document, path),
  });
  const length = memberAt(entry, ["length"]);
  if (verb === "truncate" && typeof length === "number") {
    const around = [length + 1, length - 1].filter((other) => other >= 0);
    const lengthPath = [...path, "length"];
    return [
      removed,
      ...around.map((other) =>
        boundaryMutant(document, lengthPath, length, other, `the length of ${shown(where)}`),
      ),
    ];
  }
  const detectors = withoutEach(
    document,
    [...path, "detectors"],
    `the detectors of ${shown(where)}`,
    "drop-member",
  );
  return [removed, ...detectors];
}
