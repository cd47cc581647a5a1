// What a name under `constraints.<tool>.arguments` means: an argument, a member of one (`address.city`), or all
// elements of an array (`recipients[]`, `items[].price`).
import { closestName } from "#std";
import type { SourceSpan } from "../diagnostics/index.ts";
import { describeProjection } from "../json-schema/index.ts";
import type { ProjectedType } from "../json-schema/index.ts";
import { cedarString } from "./cedar-text.ts";
import type { PolicyWork } from "./policies.ts";
import type { PinnedLeaf } from "./registry.ts";

/** The values that a rule is about. */
export interface ArgumentTarget {
  readonly type: ProjectedType;
  /** Cedar text, true where the value (for elements: the array) is present. */
  readonly guard: string;
  /** Cedar text of the value (for elements: of the array). */
  readonly value: string;
  /** Path of `value` from the root of the context. */
  readonly path: readonly string[];
  /** Set where the rule is about all elements of the array: the path within each. */
  readonly element: readonly string[] | undefined;
}

interface Step {
  readonly name: string;
  readonly elements: boolean;
}

/** Finds the target of `written`, or reports at `at` why there is none. */
export function argumentTarget(
  work: PolicyWork,
  leaf: PinnedLeaf,
  written: string,
  at: SourceSpan,
): ArgumentTarget | undefined {
  const { type: root, opaque } = describeProjection(leaf.leaf.argumentsProgram);
  // What the name itself means goes before what its parts would mean, readable or not.
  if (opaque.some((item) => item.length === 1 && item[0] === written)) {
    const message = `the argument ${JSON.stringify(written)} has no type that a policy can read`;
    work.sink.report("ARGUMENT_OPAQUE", at, message);
    return undefined;
  }
  const steps = stepsOf(written, new Set(root.attributes.map(({ name }) => name)));
  let type: ProjectedType = root;
  let element: string[] | undefined;
  const path: string[] = [];
  for (const [index, { name, elements }] of steps.entries()) {
    const attributes: readonly { readonly name: string; readonly type: ProjectedType }[] =
      type.kind === "Record" ? type.attributes : [];
    const attribute = attributes.find((candidate) => candidate.name === name);
    if (attribute === undefined) {
      const names = [...path, ...(element ?? []), name];
      const known = opaque.filter((item) => item.length === names.length).map((item) => item.at(-1) ?? "");
      const isOpaque = opaque.some((item) => item.every((part, index) => part === names[index]));
      if (isOpaque) {
        const message = `the argument ${JSON.stringify(written)} has no type that a policy can read`;
        work.sink.report("ARGUMENT_OPAQUE", at, message);
      } else {
        const message = `${leaf.leaf.name} has no argument ${JSON.stringify(written)}`;
        const candidates = [...attributes.map((candidate) => candidate.name), ...known];
        work.sink.report("ARGUMENT_UNKNOWN", at, message, helpFor(steps, index, candidates, type));
      }
      return undefined;
    }
    (element ?? path).push(name);
    type = attribute.type;
    if (!elements) continue;
    if (type.kind !== "Set" || element !== undefined) {
      const message =
        type.kind === "Set"
          ? `${JSON.stringify(written)} names the elements of an array within an array, which no rule can`
          : `${JSON.stringify(name)} is no array, so it has no elements`;
      work.sink.report(
        "ARGUMENT_CONSTRAINT_INVALID",
        at,
        message,
        "Leave out [], or constrain the array itself.",
      );
      return undefined;
    }
    type = type.element;
    element = [];
  }
  return { type, guard: guardOf(path), value: valueOf(path), path: ["arguments", ...path], element };
}

/** The suggestion has the whole path, as it is to be written. */
function helpFor(
  steps: readonly Step[],
  index: number,
  candidates: readonly string[],
  type: ProjectedType,
): string | undefined {
  if (type.kind === "Set") return "Write [] after the array to constrain its elements.";
  const before = steps.slice(0, index).map(({ name, elements }) => `${name}${elements ? "[]" : ""}.`);
  const name = closestName(steps[index]?.name ?? "", candidates);
  return name === undefined ? undefined : `did you mean ${JSON.stringify(before.join("") + name)}?`;
}

/** A top-level argument whose own name has dots or brackets goes before what they would mean. */
function stepsOf(written: string, topLevel: ReadonlySet<string>): readonly Step[] {
  if (topLevel.has(written)) return [{ name: written, elements: false }];
  return written.split(".").map((part) => {
    const elements = part.endsWith("[]");
    return { name: elements ? part.slice(0, -2) : part, elements };
  });
}

function valueOf(path: readonly string[]): string {
  return `context.arguments${path.map((name) => `[${cedarString(name)}]`).join("")}`;
}

function guardOf(path: readonly string[]): string {
  return path.map((name, index) => `${valueOf(path.slice(0, index))} has ${cedarString(name)}`).join(" && ");
}
