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

function fromKey(key: number): Random {
  const words = (count: number): Uint32Array<ArrayBuffer> => {
    const out = new Uint32Array(count);
    for (let i = 0; i < count; i += 2) {
      const [first, second] = philox(i >>> 1, 0, key);
      out[i] = first;
      if (i + 1 < count) out[i + 1] = second;
    }
    return out;
  };
  return {
    fork(label) {
      let hash = key;
      for (let i = 0; i < label.length; i++) hash = mix(hash, label.charCodeAt(i));
      return fromKey(mix(hash, label.length));
    },
    uniform(count, low, high) {
      return Float32Array.from(words(count), (word) => low + (high - low) * ((word >>> 8) / 16777216));
    },
    normal(count, deviation) {
      const bits = words(2 * count);
      // Box and Muller; the first uniform is in (0, 1], so that its logarithm is finite.
      return Float32Array.from(
        { length: count },
        (_, i) =>
          deviation * Math.sqrt(-2 * Math.log((bits[2 * i]! + 1) / 4294967296)) *
          Math.cos(2 * Math.PI * (bits[2 * i + 1]! / 4294967296)),
      );
    },
    integers(count, limit) {
      return Uint32Array.from(words(count), (word) => Math.floor(word / 4294967296 * limit));
    },
    permutation(count) {
      const order = Uint32Array.from({ length: count }, (_, i) => i);
      const bits = words(count);
      for (let i = count - 1; i > 0; i--) {
        const j = Math.floor(bits[i]! / 4294967296 * (i + 1));
        [order[i], order[j]] = [order[j]!, order[i]!];
      }
      return order;
    },
  };
}

/** Philox 2x32 with ten rounds: two words for a counter and a key. */
function philox(low: number, high: number, key: number): [number, number] {
  let left = low >>> 0, right = high >>> 0, round = key >>> 0;
  for (let i = 0; i < 10; i++) {
    const product = wideProduct(left, 0xd256d193);
    left = (product.high ^ round ^ right) >>> 0;
    right = product.low;
    round = (round + 0x9e3779b9) >>> 0;
  }
  return [left, right];
}

/** The 64-bit product of two 32-bit numbers, in halves. */
function wideProduct(a: number, b: number): { high: number; low: number } {
  const aLow = a & 0xffff, aHigh = a >>> 16, bLow = b & 0xffff, bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const upper = aLow * bHigh + (middle & 0xffff);
  return {
    high: (aHigh * bHigh + Math.floor(middle / 65536) + Math.floor(upper / 65536)) >>> 0,
    low: Math.imul(a, b) >>> 0,
  };
}

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
