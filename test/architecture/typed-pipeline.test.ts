// A pipeline without a stage, or with two stages swapped, must not compile. Each variant is really type-checked.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ROOT } from "./source-imports.ts";

const REQUEST = [
  "listener",
  "endpoint",
  "authenticate",
  "admit",
  "target",
  "pinAndProject",
  "authorize",
  "throttle",
  "transformRequest",
  "record",
  "dispatch",
];
const RESPONSE = ["checkResult", "transformResponse", "recordResult"];

interface Variant {
  readonly name: string;
  readonly from: "Exchange" | "Answered";
  readonly to: "Answered" | "Concluded";
  readonly stages: readonly string[];
  readonly compiles: boolean;
}

const without = (stages: readonly string[], name: string): readonly string[] =>
  stages.filter((stage) => stage !== name);
const swapped = (stages: readonly string[], index: number): readonly string[] =>
  stages.map(
    (stage, at) => (at === index ? stages[index + 1] : at === index + 1 ? stages[index] : stage) ?? stage,
  );

const variants: readonly Variant[] = [
  { name: "the real request list", from: "Exchange", to: "Answered", stages: REQUEST, compiles: true },
  { name: "the real response list", from: "Answered", to: "Concluded", stages: RESPONSE, compiles: true },
  ...REQUEST.map((stage): Variant => ({
    name: `without ${stage}`,
    from: "Exchange",
    to: "Answered",
    stages: without(REQUEST, stage),
    compiles: false,
  })),
  ...RESPONSE.map((stage): Variant => ({
    name: `without ${stage}`,
    from: "Answered",
    to: "Concluded",
    stages: without(RESPONSE, stage),
    compiles: false,
  })),
  ...REQUEST.slice(1).map((stage, index): Variant => ({
    name: `${REQUEST[index] ?? ""} and ${stage} swapped`,
    from: "Exchange",
    to: "Answered",
    stages: swapped(REQUEST, index),
    compiles: false,
  })),
  ...RESPONSE.slice(1).map((stage, index): Variant => ({
    name: `${RESPONSE[index] ?? ""} and ${stage} swapped`,
    from: "Answered",
    to: "Concluded",
    stages: swapped(RESPONSE, index),
    compiles: false,
  })),
];

function sourceOf(variant: Variant): string {
  const chain = variant.stages.map((stage) => `.stage(stages.${stage})`).join("");
  return `import type { Stages } from "../runtime/stages/stages.ts";
import type { Answered, Concluded, Exchange } from "../runtime/pipeline/exchange.ts";
import { pipeline } from "../runtime/pipeline/pipeline.ts";
import type { Pipeline } from "../runtime/pipeline/pipeline.ts";
export type Used = [Answered, Concluded, Exchange];
export function build(stages: Stages): Pipeline<${variant.from}, ${variant.to}> {
  return pipeline<${variant.from}>()${chain}.build();
}
`;
}

describe("typed pipeline", () => {
  let directory: string;
  const failing = new Map<string, readonly string[]>();
  beforeAll(() => {
    directory = mkdtempSync(join(ROOT, ".pipeline-variants-"));
    const paths = variants.map((variant, index) => {
      const path = join(directory, `variant-${index}.ts`);
      writeFileSync(path, sourceOf(variant));
      return path;
    });
    const { config } = ts.readConfigFile(join(ROOT, "tsconfig.base.json"), ts.sys.readFile) as {
      config: { compilerOptions: object };
    };
    const { options } = ts.convertCompilerOptionsFromJson(
      { ...config.compilerOptions, composite: false, emitDeclarationOnly: false, noEmit: true },
      ROOT,
    );
    const program = ts.createProgram(paths, options);
    for (const path of paths) {
      const source = program.getSourceFile(path);
      const found = program
        .getSemanticDiagnostics(source)
        .map((entry) => ts.flattenDiagnosticMessageText(entry.messageText, "\n"));
      failing.set(path, found);
    }
  }, 120_000);
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it.each(variants.map((variant, index) => ({ ...variant, index })))(
    "$name: compiles = $compiles",
    ({ index, compiles }) => {
      const found = failing.get(join(directory, `variant-${index}.ts`)) ?? [];
      if (compiles) expect(found).toEqual([]);
      else expect(found.length).toBeGreaterThan(0);
    },
  );
});
