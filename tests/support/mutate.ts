/** @file Seeded faults in files: what a bad disk, a cut download or a hostile hand makes of them. */
import { createRandom } from "../../numerics/random.ts";

/** Whole numbers from 0 to below a limit, one after the other. */
type Draw = (below: number) => number;

/** Draws that depend on the seed alone. */
export function drawsOf(seed: number): Draw {
  const random = createRandom(seed);
  let count = 0;
  return (below) => random.fork(`draw ${count++}`).integers(1, below)[0]!;
}

/** The same bytes with one of: some bits turned, the end gone, a stretch gone, put in twice, or of zeros. */
export function mutateBytes(bytes: Uint8Array<ArrayBuffer>, draw: Draw): Uint8Array<ArrayBuffer> {
  const from = draw(bytes.length), to = Math.min(bytes.length, from + 1 + draw(16));
  switch (draw(5)) {
    case 0: {
      const out = bytes.slice();
      // Heads of files say more than their ends.
      for (let i = 0; i <= draw(3); i++) out[draw(draw(2) === 0 ? 200 : out.length)]! ^= 1 << draw(8);
      return out;
    }
    case 1:
      return bytes.slice(0, from);
    case 2:
      return Uint8Array.of(...bytes.subarray(0, from), ...bytes.subarray(to));
    case 3:
      return Uint8Array.of(...bytes.subarray(0, to), ...bytes.subarray(from));
    default:
      return bytes.slice().fill(0, from, to);
  }
}

/** What stands where something else should. */
const STRANGE: readonly unknown[] = [
  ...[null, true, 0, -1, 1.5, 1e9, 1e300, "", "3", "\u0000\n\u001b[2J", [], [[]], {}, { type: "x" }],
  ...[[1, 2, 3], "x".repeat(10_000), { length: 3 }, Array(1000).fill(0), 2 ** 53],
];

/** A JSON value with one of its parts, on any level, changed for something strange, left out, or named otherwise. */
export function mutateJson(value: unknown, draw: Draw): unknown {
  const copy = JSON.parse(JSON.stringify(value));
  const pick = (of: object) => Object.keys(of)[draw(Object.keys(of).length)]!;
  let owner: Record<string, unknown> = copy, key = pick(copy);
  // Down from part to part, not to any leaf: most leaves of a file are of one kind.
  for (let inner = owner[key]; isFilled(inner) && draw(4) > 0; inner = owner[key]) {
    [owner, key] = [inner, pick(inner)];
  }
  const how = draw(8), old = owner[key];
  if (how < 6 || Array.isArray(owner)) owner[key] = STRANGE[draw(STRANGE.length)];
  else {
    delete owner[key];
    const name = draw(2) === 0 ? "__proto__" : `${key}x`;
    if (how === 7) Object.defineProperty(owner, name, { value: old, enumerable: true, configurable: true });
  }
  return copy;
}

function isFilled(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && Object.keys(value).length > 0;
}
