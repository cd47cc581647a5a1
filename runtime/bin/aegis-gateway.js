#!/usr/bin/env -S node --disallow-code-generation-from-strings --expose-gc --max-semi-space-size=16 --initial-old-space-size=128
// Launcher in a checkout: refuses an old Node in one line, then runs the gateway from source.
const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 22 || (major === 22 && minor < 19)) {
  process.stderr.write(`aegis-gateway needs Node 22.19 or newer; this is ${process.versions.node}\n`);
  process.exit(1);
}
await import("../main.ts");
