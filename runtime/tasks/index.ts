// What the rest of the gateway may know of tasks.
export { OpenTasks, TASK_CAPS } from "./open-tasks.ts";
export { taskCapabilities } from "./task-capability.ts";
export { createTaskGovernor, taskPlanOf } from "./task-governor.ts";
export type { TaskGovernor, TaskGovernorOptions } from "./task-governor.ts";
export { createAskGovernor } from "./task-asks.ts";
export type { AskGovernor, TaskAsk } from "./task-asks.ts";
export { TASK_CHANGED, TASK_STATUS, governTaskChange, governTaskStatus } from "./task-notifications.ts";
export { watchTasks } from "./task-listens.ts";
export type { TaskWatch } from "./task-listens.ts";
export { taskExtension, taskParams, taskTarget } from "./task-target.ts";
