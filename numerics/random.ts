/** @file Counter-based random numbers: the same key gives the same numbers on every machine and in any order. */

/** Splittable random numbers. A `Random` is a key: it has no hidden position, so equal calls give equal numbers. */
export interface Random {
  /** An independent key, named: `random.fork("step 3")`. */
  fork(label: string): Random;
  /** `count` numbers in [low, high), rounded to f32: where that is coarse, high itself may come out. */
  uniform(count: number, low: number, high: number): Float32Array<ArrayBuffer>;
  /** `count` normal numbers with mean 0 and the given standard deviation. */
  normal(count: number, deviation: number): Float32Array<ArrayBuffer>;
  /** `count` integers in [0, limit), limit at most 2^32. */
  integers(count: number, limit: number): Uint32Array<ArrayBuffer>;
  /** The numbers 0 to count - 1 in random order (Fisher and Yates). */
  permutation(count: number): Uint32Array<ArrayBuffer>;
}

/** A source of random numbers for a seed. Source: Philox 2x32-10, Salmon et al., SC 2011. */
export function createRandom(seed: number): Random {
  if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff) {
    throw new RangeError(
      `Cannot seed random numbers with ${seed}: an integer from 0 to 4294967295 is needed`,
    );
  }
  return fromKey(mix(seed >>> 0, 0x9e3779b9));
}

// Loops and no `from()` with a function here, which takes several times as long: data sets are drawn by millions of numbers.
function fromKey(key: number): Random {
  return {
    fork(label) {
      let hash = key;
      for (let i = 0; i < label.length; i++) hash = mix(hash, label.charCodeAt(i));
      return fromKey(mix(hash, label.length));
    },
    uniform(count, low, high) {
      const bits = philox(count, key), out = new Float32Array(count);
      for (let i = 0; i < count; i++) out[i] = low + (high - low) * ((bits[i]! >>> 8) / 16777216);
      return out;
    },
    normal(count, deviation) {
      const bits = philox(2 * count, key), out = new Float32Array(count);
      // Box and Muller; the first uniform is in (0, 1], so that its logarithm is finite.
      for (let i = 0; i < count; i++) {
        out[i] = deviation * Math.sqrt(-2 * Math.log((bits[2 * i]! + 1) / 4294967296)) *
          Math.cos(2 * Math.PI * (bits[2 * i + 1]! / 4294967296));
      }
      return out;
    },
    integers(count, limit) {
      const bits = philox(count, key);
      for (let i = 0; i < count; i++) bits[i] = Math.floor(bits[i]! / 4294967296 * limit);
      return bits;
    },
    permutation(count) {
      const bits = philox(count, key), order = new Uint32Array(count);
      for (let i = 0; i < count; i++) order[i] = i;
      for (let i = count - 1; i > 0; i--) {
        const j = Math.floor(bits[i]! / 4294967296 * (i + 1)), last = order[i]!;
        order[i] = order[j]!;
        order[j] = last;
      }
      return order;
    },
  };
}

/** `count` words of Philox 2x32 with ten rounds: two for each value of the counter, from zero on. */
function philox(count: number, key: number): Uint32Array<ArrayBuffer> {
  const out = new Uint32Array(count);
  for (let i = 0; i < count; i += 2) {
    let left = i >>> 1, right = 0, round = key >>> 0;
    for (let turn = 0; turn < 10; turn++) {
      // The 64-bit product of `left` and a constant, in halves.
      const low = left & 0xffff, high = left >>> 16;
      const middle = high * MULTIPLIER_LOW + ((low * MULTIPLIER_LOW) >>> 16);
      const upper = low * MULTIPLIER_HIGH + (middle & 0xffff);
      const product = (high * MULTIPLIER_HIGH + Math.floor(middle / 65536) + Math.floor(upper / 65536)) >>> 0;
      const next = (product ^ round ^ right) >>> 0;
      right = Math.imul(left, MULTIPLIER) >>> 0;
      left = next;
      round = (round + 0x9e3779b9) >>> 0;
    }
    out[i] = left;
    if (i + 1 < count) out[i + 1] = right;
  }
  return out;
}

/** Philox's constant, whole and in halves. */
const MULTIPLIER = 0xd256d193, MULTIPLIER_LOW = MULTIPLIER & 0xffff, MULTIPLIER_HIGH = MULTIPLIER >>> 16;

/**
 * One step of a 32-bit hash: one-to-one in the state for each value, and in the value for each state.
 * Source: the block step and the finalizer of MurmurHash3.
 */
function mix(state: number, value: number): number {
  let block = Math.imul(value, 0xcc9e2d51);
  block = Math.imul((block << 15) | (block >>> 17), 0x1b873593);
  let hash = state ^ block;
  hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) >>> 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b) >>> 0;
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35) >>> 0;
  return (hash ^ (hash >>> 16)) >>> 0;
}
