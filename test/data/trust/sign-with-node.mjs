// An external signer as a customer would write one: signs standard input with a PEM key and prints the signature.
// node sign-with-node.mjs <directory of PEM keys by key id> <form: base64url | base64 | raw | der>
import { sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const [directory, form] = process.argv.slice(2);
const { AEGIS_KEY_ID, AEGIS_KEY_ALGORITHM, AEGIS_DOCUMENT } = process.env;
if (!["aegis-release", "aegis-root"].includes(AEGIS_DOCUMENT)) throw new Error("what am I to sign?");
const key = readFileSync(join(directory, `${AEGIS_KEY_ID}.pem`));
const input = readFileSync(0);
const signature =
  AEGIS_KEY_ALGORITHM === "Ed25519"
    ? sign(null, input, key)
    : sign("sha256", input, { key, dsaEncoding: form === "der" ? "der" : "ieee-p1363" });
if (form === "raw" || form === "der") process.stdout.write(signature);
else process.stdout.write(`${signature.toString(form)}\n`);
