// Lint rules. Import boundaries between the top-level folders stand here, in tsconfig references, and in
// test/architecture, so that disabling one of the three does not disable the rule.
import js from "@eslint/js";
import tseslint from "typescript-eslint";

const compilerOnly = ["yaml", "ajv", "ajv-formats", "commander", "esbuild", "vitest"];

export default tseslint.config(
  { ignores: ["**/node_modules/**", "**/dist/**", "coverage/**", "test/data/**", "bench/results/**"] },
  js.configs.recommended,
  ...tseslint.configs.recommended,
  {
    files: ["**/*.ts"],
    languageOptions: {
      parserOptions: {
        // One program for all files: each of the projects of tsc would read and check its references again.
        project: ["tsconfig.lint.json"],
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/no-misused-promises": "error",
      "@typescript-eslint/switch-exhaustiveness-check": [
        "error",
        { considerDefaultExhaustiveForUnions: true },
      ],
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/no-explicit-any": "error",
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
      "max-lines": ["error", { max: 500 }],
      "max-lines-per-function": ["error", { max: 70, skipBlankLines: true, skipComments: true }],
      "no-restricted-syntax": [
        "error",
        { selector: "ExportAllDeclaration", message: "Name every export: doors are explicit." },
        { selector: "ExportDefaultDeclaration", message: "Named exports only." },
      ],
    },
  },
  {
    files: ["test/**/*.ts", "bench/**/*.ts"],
    rules: { "max-lines-per-function": "off" },
  },
  {
    files: ["runtime/**/*.ts"],
    rules: {
      "no-restricted-imports": [
        "error",
        {
          paths: compilerOnly.map((name) => ({
            name,
            message: "The gateway ships without authoring tools.",
          })),
          patterns: [
            {
              group: ["#compiler", "#cli", "*/compiler/*", "*/cli/*"],
              message: "runtime imports nothing above it.",
            },
          ],
        },
      ],
    },
  },
  {
    files: ["compiler/**/*.ts"],
    rules: {
      "no-restricted-imports": [
        "error",
        { patterns: [{ group: ["#cli", "*/cli/*"], message: "compiler imports nothing above it." }] },
      ],
    },
  },
  { files: ["*.config.ts"], rules: { "no-restricted-syntax": "off" } },
  { files: ["**/bin/*.js"], languageOptions: { globals: { process: "readonly" } } },
);
