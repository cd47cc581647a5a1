// Where the documents of a policy repository are read from.
export { WORKSPACE_LIMITS, WorkspaceError, isSafePath, memoryWorkspace } from "./workspace.ts";
export type { Workspace } from "./workspace.ts";
export { directoryWorkspace } from "./directory-workspace.ts";
export { gitWorkspace } from "./git-workspace.ts";
