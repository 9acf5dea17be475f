/**
 * @file NF4 with double quantization: numbers in 4 bits each, with their largest sizes in 8 bits a block.
 *
 * Source: Dettmers et al., QLoRA, arXiv 2305.14314, section 3 and appendix E, and the dynamic data type of Dettmers et al.,
 * arXiv 2110.02861, section 2.2; code books and packing are bitsandbytes'.
 */

/** Neighbouring numbers that share a largest size. */
export const NF4_BLOCK = 64;
/** Neighbouring blocks whose largest sizes share one of their own. */
export const NF4_OUTER_BLOCK = 256;

/** The values of the sixteen codes: quantiles of a normal distribution, scaled to [−1, 1], with an exact zero. */
export const NF4_VALUES: Float32Array<ArrayBuffer> = Float32Array.of(
  ...[-1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453],
  ...[-0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0],
  ...[0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224],
  ...[0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1],
);

/** The values of the 256 codes of a block's largest size: seven decades, the upper ones finer, both signs, 0 and 1. */
export const DYNAMIC_VALUES: Float32Array<ArrayBuffer> = dynamicValues();

/** Where the parts of quantized numbers lie, in words of 32 bits from their first one. */
export interface Nf4Layout {
  /** The sixteen values, as floats. */
  readonly values: number;
  /** The 256 values of sizes, as floats. */
  readonly sizeValues: number;
  /** The mean of the sizes, a float. */
  readonly mean: number;
  /** Codes, eight to a word: of two in a byte the first is the upper one. */
  readonly codes: number;
  /** Codes of the blocks' sizes, four to a word. */
  readonly sizes: number;
  /** Factors of the sizes, a float for each outer block. */
  readonly factors: number;
  /** Words in all. */
  readonly words: number;
}

/** The layout of `count` numbers. What has a fixed place comes first. */
export function nf4Layout(count: number): Nf4Layout {
  const blocks = Math.ceil(count / NF4_BLOCK);
  const codes = NF4_VALUES.length + DYNAMIC_VALUES.length + 1;
  const sizes = codes + Math.ceil(count / 8), factors = sizes + Math.ceil(blocks / 4);
  return {
    ...{ values: 0, sizeValues: NF4_VALUES.length, mean: codes - 1, codes, sizes, factors },
    words: factors + Math.ceil(blocks / NF4_OUTER_BLOCK),
  };
}

/**
 * The numbers in NF4, in the words of `nf4Layout`: each block of 64 by its largest size, rounded to the nearest of sixteen
 * values; the sizes, less their mean, likewise to the nearest of 256 in blocks of 256.
 */
export function toNf4(data: Float32Array): Uint32Array<ArrayBuffer> {
  const layout = nf4Layout(data.length), words = new Uint32Array(layout.words);
  const floats = new Float32Array(words.buffer), bytes = new Uint8Array(words.buffer);
  floats.set(NF4_VALUES, layout.values);
  floats.set(DYNAMIC_VALUES, layout.sizeValues);
  const sizes = new Float32Array(Math.ceil(data.length / NF4_BLOCK));
  for (let block = 0; block < sizes.length; block++) {
    const first = block * NF4_BLOCK, end = Math.min(first + NF4_BLOCK, data.length);
    sizes[block] = largest(data, first, end);
    const inverse = inverseOf(sizes[block]!);
    for (let i = first; i < end; i++) {
      const code = nearest(NF4_BOUNDS, Math.fround(data[i]! * inverse));
      bytes[4 * layout.codes + (i >> 1)]! |= i % 2 === 0 ? code << 4 : code;
    }
    // A number behind the last one is 0, as those of whole blocks may be.
    if (end % 2 === 1) bytes[4 * layout.codes + (end >> 1)]! |= NF4_VALUES.indexOf(0);
  }
  floats[layout.mean] = sizes.reduce((sum, size) => sum + size, 0) / sizes.length;
  const apart = sizes.map((size) => size - floats[layout.mean]!);
  for (let first = 0, outer = 0; first < apart.length; first += NF4_OUTER_BLOCK, outer++) {
    const end = Math.min(first + NF4_OUTER_BLOCK, apart.length);
    const factor = floats[layout.factors + outer] = largest(apart, first, end), inverse = inverseOf(factor);
    for (let block = first; block < end; block++) {
      bytes[4 * layout.sizes + block] = nearest(DYNAMIC_BOUNDS, Math.fround(apart[block]! * inverse));
    }
  }
  return words;
}

/** What `toNf4` kept of `count` numbers, in float64: value · (value of the size · factor + mean). */
export function fromNf4(words: Uint32Array<ArrayBuffer>, count: number): Float64Array {
  const layout = nf4Layout(count);
  const floats = new Float32Array(words.buffer, words.byteOffset, words.length);
  const bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
  return Float64Array.from({ length: count }, (_, i) => {
    const block = Math.floor(i / NF4_BLOCK), pair = bytes[4 * layout.codes + (i >> 1)]!;
    const size = floats[layout.sizeValues + bytes[4 * layout.sizes + block]!]! *
        floats[layout.factors + Math.floor(block / NF4_OUTER_BLOCK)]! + floats[layout.mean]!;
    return floats[layout.values + (i % 2 === 0 ? pair >> 4 : pair & 15)]! * size;
  });
}

function largest(data: Float32Array, first: number, end: number): number {
  let most = 0;
  for (let i = first; i < end; i++) most = Math.max(most, Math.abs(data[i]!));
  return most;
}

/** 1 / size; 0 for a block of zeros, and where the inverse is no 32-bit float. */
function inverseOf(size: number): number {
  const inverse = Math.fround(1 / size);
  return Number.isFinite(inverse) ? inverse : 0;
}

const NF4_BOUNDS = boundsOf(NF4_VALUES), DYNAMIC_BOUNDS = boundsOf(DYNAMIC_VALUES);

/** Where one code ends and the next begins: half way between their values. */
function boundsOf(values: Float32Array): Float32Array {
  return values.subarray(1).map((value, i) => (value + values[i]!) / 2);
}

/** How many of the ascending bounds lie below x. */
function nearest(bounds: Float32Array, x: number): number {
  let low = 0, high = bounds.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (x > bounds[middle]!) low = middle + 1;
    else high = middle;
  }
  return low;
}

function dynamicValues(): Float32Array<ArrayBuffer> {
  const positive = Array.from({ length: 7 }, (_, decade) => {
    const count = 2 ** decade,
      at = linspace(Math.fround(0.1), 1, count + 1),
      scale = Math.fround(10 ** (decade - 6));
    return Array.from(
      { length: count },
      (_, i) => Math.fround(scale * Math.fround(Math.fround(at[i]! + at[i + 1]!) / 2)),
    );
  }).flat();
  return Float32Array.from([...positive, ...positive.map((value) => -value), 0, 1]).sort();
}

/** Evenly spaced 32-bit floats, counted from the nearer end and rounded once, as PyTorch does. */
function linspace(from: number, to: number, count: number): Float32Array {
  const step = Math.fround(Math.fround(to - from) / (count - 1));
  return Float32Array.from(
    { length: count },
    (_, i) => i < count / 2 ? from + step * i : to - step * (count - 1 - i),
  );
}
