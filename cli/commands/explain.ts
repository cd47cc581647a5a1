// aegis explain: one call, its decision, and every policy that had a say.
import type { Command } from "commander";
import { DEFAULT_TENANT } from "#bundle";
import type { BundleContent } from "#bundle";
import type { CompileResult } from "#compiler";
import { showHidden } from "#compiler";
import {
  AskError,
  explainCall,
  findCall,
  findCaller,
  findRequest,
  namedCall,
  parseObject,
  renderExplanationJson,
  renderExplanationText,
  whyNot,
} from "#explain";
import type { ExplainRequest, FoundCall } from "#explain";
import { CliError } from "../output/cli-error.ts";
import { EXIT } from "../output/exit-codes.ts";
import { compileProject, showDiagnostics } from "../output/project.ts";
import { explainDecision } from "../explain/decision.ts";
import type { CommandHost } from "../program.ts";

const FORMATS = ["text", "json"];
const TASKS = ["get", "cancel", "list", "result", "update"] as const;
const TARGETS = [
  ...(["tool", "resource", "prompt", "sampling", "elicitation", "root"] as const),
  ...(["completion", "subscribe", "logging", "task"] as const),
] as const;
type Target = (typeof TARGETS)[number];
type CallShape = Parameters<typeof findCall>[1];

interface ExplainOptions extends Readonly<Partial<Record<Target, string>>> {
  readonly principal?: string;
  readonly decision?: string;
  readonly audit?: string;
  readonly bundle?: string;
  readonly call?: string;
  readonly server?: string;
  readonly arguments?: string;
  readonly request?: string;
  readonly whyNot?: true;
  readonly format: string;
}

export function registerExplain(program: Command, host: CommandHost): void {
  program
    .command("explain")
    .argument("[dir]", "policy repository", ".")
    .description("Explain one decision: which policies apply, and why.")
    .option(
      "--principal <name|json>",
      'principal of the tests, or {"id":…,"roles":[…],"attrs":{…}}; type and tenant too',
    )
    .option("--call <name>", "call of the tests, instead of the options below")
    .option("--server <id>", "server of the registry")
    .option("--tool <name>", "tool that is called")
    .option("--resource <uri>", "resource that is read, or URI template or pattern")
    .option("--prompt <name>", "prompt that is asked for")
    .option("--sampling <json>", "parameters of sampling/createMessage")
    .option("--elicitation <json>", "parameters of elicitation/create")
    .option("--root <uri>", "one root of the answer to roots/list")
    .option("--completion <json>", "parameters of completion/complete")
    .option("--subscribe <uri>", "resource that is subscribed to")
    .option("--logging <level>", "level that is set")
    .option("--task <method>", `tasks method: ${TASKS.join(", ")}`)
    .option("--arguments <json>", "arguments of the call (default: {})")
    .option("--request <json>", "how, when and from where: as `request` of a principal of the tests")
    .option("--why-not", "show the fewest facts that would turn the decision")
    .option("--decision <id>", "explain a recorded decision instead, from the log that --audit names")
    .option("--audit <dir>", "audit directory, or one segment of it")
    .option("--bundle <file|channel>", "with --decision: the bundle that decided (default: the working tree)")
    .option("--format <format>", `output format: ${FORMATS.join(", ")}`, "text")
    .action(
      host.action(async (dir: string, options: ExplainOptions) => {
        if (!FORMATS.includes(options.format)) {
          const message = `unknown format ${JSON.stringify(options.format)}`;
          throw new CliError(message, { help: `one of ${FORMATS.join(", ")}` });
        }
        if (options.decision !== undefined) {
          refuseAsked(options);
          const { decision: id, audit, bundle } = options;
          return explainDecision({ id, audit, bundle, dir, isJson: options.format === "json" }, host.io);
        }
        const result = await compileProject(dir, host.io);
        if (result.content === undefined) {
          showDiagnostics(result, host.io);
          host.io.err("not explained: the repository does not compile\n");
          return EXIT.checkFailed;
        }
        const asked = request(result, result.content, options);
        const explained = await explainCall(result.content, asked);
        const explanation =
          options.whyNot === true ? { ...explained, whyNot: await whyNot(result.content, asked) } : explained;
        host.io.out(
          options.format === "json"
            ? renderExplanationJson(explanation)
            : renderExplanationText(explanation, { color: host.io.colorOut, printable: showHidden }),
        );
        return EXIT.ok;
      }),
    );
}

/** Options that say which call it is, which a record says itself. */
const ASKED = ["principal", "call", "server", "arguments", "request", "whyNot", ...TARGETS] as const;

function refuseAsked(options: ExplainOptions): void {
  const given = ASKED.filter((name) => options[name] !== undefined);
  if (given.length === 0) return;
  const named = given.map((name) => (name === "whyNot" ? "--why-not" : `--${name}`)).join(", ");
  throw new CliError(`--decision explains what was recorded: leave out ${named}`, {
    help: "without --decision they explain a call that you describe",
  });
}

function request(result: CompileResult, content: BundleContent, options: ExplainOptions): ExplainRequest {
  const { suites, attributes, roles } = result.model;
  if (options.principal === undefined)
    throw new CliError("who calls?", {
      help: "give --principal <name|json>, or --decision <id> and --audit",
    });
  try {
    const tenants = [...new Set([DEFAULT_TENANT, ...content.policies.slices.map(({ tenant }) => tenant)])];
    const caller = findCaller(options.principal, suites, attributes, roles, tenants);
    const call = readCall(result, content, options);
    if (options.request === undefined) return { caller, ...call };
    const facts = findRequest(parseObject("--request", options.request), caller.request);
    return { caller: { ...caller, request: facts }, ...call };
  } catch (fault) {
    if (!(fault instanceof AskError)) throw fault;
    throw new CliError(fault.message, fault.help === undefined ? {} : { help: fault.help });
  }
}

function readCall(result: CompileResult, content: BundleContent, options: ExplainOptions): FoundCall {
  const [target, ...more] = TARGETS.filter((candidate) => options[candidate] !== undefined);
  if (options.call !== undefined) {
    if (target !== undefined || options.server !== undefined || options.arguments !== undefined) {
      throw new CliError("--call names a whole call: leave out --server, --tool and --arguments");
    }
    const { action, arguments: args } = namedCall(result.model.suites, options.call);
    return { action, arguments: args };
  }
  if (target === undefined) {
    throw new CliError("which call?", { help: "give --call <name>, or --server <id> and --tool <name>" });
  }
  if (more.length > 0) throw new CliError(`give one of ${TARGETS.map((name) => `--${name}`).join(", ")}`);
  const { server } = options;
  if (server === undefined) throw new CliError(`--${target} needs --server`);
  const given =
    options.arguments === undefined ? {} : { arguments: parseObject("--arguments", options.arguments) };
  return findCall(content, { server, ...targetOf(target, options[target] ?? ""), ...given });
}

/** What is called, in the words of a test. */
function targetOf(target: Target, text: string): Omit<CallShape, "arguments" | "server"> {
  switch (target) {
    case "sampling":
    case "elicitation":
    case "completion":
      return { [target]: parseObject(`--${target}`, text) };
    case "task": {
      const task = TASKS.find((name) => name === text);
      if (task === undefined) throw new CliError("unknown --task", { help: `one of ${TASKS.join(", ")}` });
      return { task };
    }
    default:
      return { [target]: text };
  }
}
