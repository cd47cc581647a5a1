// What the engine said before is used again for the same question only: an error is found each time, and an edit is seen.
import { expect, test } from "vitest";
import { compile } from "#compiler";
import { editedTemplate } from "../../../e2e/edited-template.ts";

const POLICY = "policies/sql-prod.cedar";

async function outcome(
  edit: (text: string) => string,
): Promise<readonly [string | undefined, readonly string[]]> {
  const { bundle, diagnostics } = await compile({ dir: "", workspace: editedTemplate({ [POLICY]: edit }) });
  return [
    bundle?.digest,
    diagnostics.map(({ code, line, column, message }) => `${code} ${line}:${column} ${message}`),
  ];
}

test("compiling again, after an edit, and after an error gives what the first compilation gave", async () => {
  const asWritten = await outcome((text) => `${text}\n`);
  const edited = await outcome((text) => text.replace("is_external == true", "is_external == false"));
  const mistyped = await outcome((text) => text.replace("is_external == true", "is_external == 1"));
  expect(asWritten[0]).toBeDefined();
  expect(edited[0]).toBeDefined();
  expect(edited[0]).not.toBe(asWritten[0]);
  expect(mistyped[0]).toBeUndefined();
  expect(mistyped[1].join("\n")).toContain("CEDAR_TYPE");

  expect(await outcome((text) => `${text}\n`)).toEqual(asWritten);
  expect(await outcome((text) => text.replace("is_external == true", "is_external == 1"))).toEqual(mistyped);
  expect(await outcome((text) => text.replace("is_external == true", "is_external == false"))).toEqual(
    edited,
  );
});
