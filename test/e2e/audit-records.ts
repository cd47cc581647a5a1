// Reads the records of a log that may still be open.
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

export interface AuditRecord {
  readonly ten: string;
  readonly seq: number;
  readonly ev: string;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Every record on disk, in order; a line that is still being written is left out. */
export async function readAuditRecords(dir: string): Promise<readonly AuditRecord[]> {
  const names = (await readdir(dir)).filter((name) => /segment|\.jsonl$|\.log$/u.test(name)).sort();
  const records: AuditRecord[] = [];
  for (const name of names) {
    const text = await readFile(join(dir, name), "utf8");
    const whole = text.slice(0, text.lastIndexOf("\n") + 1);
    for (const line of whole.split("\n")) {
      if (line === "") continue;
      const record = JSON.parse(line) as Partial<AuditRecord>;
      if (typeof record.ev === "string" && record.body !== undefined) records.push(record as AuditRecord);
    }
  }
  return records;
}
