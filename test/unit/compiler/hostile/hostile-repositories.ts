// Repositories that a hostile pull request could contain, each laid over a copy of the template.
import { HOSTILE_CEDAR } from "./hostile-cedar.ts";
import { HOSTILE_DOCUMENTS } from "./hostile-documents.ts";
import { HOSTILE_FILES } from "./hostile-files.ts";
import { HOSTILE_PINS } from "./hostile-pins.ts";
import { HOSTILE_PROJECTS } from "./hostile-projects.ts";
import type { HostileRepository } from "./planting.ts";

export const HOSTILE_REPOSITORIES: readonly HostileRepository[] = [
  ...HOSTILE_DOCUMENTS,
  ...HOSTILE_CEDAR,
  ...HOSTILE_PINS,
  ...HOSTILE_PROJECTS,
  ...HOSTILE_FILES,
];
