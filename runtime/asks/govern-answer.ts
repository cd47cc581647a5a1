// What a client answers to a server's request, on its way to the server: it is decided again under the release of that
// moment, has the shape that was asked for, and is transformed as the arguments of the call are.
import { rootArguments } from "#methods";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { applyRequest } from "#transform";
import type { TransformOptions } from "#transform";
import { isAegisError } from "#errors";
import { readAnswer } from "./answer-shape.ts";
import type { AskContext } from "./ask-context.ts";
import type { Ask } from "./ask.ts";
import { decideAsk, judgeArguments, leafFor, refusalOf, transformFor } from "./govern-ask.ts";
import type { AskRefusal } from "./govern-ask.ts";

export type AnswerVerdict =
  | {
      readonly ok: true;
      readonly result: JsonObject;
      /** Roots that were taken out. */
      readonly stripped: number;
    }
  | { readonly ok: false; readonly refusal: AskRefusal };

/** Governs the result that a client gives to an ask. Never throws. */
export async function governAskAnswer(
  context: AskContext,
  ask: Ask,
  answer: JsonValue | undefined,
  options: TransformOptions,
  /** What the ask was decided by, where its parameters are not at hand any more. */
  known?: JsonObject,
): Promise<AnswerVerdict> {
  try {
    const still = await decideAsk(context, ask, known);
    if (!still.ok) return still;
    const read = readAnswer(ask, answer);
    const kept = ask.method === "roots/list" ? await permittedRoots(context, read) : read;
    const result = readAnswer(ask, transformAnswer(context, kept, options));
    return { ok: true, result, stripped: rootsIn(read) - rootsIn(result) };
  } catch (fault) {
    return { ok: false, refusal: refusalOf(fault) };
  }
}

/** Why an ask that was permitted is not any more; undefined where it still is. Never throws. */
export async function lostPermission(context: AskContext, ask: Ask): Promise<AskRefusal | undefined> {
  try {
    const still = await decideAsk(context, ask);
    return still.ok ? undefined : still.refusal;
  } catch (fault) {
    return refusalOf(fault);
  }
}

function rootsIn({ roots }: JsonObject): number {
  return Array.isArray(roots) ? roots.length : 0;
}

/** Each root is a decision of its own; those that no policy permits are stripped. */
async function permittedRoots(context: AskContext, { roots }: JsonObject): Promise<JsonObject> {
  const leaf = leafFor(context, "roots/list");
  const permitted: JsonObject[] = [];
  for (const root of Array.isArray(roots) ? (roots as readonly JsonValue[]) : []) {
    if (leaf === undefined || !isJsonObject(root)) continue;
    const args = argumentsOfRoot(root);
    if (args !== undefined && (await judgeArguments(context, leaf, args)).ok) permitted.push(root);
  }
  return { roots: permitted };
}

function argumentsOfRoot(root: JsonObject): JsonObject | undefined {
  try {
    return rootArguments(root);
  } catch (fault) {
    if (isAegisError(fault)) return undefined;
    throw fault;
  }
}

/** Data that leaves the client's side, as the arguments of the call did. */
function transformAnswer(context: AskContext, answer: JsonObject, options: TransformOptions): JsonObject {
  const compiled = transformFor(context);
  if (compiled === undefined || compiled.request.isIdle) return answer;
  const { content } = answer;
  if (isJsonObject(content) && answer["action"] !== undefined)
    return { ...answer, content: applyRequest(compiled, content, options) };
  const { role, model, stopReason, action, ...data } = answer;
  const protocol = { role, model, stopReason, action };
  const transformed = Object.keys(data).length === 0 ? data : applyRequest(compiled, data, options);
  const kept = Object.entries(protocol).filter(([, value]) => value !== undefined);
  return { ...(Object.fromEntries(kept) as JsonObject), ...transformed };
}

/** What a server is told of a client that answers with an error: code and text, cut, and the text only untransformed. */
export function governAskError(context: AskContext, error: JsonObject): { code: number; message: string } {
  const { code, message } = error;
  const number = typeof code === "number" && Number.isSafeInteger(code) ? code : -32603;
  if (typeof message !== "string" || !passesUntransformed(context))
    return { code: number, message: REFUSED_BY_CLIENT };
  return { code: number, message: message.toWellFormed().slice(0, MAX_ERROR_TEXT).toWellFormed() };
}

/** Whether what the client says beside its answer may go to the server as it is. */
export function passesUntransformed(context: AskContext): boolean {
  try {
    return transformFor(context)?.request.isIdle !== false;
  } catch {
    return false;
  }
}

const REFUSED_BY_CLIENT = "The client refused the request";
/** UTF-16 code units of a client's error text that a server is told. */
const MAX_ERROR_TEXT = 512;
