/** @file SHA-256 piece by piece (FIPS 180-4), for systems that only hash what is in one piece, and only with a wait. */
import type { PiecewiseHash } from "./system.ts";

/** Bytes that are taken in at a time. */
const BLOCK = 64;
/** First 32 bits of the fractional parts of the cube roots of the first 64 primes. */
const K = roots(64, Math.cbrt);
/** The same of the square roots of the first 8. */
const START = roots(8, Math.sqrt);

function roots(count: number, root: (of: number) => number): Uint32Array<ArrayBuffer> {
  const found: number[] = [];
  for (let n = 2; found.length < count; n++) if (!found.some((prime) => n % prime === 0)) found.push(n);
  return Uint32Array.from(found, (prime) => {
    const value = root(prime);
    return (value - Math.floor(value)) * 2 ** 32;
  });
}

/** A hash that has taken nothing yet. */
export function sha256(): PiecewiseHash {
  const state = START.slice(), words = new Uint32Array(64), block = new Uint8Array(BLOCK);
  const view = new DataView(block.buffer);
  let filled = 0, bytes = 0;
  const mix = () => {
    for (let i = 0; i < 16; i++) words[i] = view.getUint32(4 * i);
    for (let i = 16; i < 64; i++) {
      const a = words[i - 15]!, b = words[i - 2]!;
      const s0 = turn(a, 7) ^ turn(a, 18) ^ (a >>> 3), s1 = turn(b, 17) ^ turn(b, 19) ^ (b >>> 10);
      words[i] = words[i - 16]! + s0 + words[i - 7]! + s1;
    }
    let [a, b, c, d, e, f, g, h] = state as unknown as [
      ...[number, number, number, number],
      ...[number, number, number, number],
    ];
    for (let i = 0; i < 64; i++) {
      const s1 = turn(e, 6) ^ turn(e, 11) ^ turn(e, 25), choice = (e & f) ^ (~e & g);
      const first = (h + s1 + choice + K[i]! + words[i]!) | 0;
      const s0 = turn(a, 2) ^ turn(a, 13) ^ turn(a, 22), majority = (a & b) ^ (a & c) ^ (b & c);
      [h, g, f, e, d, c, b, a] = [g, f, e, (d + first) | 0, c, b, a, (first + s0 + majority) | 0];
    }
    [a, b, c, d, e, f, g, h].forEach((value, i) => state[i]! += value);
  };
  const take = (piece: Uint8Array) => {
    for (let at = 0; at < piece.length;) {
      const part = piece.subarray(at, at + BLOCK - filled);
      block.set(part, filled);
      at += part.length;
      filled += part.length;
      if (filled < BLOCK) continue;
      mix();
      filled = 0;
    }
  };
  return {
    update(piece) {
      const taken = typeof piece === "string" ? new TextEncoder().encode(piece) : piece;
      bytes += taken.length;
      take(taken);
    },
    digest() {
      const end = new DataView(new ArrayBuffer(8));
      end.setBigUint64(0, 8n * BigInt(bytes));
      take(Uint8Array.of(0x80));
      take(new Uint8Array((2 * BLOCK - 8 - filled) % BLOCK));
      take(new Uint8Array(end.buffer));
      return [...state].map((word) => word.toString(16).padStart(8, "0")).join("");
    },
  };
}

function turn(word: number, by: number): number {
  return (word >>> by) | (word << (32 - by));
}
