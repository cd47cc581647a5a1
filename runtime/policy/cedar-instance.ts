// Independent cedar-wasm instances from one compiled module. The package's Node entry is a singleton, but a policy
// generation needs an instance of its own: preparsed sets are never evicted, and a trap ruins an instance for good.
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { compileFunction } from "node:vm";
import type * as CedarModuleNamespace from "@cedar-policy/cedar-wasm/nodejs";
import { assert, locateInstalled } from "#std";

type CedarModule = typeof CedarModuleNamespace;

/** The part of cedar-wasm that Aegis uses. Every call is synchronous and may throw. */
export type CedarInstance = Pick<
  CedarModule,
  | "checkParsePolicySet"
  | "checkParseSchema"
  | "formatPolicies"
  | "getCedarVersion"
  | "isAuthorized"
  | "policySetTextToParts"
  | "policyToJson"
  | "policyToText"
  | "preparsePolicySet"
  | "preparseSchema"
  | "schemaToJson"
  | "schemaToText"
  | "statefulIsAuthorized"
  | "validate"
>;

/** A compiled `WebAssembly.Module`; opaque here. */
interface WasmModule {
  readonly [Symbol.toStringTag]?: string;
}

interface WasmApi {
  readonly compile: (bytes: Uint8Array) => Promise<WasmModule>;
  readonly Module: new (bytes: Uint8Array) => WasmModule;
  readonly Instance: unknown;
}

// The strict library set of this project has no DOM types, which is where TypeScript declares WebAssembly.
const webAssembly = (globalThis as unknown as { readonly WebAssembly: WasmApi }).WebAssembly;

type GlueFunction = (
  exports: object,
  require: (id: string) => unknown,
  directory: string,
  webAssembly: Pick<WasmApi, "Module" | "Instance">,
) => void;

const gluePath = locateInstalled("@cedar-policy/cedar-wasm/nodejs", "./cedar-wasm/cedar_wasm.js");
const wasmPath = join(dirname(gluePath), "cedar_wasm_bg.wasm");

let sharedModule: WasmModule | undefined;
let sharedGlue: GlueFunction | undefined;

/**
 * Compiles the wasm off the main thread, so that the first `createCedarInstance` does not stall the event loop
 * (45 ms otherwise). Later calls return at once.
 */
export async function prepareCedar(): Promise<void> {
  if (sharedModule !== undefined) return;
  const compiled = await webAssembly.compile(await readFile(wasmPath));
  sharedModule ??= compiled;
}

/**
 * Makes an instance that shares nothing mutable with another: 1–2 ms and about 2 MB once the module is compiled.
 * The package's own glue is compiled as a function, as `require` would, but with a `WebAssembly` whose `Module` is the
 * shared one. No code is generated from strings: it works under `--disallow-code-generation-from-strings`.
 */
export function createCedarInstance(): CedarInstance {
  sharedModule ??= new webAssembly.Module(readFileSync(wasmPath));
  sharedGlue ??= compileFunction(
    readFileSync(gluePath, "utf8"),
    ["exports", "require", "__dirname", "WebAssembly"],
    {
      filename: gluePath,
    },
  ) as GlueFunction;
  const module = sharedModule;
  class SharedModule {
    constructor() {
      return module;
    }
  }
  const exported: Partial<CedarInstance> = {};
  sharedGlue(exported, requireForGlue, dirname(gluePath), {
    Module: SharedModule,
    Instance: webAssembly.Instance,
  });
  assert(isCedarInstance(exported), "the cedar-wasm glue exports what Aegis calls");
  return exported;
}

// The glue reads its wasm file on load; the bytes are not needed, the module is compiled already.
function requireForGlue(id: string): unknown {
  assert(id === "fs" || id === "node:fs", `cedar-wasm asks for an unexpected module: ${id}`);
  return { readFileSync: () => new Uint8Array(0) };
}

function isCedarInstance(value: Partial<CedarInstance>): value is CedarInstance {
  return (
    typeof value.statefulIsAuthorized === "function" &&
    typeof value.preparsePolicySet === "function" &&
    typeof value.preparseSchema === "function" &&
    typeof value.validate === "function" &&
    typeof value.policyToJson === "function"
  );
}
