// Marks what the interpreter does not have.

/** A construct outside the interpreter's tables: the slice that has it stays with cedar-wasm. */
export class UnsupportedConstruct extends Error {}
