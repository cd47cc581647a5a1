// Door #methods: what policies see of MCP methods that are no call of a definition.
export {
  completionArguments,
  elicitationArguments,
  loggingArguments,
  rootArguments,
  samplingArguments,
  taskArguments,
} from "./method-arguments.ts";
