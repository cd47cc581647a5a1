/** Test files that mock a module (`vi.mock`), which other files of their process may have loaded already. */
export const MOCK_MODULES: readonly string[] = ["test/unit/upstream/egress.test.ts"];
