// Committed pins whose texts would attack the model that reads them: the scan of `aegis pin`, repeated on every check.
import type { SourceSpan } from "../diagnostics/index.ts";
import { startOf } from "../diagnostics/index.ts";
import { definitionLabel } from "../documents/pin-file.ts";
import { scanPins } from "../scan/scan-pins.ts";
import type { CheckRule } from "./context.ts";

export const suspiciousPin: CheckRule = {
  name: "suspicious-pin",
  run: ({ documents, sink }) => {
    const tools = documents.pins.map(({ server, definitions }) => ({
      server,
      names: definitions.filter(({ kind }) => kind === "tool").map(({ name }) => name),
    }));
    for (const pins of documents.pins) {
      const places = new Map<string, SourceSpan>();
      for (const { kind, name, at } of pins.definitions) places.set(definitionLabel(kind, name), at);
      const accepted = new Set(pins.acceptedHidden);
      for (const { severity, subject, message, excerpt } of scanPins(pins, tools)) {
        const isRefused = severity === "hidden" && !accepted.has(subject);
        const code = isRefused ? "PIN_HIDDEN_CHARACTERS" : "PIN_SUSPICIOUS_TEXT";
        const place = places.get(subject) ?? startOf(pins.file);
        sink.report(code, place, `${subject}: ${message}: ${JSON.stringify(excerpt)}`);
      }
    }
  },
};
