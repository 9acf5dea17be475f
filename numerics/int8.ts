/** @file Numbers in 8 bits each, with their largest size a block: absmax quantization. */

/** Neighbouring numbers that share a largest size. */
export const INT8_BLOCK = 64;

/** Where the parts of quantized numbers lie, in words of 32 bits from their first one. */
export interface Int8Layout {
  /** Codes from −127 to 127, four to a word, the first in the lowest byte. */
  readonly codes: number;
  /** What a code of 1 is worth, a float for each block. */
  readonly factors: number;
  /** Words in all. */
  readonly words: number;
}

/** The layout of `count` numbers. */
export function int8Layout(count: number): Int8Layout {
  const factors = Math.ceil(count / 4);
  return { codes: 0, factors, words: factors + Math.ceil(count / INT8_BLOCK) };
}

/**
 * The numbers in 8 bits, in the words of `int8Layout`: each block of 64 over a 127th of its largest size, rounded to the
 * nearest whole number, halves away from 0. An error is at most half of that 127th.
 */
export function toInt8(data: Float32Array): Uint32Array<ArrayBuffer> {
  const layout = int8Layout(data.length), words = new Uint32Array(layout.words);
  const factors = new Float32Array(words.buffer, 4 * layout.factors), codes = new Int8Array(words.buffer);
  for (let block = 0, first = 0; first < data.length; block++, first += INT8_BLOCK) {
    const end = Math.min(first + INT8_BLOCK, data.length);
    let most = 0;
    for (let i = first; i < end; i++) most = Math.max(most, Math.abs(data[i]!));
    const factor = factors[block] = most / 127;
    for (let i = first; i < end; i++) {
      const code = factors[block]! > 0 ? Math.round(Math.abs(data[i]!) / factor) : 0;
      codes[i] = Math.sign(data[i]!) * Math.min(127, code);
    }
  }
  return words;
}

/** What `toInt8` kept of `count` numbers, in float64: code · factor. */
export function fromInt8(words: Uint32Array<ArrayBuffer>, count: number): Float64Array {
  const layout = int8Layout(count);
  const codes = new Int8Array(words.buffer, words.byteOffset, count);
  const factors = new Float32Array(words.buffer, words.byteOffset + 4 * layout.factors);
  return Float64Array.from(codes, (code, i) => code * factors[Math.floor(i / INT8_BLOCK)]!);
}
