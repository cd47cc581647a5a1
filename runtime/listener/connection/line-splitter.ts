// Newline-delimited messages (MCP stdio): bytes in any portions to lines, with a cap on the length of one.

export interface LineSplitter {
  /** Takes bytes as they come. */
  readonly push: (chunk: Buffer) => void;
  /** The input has ended; what follows the last line break is a line too. */
  readonly finish: () => void;
}

/** `onLine` is told of every line that is not blank, `onTooLong` once of each longer than `maxBytes`, which is dropped. */
export function createLineSplitter(
  maxBytes: number,
  onLine: (line: Buffer) => void,
  onTooLong: () => void,
): LineSplitter {
  let parts: Buffer[] = [];
  let length = 0;
  let isDropping = false;
  const add = (part: Buffer): void => {
    if (isDropping) return;
    length += part.length;
    if (length <= maxBytes) {
      parts.push(part);
      return;
    }
    isDropping = true;
    parts = [];
    onTooLong();
  };
  const endLine = (): void => {
    const line = isDropping ? undefined : Buffer.concat(parts);
    parts = [];
    length = 0;
    isDropping = false;
    if (line !== undefined && !isBlank(line)) onLine(line);
  };
  return {
    push: (chunk) => {
      let start = 0;
      for (let at = chunk.indexOf(LF); at !== -1; at = chunk.indexOf(LF, start)) {
        add(chunk.subarray(start, at));
        endLine();
        start = at + 1;
      }
      if (start < chunk.length) add(chunk.subarray(start));
    },
    finish: endLine,
  };
}

const LF = 0x0a;

function isBlank(line: Buffer): boolean {
  return line.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d);
}
