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
  /** Queries per sequence. */
  readonly length: number;
  /** Keys per sequence; as many as queries where absent. */
  readonly keys?: number;
  /** Query heads, a multiple of `keyValueHeads`. */
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headSize: number;
  /** Whether query i sees keys 0 to i + keys - length only. */
  readonly causal: boolean;
  /** Keys that a query sees at most, up to the causal limit. */
  readonly window?: number;
  /** Scaled scores s become cap tanh(s / cap), before the bias. */
  readonly softCap?: number;
  /** Factor of the scores before softmax, usually 1 / sqrt(headSize). */
  readonly scale: number;
  /** `[batch, keys]`, row by row: 0 for keys that nothing sees. */
  readonly mask?: ArrayLike<number>;
  /** Added to the scaled scores, `[heads * length, keys]`. */
  readonly bias?: Matrix;
}

/**
 * softmax(scale · q kᵀ + bias) v per head; zeros where a query sees no key. q is `[batch * length, heads * headSize]`, k
 * and v are `[batch * keys, keyValueHeads * headSize]`; query head h uses key-value head
 * floor(h / (heads / keyValueHeads)).
 */
export function attention(q: Matrix, k: Matrix, v: Matrix, options: AttentionOptions): Matrix {
  const out = zeros(q.rows, q.columns);
  eachQuery(q, k, options, ({ sequence, head, source, i, visible, weights }) => {
    const target = headOf(out, sequence * options.length + i, head, options.headSize);
    visible.forEach((j, at) => {
      const value = headOf(v, sequence * keysOf(options) + j, source, options.headSize);
      value.forEach((entry, d) => target[d]! += weights[at]! * entry);
    });
  });
  return out;
}

/** Gradients of `attention` given that of its output; that of the bias is zeros where there is none. */
export function attentionGradients(
  q: Matrix,
  k: Matrix,
  v: Matrix,
  gradient: Matrix,
  options: AttentionOptions,
): { readonly q: Matrix; readonly k: Matrix; readonly v: Matrix; readonly bias: Matrix } {
  const { length, heads, headSize, scale, softCap } = options, keys = keysOf(options);
  const [dq, dk, dv] = [q, k, v].map((x) => zeros(x.rows, x.columns)) as [Matrix, Matrix, Matrix];
  const bias = zeros(heads * length, keys);
  eachQuery(q, k, options, ({ sequence, head, source, i, visible, scores, weights }) => {
    const own = (m: Matrix) => headOf(m, sequence * length + i, head, headSize);
    const other = (m: Matrix, j: number) => headOf(m, sequence * keys + j, source, headSize);
    const upstream = own(gradient);
    const ofWeights = visible.map((j) => sum(other(v, j).map((entry, d) => entry * upstream[d]!)));
    const mean = ofWeights.reduce((total, entry, at) => total + weights[at]! * entry, 0);
    visible.forEach((j, at) => {
      const ofScore = weights[at]! * (ofWeights[at]! - mean);
      bias.data[(head * length + i) * keys + j]! += ofScore;
      const slope = softCap === undefined ? scale : scale * (1 - (scores[at]! / softCap) ** 2);
      for (let d = 0; d < headSize; d++) {
        other(dv, j)[d]! += weights[at]! * upstream[d]!;
        own(dq)[d]! += slope * ofScore * other(k, j)[d]!;
        other(dk, j)[d]! += slope * ofScore * own(q)[d]!;
      }
    });
  });
  return { q: dq, k: dk, v: dv, bias };
}

/** One head of one query: which keys it sees, and their weights. */
interface Query {
  readonly sequence: number;
  readonly head: number;
  /** The key-value head. */
  readonly source: number;
  readonly i: number;
  readonly visible: readonly number[];
  /** Before the bias. */
  readonly scores: readonly number[];
  readonly weights: ArrayLike<number>;
}

function eachQuery(q: Matrix, k: Matrix, options: AttentionOptions, visit: (query: Query) => void): void {
  const {
    batch,
    length,
    heads,
    keyValueHeads,
    headSize,
    causal,
    window = Infinity,
    scale,
    softCap,
    mask,
    bias,
  } = options;
  const keys = keysOf(options);
  for (let sequence = 0; sequence < batch; sequence++) {
    for (let head = 0; head < heads; head++) {
      const source = Math.floor(head / (heads / keyValueHeads));
      for (let i = 0; i < length; i++) {
        const query = headOf(q, sequence * length + i, head, headSize);
        const visible = Array.from({ length: keys }, (_, j) => j).filter((j) =>
          (!causal || j <= i + keys - length) && j > i + keys - length - window &&
          (!mask || mask[sequence * keys + j] !== 0)
        );
        const scores = visible.map((j) => {
          const key = headOf(k, sequence * keys + j, source, headSize);
          const product = sum(key.map((value, d) => value * query[d]!));
          return softCap === undefined ? scale * product : softCap * Math.tanh(scale * product / softCap);
        });
        const biased = scores.map((score, at) =>
          score + (bias ? bias.data[(head * length + i) * keys + visible[at]!]! : 0)
        );
        visit({
          sequence,
          head,
          source,
          i,
          visible,
          scores,
          weights: softmax(matrix(1, visible.length, biased)).data,
        });
      }
    }
  }
}

function keysOf({ length, keys = length }: AttentionOptions): number {
  return keys;
}

/** A view of one head of a row. */
function headOf(m: Matrix, row: number, head: number, size: number): Float64Array {
  const start = row * m.columns + head * size;
  return m.data.subarray(start, start + size);
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
  /** Position of the first row of each sequence; 0 where absent. */
  readonly first?: number;
  /** Turns back: also what turns a gradient. */
  readonly inverse?: boolean;
}

/**
 * Rotates entry i of each head with entry i + headSize / 2 by position * theta^(-2i / headSize), as Hugging Face's
 * Llama does. x is `[batch * length, heads * headSize]`; positions count from `first` in each sequence.
 */
export function rotary(x: Matrix, options: RotaryOptions): Matrix {
  const { batch, length, heads, headSize, first: earliest = 0, inverse = false } = options;
  const half = headSize / 2;
  const frequencies = rotaryFrequencies(options);
  const out = zeros(x.rows, x.columns);
  for (let row = 0; row < batch * length; row++) {
    const position = earliest + row % length;
    for (let head = 0; head < heads; head++) {
      const start = row * x.columns + head * headSize;
      for (let i = 0; i < half; i++) {
        const angle = (inverse ? -1 : 1) * position * frequencies[i]!;
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

/** geluTanh(gate) * up, entry by entry. */
export function geglu(gate: Matrix, up: Matrix): Matrix {
  return zip(geluTanh(gate), up, (a, b) => a * b);
}

/** max(x, 0). */
export function relu(x: Matrix): Matrix {
  return map(x, (value) => Math.max(value, 0));
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

/** cap tanh(x / cap), elementwise. */
export function softCap(x: Matrix, cap: number): Matrix {
  return map(x, (value) => cap * Math.tanh(value / cap));
}

/** out[h * queries + q, k] = values[k - q + queries - 1, h]: a bias of attention by distance. */
export function relativeBias(values: Matrix, queries: number, keys: number): Matrix {
  const heads = values.columns, out = zeros(heads * queries, keys);
  for (let h = 0; h < heads; h++) {
    for (let q = 0; q < queries; q++) {
      for (let k = 0; k < keys; k++) {
        out.data[(h * queries + q) * keys + k] = values.data[(k - q + queries - 1) * heads + h]!;
      }
    }
  }
  return out;
}

/**
 * Sums of rows: out[r] is the sum over j in [offsets[r], offsets[r + 1]) of x[sources[j]].
 * `offsets` has one entry more than the output has rows; an empty range gives zeros.
 */
export function gatherRows(x: Matrix, offsets: ArrayLike<number>, sources: ArrayLike<number>): Matrix {
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
