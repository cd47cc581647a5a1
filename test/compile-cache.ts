// For processes that a test starts with an environment of their own.

/** Where `npm test` keeps compiled code: what one process compiled from source the next ones need not. */
export function compileCache(): Readonly<Record<string, string>> {
  const directory = process.env["NODE_COMPILE_CACHE"];
  return directory === undefined ? {} : { NODE_COMPILE_CACHE: directory };
}
