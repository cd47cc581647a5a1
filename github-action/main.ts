// Process entry of the Action.
import { runAction } from "./run-action.ts";

process.exitCode = await runAction(process.env, (text) => void process.stdout.write(text));
