// Documents against their published JSON Schemas, with findings at the place in the file.
import { Ajv } from "ajv";
import type { ErrorObject, ValidateFunction } from "ajv";
import environmentSchema from "../schema/environment.schema.json" with { type: "json" };
import identitySchema from "../schema/identity.schema.json" with { type: "json" };
import invariantsSchema from "../schema/invariants.schema.json" with { type: "json" };
import limitsSchema from "../schema/limits.schema.json" with { type: "json" };
import policySchema from "../schema/policy.schema.json" with { type: "json" };
import projectSchema from "../schema/project.schema.json" with { type: "json" };
import retentionSchema from "../schema/retention.schema.json" with { type: "json" };
import routesSchema from "../schema/routes.schema.json" with { type: "json" };
import serverSchema from "../schema/server.schema.json" with { type: "json" };
import testDataSchema from "../schema/test-data.schema.json" with { type: "json" };
import testSuiteSchema from "../schema/test-suite.schema.json" with { type: "json" };
import type { DiagnosticSink } from "../diagnostics/index.ts";
import type { DocumentShapes } from "./shapes.ts";
import { didYouMean } from "./yaml-source.ts";
import type { YamlPath, YamlSource } from "./yaml-source.ts";

/** The published schema of each document kind. */
export const DOCUMENT_SCHEMAS = {
  Project: projectSchema,
  Policy: policySchema,
  Server: serverSchema,
  Routes: routesSchema,
  Environment: environmentSchema,
  Identity: identitySchema,
  Invariants: invariantsSchema,
  Limits: limitsSchema,
  Retention: retentionSchema,
  TestData: testDataSchema,
  TestSuite: testSuiteSchema,
} as const;

export type DocumentKind = keyof typeof DOCUMENT_SCHEMAS;

const ajv = new Ajv({
  allErrors: true,
  verbose: true,
  strict: true,
  allowUnionTypes: true,
  ownProperties: true,
});
const validators = new Map<DocumentKind, ValidateFunction>();

function validatorOf(kind: DocumentKind): ValidateFunction {
  let validator = validators.get(kind);
  if (validator === undefined) {
    validator = ajv.compile(DOCUMENT_SCHEMAS[kind]);
    validators.set(kind, validator);
  }
  return validator;
}

/** A JSON Pointer as a path into the document: array positions become numbers. */
function pathOf(source: YamlSource, pointer: string): YamlPath {
  const path: (string | number)[] = [];
  let value: unknown = source.value;
  for (const part of pointer.split("/").slice(1)) {
    const name = part.replaceAll("~1", "/").replaceAll("~0", "~");
    path.push(Array.isArray(value) ? Number(name) : name);
    value = (value as Readonly<Record<string, unknown>> | undefined)?.[name];
  }
  return path;
}

function describe(path: YamlPath): string {
  return path.length === 0 ? "the document" : path.map((part) => String(part)).join(".");
}

function propertyNamesOf(error: ErrorObject): readonly string[] {
  const properties = (error.parentSchema as { readonly properties?: object } | undefined)?.properties ?? {};
  return Object.keys(properties);
}

function list(values: readonly unknown[]): string {
  return values.map((value) => JSON.stringify(value)).join(", ");
}

function reportOne(source: YamlSource, error: ErrorObject, sink: DiagnosticSink): void {
  const path = pathOf(source, error.instancePath);
  const params = error.params as Readonly<Record<string, unknown>>;
  // A rule that the name of a member breaks: the finding belongs to the key.
  if (error.propertyName !== undefined) {
    const name = JSON.stringify(error.propertyName);
    const message = `${describe(path)}: the name ${name} ${error.message ?? "is invalid"}`;
    sink.report("DOCUMENT_INVALID", source.atKey(...path, error.propertyName), message);
    return;
  }
  switch (error.keyword) {
    case "additionalProperties": {
      const key = String(params["additionalProperty"]);
      const known = propertyNamesOf(error);
      const help = didYouMean(key, known) ?? `known keys: ${known.join(", ")}`;
      sink.report(
        "DOCUMENT_UNKNOWN_KEY",
        source.atKey(...path, key),
        `unknown key ${JSON.stringify(key)}`,
        help,
      );
      return;
    }
    case "required":
      invalid(`${describe(path)} has no ${JSON.stringify(params["missingProperty"])}`);
      return;
    case "enum": {
      const allowed = params["allowedValues"] as readonly unknown[];
      const help = typeof error.data === "string" ? didYouMean(error.data, allowed.map(String)) : undefined;
      invalid(`${describe(path)} must be one of ${list(allowed)}`, help);
      return;
    }
    case "const": {
      const { allowedValue: allowed } = params;
      const areTexts = typeof error.data === "string" && typeof allowed === "string";
      const help = areTexts ? didYouMean(error.data as string, [allowed]) : undefined;
      invalid(`${describe(path)} must be ${JSON.stringify(allowed)}`, help);
      return;
    }
    case "type":
      invalid(`${describe(path)} must be ${[params["type"]].flat().join(" or ")}`);
      return;
    case "propertyNames":
      return;
    default:
      invalid(`${describe(path)} ${error.message ?? "is invalid"}`);
  }
  function invalid(message: string, help?: string): void {
    sink.report("DOCUMENT_INVALID", source.at(...path), message, help);
  }
}

/** The document's value as its kind, or undefined after reporting what does not fit. */
export function validateDocument<Kind extends DocumentKind>(
  source: YamlSource,
  kind: Kind,
  sink: DiagnosticSink,
): DocumentShapes[Kind] | undefined {
  const validator = validatorOf(kind);
  if (validator(source.value)) return source.value as unknown as DocumentShapes[Kind];
  for (const error of validator.errors ?? []) reportOne(source, error, sink);
  return undefined;
}
