// aegis explain: one call, its decision, and every policy that had a say.
import type { Command } from "commander";
import type { BundleContent, LeafAction } from "#bundle";
import type { CompileResult } from "#compiler";
import { showHidden } from "#compiler";
import {
  AskError,
  explainCall,
  findAction,
  findCaller,
  namedCall,
  parseObject,
  renderExplanationJson,
  renderExplanationText,
} from "#explain";
import type { ExplainRequest, LeafName } from "#explain";
import { CliError } from "../output/cli-error.ts";
import { EXIT } from "../output/exit-codes.ts";
import { compileProject, showDiagnostics } from "../output/project.ts";
import type { CommandHost } from "../program.ts";

const FORMATS = ["text", "json"];
const KINDS = ["tool", "resource", "prompt"] as const;

interface ExplainOptions {
  readonly principal: string;
  readonly call?: string;
  readonly server?: string;
  readonly tool?: string;
  readonly resource?: string;
  readonly prompt?: string;
  readonly arguments?: string;
  readonly format: string;
}

export function registerExplain(program: Command, host: CommandHost): void {
  program
    .command("explain")
    .argument("[dir]", "policy repository", ".")
    .description("Explain one decision: which policies apply, and why.")
    .requiredOption("--principal <name|json>", 'principal of the tests, or {"id":…,"roles":[…],"attrs":{…}}')
    .option("--call <name>", "call of the tests, instead of the options below")
    .option("--server <id>", "server of the registry")
    .option("--tool <name>", "tool that is called")
    .option("--resource <uri>", "resource that is read, or URI template")
    .option("--prompt <name>", "prompt that is asked for")
    .option("--arguments <json>", "arguments of the call (default: {})")
    .option("--format <format>", `output format: ${FORMATS.join(", ")}`, "text")
    .action(
      host.action(async (dir: string, options: ExplainOptions) => {
        if (!FORMATS.includes(options.format)) {
          const message = `unknown format ${JSON.stringify(options.format)}`;
          throw new CliError(message, { help: `one of ${FORMATS.join(", ")}` });
        }
        const result = await compileProject(dir, host.io);
        if (result.content === undefined) {
          showDiagnostics(result, host.io);
          host.io.err("not explained: the repository does not compile\n");
          return EXIT.checkFailed;
        }
        const explanation = await explainCall(result.content, request(result, result.content, options));
        host.io.out(
          options.format === "json"
            ? renderExplanationJson(explanation)
            : renderExplanationText(explanation, { color: host.io.colorOut, printable: showHidden }),
        );
        return EXIT.ok;
      }),
    );
}

function request(result: CompileResult, content: BundleContent, options: ExplainOptions): ExplainRequest {
  const { suites, attributes } = result.model;
  try {
    return {
      caller: findCaller(options.principal, suites, attributes),
      ...readCall(result, content, options),
    };
  } catch (fault) {
    if (!(fault instanceof AskError)) throw fault;
    throw new CliError(fault.message, fault.help === undefined ? {} : { help: fault.help });
  }
}

function readCall(
  result: CompileResult,
  content: BundleContent,
  options: ExplainOptions,
): { readonly action: LeafAction; readonly arguments: ExplainRequest["arguments"] } {
  const leaf = leafName(options);
  if (options.call !== undefined) {
    if (leaf !== undefined || options.server !== undefined || options.arguments !== undefined) {
      throw new CliError("--call names a whole call: leave out --server, --tool and --arguments");
    }
    const { action, arguments: args } = namedCall(result.model.suites, options.call);
    return { action, arguments: args };
  }
  if (leaf === undefined) {
    throw new CliError("which call?", { help: "give --call <name>, or --server <id> and --tool <name>" });
  }
  return {
    action: findAction(content, leaf),
    arguments: parseObject("--arguments", options.arguments ?? "{}"),
  };
}

function leafName(options: ExplainOptions): LeafName | undefined {
  const given = KINDS.flatMap((kind) => {
    const name = options[kind];
    return name === undefined ? [] : [{ kind, name }];
  });
  const [only, ...more] = given;
  if (only === undefined) return undefined;
  if (more.length > 0) throw new CliError("give one of --tool, --resource, --prompt");
  if (options.server === undefined) throw new CliError(`--${only.kind} needs --server`);
  return { server: options.server, ...only };
}
