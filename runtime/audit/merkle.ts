// RFC 6962 Merkle tree hash, computed while leaves arrive.
import { hash } from "node:crypto";

const LEAF_PREFIX = 0x00;
const NODE_PREFIX = 0x01;
const HASH_BYTES = 32;

/** A growing tree that keeps only the roots of its complete subtrees. */
export interface MerkleTree {
  /** Adds the leaf whose content is the 32 bytes of a record hash, given in hex. */
  readonly push: (recordHash: string) => void;
  readonly size: () => number;
  /** Hex root of RFC 6962 §2.1 over the leaves so far; the hash of nothing for an empty tree. */
  readonly root: () => string;
}

// Inputs are built in place and hashes kept as strings of a character a byte: a buffer for each would be memory outside V8's heap, which
// costs the garbage collector more than the hash costs.
const leafInput = Buffer.alloc(1 + HASH_BYTES, LEAF_PREFIX);
const nodeInput = Buffer.alloc(1 + 2 * HASH_BYTES, NODE_PREFIX);

function node(left: string, right: string): string {
  nodeInput.write(left, 1, HASH_BYTES, "binary");
  nodeInput.write(right, 1 + HASH_BYTES, HASH_BYTES, "binary");
  return hash("sha256", nodeInput, "binary");
}

export function createMerkleTree(): MerkleTree {
  // Subtree roots from the widest to the narrowest: one for each set bit of `size`.
  const roots: string[] = [];
  let size = 0;
  return {
    push: (recordHash) => {
      leafInput.write(recordHash, 1, HASH_BYTES, "hex");
      let merged = hash("sha256", leafInput, "binary");
      for (let bits = size; (bits & 1) === 1; bits >>>= 1) {
        const left = roots.pop();
        if (left === undefined) throw new Error("invariant violated: a set bit of the size has a subtree");
        merged = node(left, merged);
      }
      roots.push(merged);
      size += 1;
    },
    size: () => size,
    root: () => {
      const narrowest = roots.at(-1);
      if (narrowest === undefined) return hash("sha256", "", "hex");
      let root = narrowest;
      for (let index = roots.length - 2; index >= 0; index -= 1) {
        const left = roots[index];
        if (left !== undefined) root = node(left, root);
      }
      return Buffer.from(root, "binary").toString("hex");
    },
  };
}
