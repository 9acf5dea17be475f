/** @file Prompts of different lengths in one batch, and what is kept of reading them. */
import type { Var } from "../autodiff/tape.ts";
import type { Gpu } from "../gpu/gpu.ts";

/** Lengths are rounded up to multiples of this, so that few sizes of buffers occur. */
const LENGTH_STEP = 8;

/** Prompts of different lengths, one after the other, each padded on its right to the same length. */
export interface PaddedPrompts {
  /** `[prompts · padded]`. */
  readonly tokens: Int32Array<ArrayBuffer>;
  /** Tokens of each prompt with its padding. */
  readonly padded: number;
  /** Tokens of each prompt without. */
  readonly lengths: readonly number[];
}

/**
 * Pads prompts with `padding` to the same length, of at most `longest` tokens.
 *
 * @throws {RangeError} where a prompt is empty or too long
 */
export function padRight(
  prompts: readonly ArrayLike<number>[],
  longest: number,
  padding = 0,
): PaddedPrompts {
  const lengths = prompts.map(({ length }) => length);
  const wrong = lengths.findIndex((length) => length === 0 || length > longest);
  if (wrong >= 0) {
    throw new RangeError(
      `Cannot continue prompt ${wrong} of ${lengths[wrong]} tokens: 1 to ${longest} are needed`,
    );
  }
  const padded = Math.min(longest, Math.ceil(Math.max(...lengths) / LENGTH_STEP) * LENGTH_STEP);
  const tokens = new Int32Array(prompts.length * padded).fill(padding);
  prompts.forEach((prompt, row) => tokens.set(prompt, row * padded));
  return { tokens, padded, lengths };
}

/** What `compute` returns, in the caller's scope; all else that it allocates is freed. */
export function scoped(gpu: Gpu, label: string, compute: () => Var): Var {
  using scope = gpu.scope(label);
  const result = compute();
  scope.keep(result.value);
  return result;
}
