// Committed pins whose texts would attack the model that reads them: the scan of `aegis pin`, repeated on every check.
import type { SourceSpan } from "../diagnostics/index.ts";
import { startOf } from "../diagnostics/index.ts";
import { definitionLabel } from "../documents/pin-file.ts";
import { scanPins } from "../scan/scan-pins.ts";
import type { CheckRule } from "./context.ts";

const ATTACK = "Read the text in the pin file; if it is an attack, remove the server and tell its owner.";
const MIRRORED = "Have the server's owner take `x-mcp-header` off the argument.";

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
      for (const { id, severity, subject, message, excerpt, isAccepted } of scanPins(pins, tools)) {
        const isHidden = severity === "hidden" && !accepted.has(subject);
        if (isAccepted && !isHidden) continue;
        const place = places.get(subject) ?? startOf(pins.file);
        const accept = `\`aegis pin . --accept-suspicious ${id}\``;
        const help = `${ATTACK} If it is harmless: ${accept}.`;
        const words = `${subject}: ${message}: ${JSON.stringify(excerpt)}`;
        if (isHidden) sink.report("PIN_HIDDEN_CHARACTERS", place, words);
        else if (severity === "secret")
          sink.report("PIN_SECRET_MIRRORED", place, words, `${MIRRORED} If it is no secret: ${accept}.`);
        else sink.report("PIN_SUSPICIOUS_TEXT", place, words, help);
      }
    }
  },
};
