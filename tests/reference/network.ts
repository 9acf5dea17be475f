/** @file Float64 references of everything that a network computes, and of AdamW: written to be read, not to be fast. */
import { erf } from "mathjs";
import { map, type Matrix, matrix, multiply, norm, zeros, zip } from "./matrix.ts";

/** y = x Wᵀ. x is `[rows, in]`, the weight `[out, in]`. */
export function linear(x: Matrix, weight: Matrix): Matrix {
  return multiply(x, weight, { transposeB: true });
}

/** Adds a bias of length `columns` to each row. */
export function addBias(x: Matrix, bias: ArrayLike<number>): Matrix {
  return mapRows(x, (row) => row.map((value, j) => value + bias[j]!));
}

/** x / sqrt(mean(x^2) + epsilon) * weight, row by row. */
export function rmsNorm(x: Matrix, weight: ArrayLike<number>, epsilon: number): Matrix {
  return mapRows(x, (row) => {
    const size = Math.sqrt(mean(row.map((value) => value ** 2)) + epsilon);
    return row.map((value, j) => value / size * weight[j]!);
  });
}

/** (x - mean) / sqrt(variance + epsilon) * weight + bias, row by row; the variance divides by the row's length. */
export function layerNorm(
  x: Matrix,
  weight: ArrayLike<number>,
  bias: ArrayLike<number>,
  epsilon: number,
): Matrix {
  return mapRows(x, (row) => {
    const center = mean(row);
    const size = Math.sqrt(mean(row.map((value) => (value - center) ** 2)) + epsilon);
    return row.map((value, j) => (value - center) / size * weight[j]! + bias[j]!);
  });
}

/** exp(x) / sum of exp(x), row by row. */
export function softmax(x: Matrix): Matrix {
  return mapRows(x, (row) => {
    const largest = row.reduce((a, b) => Math.max(a, b), -Infinity);
    const powers = row.map((value) => Math.exp(value - largest));
    const total = sum(powers);
    return powers.map((power) => power / total);
  });
}

/** How attention reads its rows. */
export interface AttentionOptions {
  readonly batch: number;
  /** Positions per sequence. */
  readonly length: number;
  /** Query heads, a multiple of `keyValueHeads`. */
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headSize: number;
  /** Whether position i sees positions 0 to i only. */
  readonly causal: boolean;
  /** Factor of the scores before softmax, usually 1 / sqrt(headSize). */
  readonly scale: number;
}

/**
 * softmax(scale · q kᵀ) v per head. q is `[batch * length, heads * headSize]`, k and v are
 * `[batch * length, keyValueHeads * headSize]`; query head h uses key-value head floor(h / (heads / keyValueHeads)).
 */
export function attention(q: Matrix, k: Matrix, v: Matrix, options: AttentionOptions): Matrix {
  const { batch, length, heads, keyValueHeads, headSize, causal, scale } = options;
  const group = heads / keyValueHeads;
  const out = zeros(q.rows, q.columns);
  for (let sequence = 0; sequence < batch; sequence++) {
    for (let head = 0; head < heads; head++) {
      const source = Math.floor(head / group);
      const vector = (m: Matrix, position: number, at: number) => {
        const start = (sequence * length + position) * m.columns + at * headSize;
        return m.data.subarray(start, start + headSize);
      };
      for (let i = 0; i < length; i++) {
        const visible = causal ? i + 1 : length;
        const query = vector(q, i, head);
        const scores = Float64Array.from(
          { length: visible },
          (_, j) => scale * sum(vector(k, j, source).map((value, d) => value * query[d]!)),
        );
        const weights = softmax(matrix(1, visible, scores)).data;
        const target = vector(out, i, head);
        for (let j = 0; j < visible; j++) {
          vector(v, j, source).forEach((value, d) => target[d]! += weights[j]! * value);
        }
      }
    }
  }
  return out;
}

/** Frequency scaling of Llama 3.1 and later, "rope_scaling" with type "llama3". */
export interface Llama3Rotary {
  readonly factor: number;
  readonly lowFrequencyFactor: number;
  readonly highFrequencyFactor: number;
  /** Positions that the model was first trained with. */
  readonly originalLength: number;
}

/** How rotary embedding reads its rows. */
export interface RotaryOptions {
  readonly batch: number;
  readonly length: number;
  readonly heads: number;
  /** Even. */
  readonly headSize: number;
  /** Base of the frequencies, e.g. 10000. */
  readonly theta: number;
  readonly llama3?: Llama3Rotary;
}

/**
 * Rotates entry i of each head with entry i + headSize / 2 by position * theta^(-2i / headSize), as Hugging Face's
 * Llama does. x is `[batch * length, heads * headSize]`; positions are 0 to length - 1 in each sequence.
 */
export function rotary(x: Matrix, options: RotaryOptions): Matrix {
  const { batch, length, heads, headSize } = options;
  const half = headSize / 2;
  const frequencies = rotaryFrequencies(options);
  const out = zeros(x.rows, x.columns);
  for (let row = 0; row < batch * length; row++) {
    const position = row % length;
    for (let head = 0; head < heads; head++) {
      const start = row * x.columns + head * headSize;
      for (let i = 0; i < half; i++) {
        const angle = position * frequencies[i]!;
        const first = x.data[start + i]!, second = x.data[start + i + half]!;
        out.data[start + i] = first * Math.cos(angle) - second * Math.sin(angle);
        out.data[start + i + half] = second * Math.cos(angle) + first * Math.sin(angle);
      }
    }
  }
  return out;
}

/** The headSize / 2 angles per position that `rotary` uses. */
export function rotaryFrequencies(options: Pick<RotaryOptions, "headSize" | "theta" | "llama3">): number[] {
  const { headSize, theta, llama3 } = options;
  return Array.from({ length: headSize / 2 }, (_, i) => {
    const frequency = theta ** (-2 * i / headSize);
    if (llama3 === undefined) return frequency;
    const turns = llama3.originalLength * frequency / (2 * Math.PI);
    const { lowFrequencyFactor: low, highFrequencyFactor: high, factor } = llama3;
    const share = Math.min(1, Math.max(0, (turns - low) / (high - low)));
    return share * frequency + (1 - share) * frequency / factor;
  });
}

/** x * sigmoid(x). */
export function silu(x: Matrix): Matrix {
  return map(x, (value) => value * sigmoid(value));
}

/** silu(gate) * up, entry by entry. */
export function swiglu(gate: Matrix, up: Matrix): Matrix {
  return zip(silu(gate), up, (a, b) => a * b);
}

/** x * Φ(x), with the exact normal distribution function. */
export function gelu(x: Matrix): Matrix {
  return map(x, (value) => 0.5 * value * (1 + erf(value * Math.SQRT1_2)));
}

/** The tanh approximation of GELU. */
export function geluTanh(x: Matrix): Matrix {
  return map(x, (value) => {
    const inner = Math.sqrt(2 / Math.PI) * (value + 0.044715 * value ** 3);
    return 0.5 * value * (1 + Math.tanh(inner));
  });
}

/** x * sigmoid(1.702 x), CLIP's approximation of GELU. */
export function quickGelu(x: Matrix): Matrix {
  return map(x, (value) => value * sigmoid(1.702 * value));
}

/**
 * Sums of rows: out[r] is the sum over j in [offsets[r], offsets[r + 1]) of x[sources[j]].
 * `offsets` has one entry more than the output has rows; an empty range gives zeros.
 */
export function sparseRows(x: Matrix, offsets: ArrayLike<number>, sources: ArrayLike<number>): Matrix {
  const out = zeros(offsets.length - 1, x.columns);
  for (let row = 0; row < out.rows; row++) {
    for (let j = offsets[row]!; j < offsets[row + 1]!; j++) {
      for (let column = 0; column < x.columns; column++) {
        out.data[row * x.columns + column]! += x.data[sources[j]! * x.columns + column]!;
      }
    }
  }
  return out;
}

/**
 * Sum over rows of -log softmax(logits)[target], divided by `count`; rows whose target is `ignore` count 0.
 * With `count` the number of other rows it is PyTorch's mean.
 */
export function crossEntropy(
  logits: Matrix,
  targets: ArrayLike<number>,
  count: number,
  ignore = -100,
): number {
  let total = 0;
  for (let row = 0; row < logits.rows; row++) {
    const target = targets[row]!;
    if (target === ignore) continue;
    const values = logits.data.subarray(row * logits.columns, (row + 1) * logits.columns);
    const largest = values.reduce((a, b) => Math.max(a, b), -Infinity);
    const logarithm = largest + Math.log(sum(values.map((value) => Math.exp(value - largest))));
    total += logarithm - values[target]!;
  }
  return total / count;
}

/** Gradient of `crossEntropy` with respect to the logits: (softmax - one hot) / count, 0 where ignored. */
export function crossEntropyGradient(
  logits: Matrix,
  targets: ArrayLike<number>,
  count: number,
  ignore = -100,
): Matrix {
  const out = softmax(logits);
  for (let row = 0; row < out.rows; row++) {
    const target = targets[row]!;
    for (let column = 0; column < out.columns; column++) {
      const index = row * out.columns + column;
      out.data[index] = target === ignore ? 0 : (out.data[index]! - (column === target ? 1 : 0)) / count;
    }
  }
  return out;
}

/** Settings of Adam's direction, PyTorch's defaults where absent. */
export interface AdamOptions {
  /** Decay of the first moment, 0.9 by default. */
  readonly beta1?: number;
  /** Decay of the second moment, 0.999 by default. */
  readonly beta2?: number;
  /** Added to the root of the second moment after bias correction, 1e-8 by default. */
  readonly epsilon?: number;
}

/** What Adam keeps between steps. */
export interface AdamMoments {
  readonly first: Matrix;
  readonly second: Matrix;
  /** Steps taken so far. */
  readonly step: number;
}

/**
 * Adam's direction, to be subtracted: M / (1 - beta1^t) / (sqrt(V / (1 - beta2^t)) + epsilon), t = 1 at first.
 * Pass the moments that the previous call returned, undefined before the first.
 */
export function adamDirection(
  gradient: Matrix,
  moments: AdamMoments | undefined,
  options: AdamOptions = {},
): { readonly direction: Matrix; readonly moments: AdamMoments } {
  const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 } = options;
  const zero = zeros(gradient.rows, gradient.columns);
  const step = (moments?.step ?? 0) + 1;
  const first = zip(moments?.first ?? zero, gradient, (m, g) => beta1 * m + (1 - beta1) * g);
  const second = zip(moments?.second ?? zero, gradient, (v, g) => beta2 * v + (1 - beta2) * g ** 2);
  const direction = zip(
    first,
    second,
    (m, v) => m / (1 - beta1 ** step) / (Math.sqrt(v / (1 - beta2 ** step)) + epsilon),
  );
  return { direction, moments: { first, second, step } };
}

/** Settings of one AdamW step. */
export interface AdamwOptions extends AdamOptions {
  readonly learningRate: number;
  /** Decoupled: the parameter is first multiplied by 1 - learningRate * weightDecay. 0 by default. */
  readonly weightDecay?: number;
}

/** One step of AdamW (Loshchilov and Hutter, 2019) as PyTorch takes it. */
export function adamwStep(
  parameter: Matrix,
  gradient: Matrix,
  moments: AdamMoments | undefined,
  options: AdamwOptions,
): { readonly parameter: Matrix; readonly moments: AdamMoments } {
  const { learningRate, weightDecay = 0 } = options;
  const next = adamDirection(gradient, moments, options);
  const kept = 1 - learningRate * weightDecay;
  return {
    parameter: zip(parameter, next.direction, (p, d) => kept * p - learningRate * d),
    moments: next.moments,
  };
}

/** The norm of all gradients taken as one vector. */
export function globalNorm(gradients: readonly Matrix[]): number {
  return Math.sqrt(gradients.reduce((total, gradient) => total + norm(gradient) ** 2, 0));
}

/**
 * All gradients times min(1, limit / global norm), and that norm before clipping.
 * PyTorch divides by the norm + 1e-6 instead, so the two differ by about 1e-6 / norm.
 */
export function clipByGlobalNorm(
  gradients: readonly Matrix[],
  limit: number,
): { readonly gradients: readonly Matrix[]; readonly norm: number } {
  const size = globalNorm(gradients);
  const factor = size > limit ? limit / size : 1;
  return { gradients: gradients.map((gradient) => map(gradient, (value) => factor * value)), norm: size };
}

function mapRows(x: Matrix, f: (row: Float64Array) => Float64Array): Matrix {
  const out = zeros(x.rows, x.columns);
  for (let row = 0; row < x.rows; row++) {
    out.data.set(f(x.data.slice(row * x.columns, (row + 1) * x.columns)), row * x.columns);
  }
  return out;
}

function sum(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0);
}

function mean(values: Float64Array): number {
  return sum(values) / values.length;
}

function sigmoid(value: number): number {
  return 1 / (1 + Math.exp(-value));
}
