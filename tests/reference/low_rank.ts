/**
 * @file LoRA-Pro and plain LoRA in float64, for W = W0 + scale · B A with A `[rank, in]` and B `[out, rank]`.
 *
 * Source: Wang, Liang, He, Wang, Tan: "LoRA-Pro: Are Low-Rank Adapters Properly Optimized?", ICLR 2025,
 * arXiv 2407.18242. Theorem and algorithm numbers are the paper's.
 */
import { inverse, kronecker, pseudoInverse, solveSylvester, symmetricEigen } from "./decompositions.ts";
import {
  add,
  identity,
  type Matrix,
  matrix,
  multiply,
  norm,
  product,
  scale as scaled,
  subtract,
  transpose,
  zip,
} from "./matrix.ts";
import { adamDirection, type AdamMoments, type AdamwOptions, adamwStep } from "./network.ts";

/**
 * An eigenvalue of a Gram matrix, after damping, of at most this share of the largest counts as zero. Without damping
 * that is a singular value of the factor of 1e-6 of the largest; exact deficiencies show up as 1e-16 here.
 */
export const RANK_TOLERANCE = 1e-12;

/** A target module's factors. */
export interface Factors {
  /** `[rank, in]` */
  readonly a: Matrix;
  /** `[out, rank]` */
  readonly b: Matrix;
  /** s in W = W0 + s B A. */
  readonly scale: number;
}

/** Gradients for the factors, or what a method puts in their place. */
export interface FactorGradients {
  /** `[rank, in]` */
  readonly gradientA: Matrix;
  /** `[out, rank]` */
  readonly gradientB: Matrix;
}

/** The choice of X in Theorem 2.1: 0, Theorem 2.3's, or the one that shares the overlap equally. */
export type Gauge = "zero" | "sylvester" | "symmetric";

/** What is added to the diagonal of a Gram matrix: a share of its mean diagonal entry, or a number. */
export type Damping = { readonly relative: number } | { readonly absolute: number };

/** How the closed form is taken. */
export interface ClosedFormOptions {
  readonly gauge: Gauge;
  readonly damping: Damping;
  /** Share of the largest eigenvalue below which one counts as zero, `RANK_TOLERANCE` by default. */
  readonly rankTolerance?: number;
}

/** The raw gradients of the factors, s Bᵀ g and s g Aᵀ, for dL/dW = g. */
export function factorGradients(gradient: Matrix, { a, b, scale }: Factors): FactorGradients {
  return {
    gradientA: scaled(multiply(b, gradient, { transposeA: true }), scale),
    gradientB: scaled(multiply(gradient, a, { transposeB: true }), scale),
  };
}

/** How W moves to first order, per unit of step, if the factors follow these gradients: s B gA + s gB A. */
export function equivalentGradient({ a, b, scale, gradientA, gradientB }: Factors & FactorGradients): Matrix {
  return scaled(add(multiply(b, gradientA), multiply(gradientB, a)), scale);
}

/** s B A. */
export function weightChange({ a, b, scale }: Factors): Matrix {
  return scaled(multiply(b, a), scale);
}

/** P_B, the orthogonal projector on B's columns, `[out, out]`, by SVD; rank as `RANK_TOLERANCE` has it. */
export function columnProjector(b: Matrix): Matrix {
  return multiply(b, pseudoInverse(b, Math.sqrt(RANK_TOLERANCE)));
}

/** P_A, the orthogonal projector on A's rows, `[in, in]`. */
export function rowProjector(a: Matrix): Matrix {
  return columnProjector(transpose(a));
}

/**
 * The best equivalent gradient: P_B g + (I - P_B) g P_A, the projection of g on {B M + N A}.
 * Depends on A's rows and B's columns only through the spaces that they span.
 */
export function projectGradient(gradient: Matrix, a: Matrix, b: Matrix): Matrix {
  const onB = multiply(columnProjector(b), gradient);
  return add(onB, multiply(subtract(gradient, onB), rowProjector(a)));
}

/** The smallest |equivalent gradient - g| that any choice of factor gradients reaches: |(I - P_B) g (I - P_A)|. */
export function lowerBound(gradient: Matrix, a: Matrix, b: Matrix): number {
  const offB = subtract(gradient, multiply(columnProjector(b), gradient));
  return norm(subtract(offB, multiply(offB, rowProjector(a))));
}

/** |equivalent - g| / |g|, in Frobenius norms. */
export function discrepancy(equivalent: Matrix, gradient: Matrix): number {
  return norm(subtract(equivalent, gradient)) / norm(gradient);
}

/**
 * Theorem 2.1: the factor gradients whose equivalent gradient comes closest to dL/dW, from the raw ones alone.
 *
 *   gA = (1/s²) (BᵀB)⁻¹ gA0 + X A,   gB = (1/s²) (I - P_B) gB0 (A Aᵀ)⁻¹ - B X,   P_B = B (BᵀB)⁻¹ Bᵀ
 *
 * Every BᵀB and A Aᵀ is damped, G + delta I, wherever it stands: in P_B, in X and in both coefficients of the
 * Sylvester equation. Where a damped Gram matrix is still singular (delta is 0, or A is all zeros) inverses are
 * pseudo-inverses, see `invertGram`; without damping and with gauge "sylvester" the result is then the least-squares
 * solution of minimum norm, whatever the ranks. Where B is all zeros, by value, gA is the raw gA0 (which is 0), gB is
 * (1/s²) gB0 (A Aᵀ)⁻¹ and X is 0.
 */
export function closedForm(
  input: Factors & FactorGradients & ClosedFormOptions,
): FactorGradients & { readonly x: Matrix } {
  const { a, b, scale, gradientA, gradientB, damping, rankTolerance = RANK_TOLERANCE } = input;
  const gramA = dampen(multiply(a, a, { transposeB: true }), damping);
  const inverseA = invertGram(gramA, rankTolerance);
  const share = 1 / scale ** 2;
  const onRows = scaled(multiply(gradientB, inverseA), share);
  if (b.data.every((value) => value === 0)) {
    return { gradientA, gradientB: onRows, x: scaled(inverseA, 0) };
  }
  const gramB = dampen(multiply(b, b, { transposeA: true }), damping);
  const inverseB = invertGram(gramB, rankTolerance);
  const onColumns = scaled(multiply(inverseB, gradientA), share);
  const overlap = product(b, inverseB, multiply(b, onRows, { transposeA: true }));
  const x = gaugeMatrix(input.gauge, { a, gramA, inverseA, gramB, onColumns, rankTolerance });
  return {
    gradientA: add(onColumns, multiply(x, a)),
    gradientB: subtract(subtract(onRows, overlap), multiply(b, x)),
    x,
  };
}

/** The gauge's X, given (1/s²) (BᵀB)⁻¹ gA0 as `onColumns`. */
function gaugeMatrix(
  gauge: Gauge,
  { a, gramA, inverseA, gramB, onColumns, rankTolerance }: {
    readonly a: Matrix;
    readonly gramA: Matrix;
    readonly inverseA: Matrix;
    readonly gramB: Matrix;
    readonly onColumns: Matrix;
    readonly rankTolerance: number;
  },
): Matrix {
  const right = scaled(multiply(onColumns, a, { transposeB: true }), -1);
  switch (gauge) {
    case "zero":
      return scaled(right, 0);
    case "symmetric":
      return scaled(multiply(right, inverseA), 0.5);
    case "sylvester":
      return solveSylvester(gramB, gramA, right, rankTolerance);
  }
}

/** G + delta I. */
export function dampen(gram: Matrix, damping: Damping): Matrix {
  const trace = Array.from({ length: gram.rows }, (_, i) => gram.data[i * gram.rows + i]!).reduce(
    (x, y) => x + y,
    0,
  );
  const delta = "absolute" in damping ? damping.absolute : damping.relative * trace / gram.rows;
  return add(gram, identity(gram.rows), delta);
}

/**
 * The inverse of a Gram matrix by mathjs, or, where an eigenvalue is at most `rankTolerance` times the largest, its
 * pseudo-inverse, in which such eigenvalues count as zero. Zeros give zeros. So a rank-deficient factor acts only
 * within the space that it spans, and everything stays finite.
 */
export function invertGram(gram: Matrix, rankTolerance = RANK_TOLERANCE): Matrix {
  const { values, vectors } = symmetricEigen(gram);
  const largest = values[values.length - 1]!;
  if (values[0]! > rankTolerance * largest) return inverse(gram);
  const inverted = values.map((value) => value > rankTolerance * largest ? 1 / value : 0);
  const stretched = matrix(gram.rows, gram.rows, vectors.data.map((v, i) => v * inverted[i % gram.rows]!));
  return multiply(stretched, vectors, { transposeB: true });
}

/**
 * An independent oracle: the factor gradients of minimum norm among those that minimise |s B gA + s gB A - g|, from
 * the SVD of the whole `[out * in, rank * (in + out)]` system. For small sizes: it takes seconds beyond 300 unknowns.
 */
export function minimumNorm(gradient: Matrix, { a, b, scale }: Factors): FactorGradients {
  const rank = a.rows, columns = a.columns, rows = b.rows;
  const left = kronecker(b, identity(columns)), right = kronecker(identity(rows), transpose(a));
  const system = scaled(sideBySide(left, right), scale);
  const solution = multiply(pseudoInverse(system, 1e-11), matrix(rows * columns, 1, gradient.data)).data;
  return {
    gradientA: matrix(rank, columns, solution.subarray(0, rank * columns)),
    gradientB: matrix(rows, rank, solution.subarray(rank * columns)),
  };
}

function sideBySide(left: Matrix, right: Matrix): Matrix {
  const columns = left.columns + right.columns;
  const out = new Float64Array(left.rows * columns);
  for (let i = 0; i < left.rows; i++) {
    out.set(left.data.subarray(i * left.columns, (i + 1) * left.columns), i * columns);
    out.set(right.data.subarray(i * right.columns, (i + 1) * right.columns), i * columns + left.columns);
  }
  return matrix(left.rows, columns, out);
}

/** Factors and what AdamW keeps for them between steps. Starts as `{ a, b, scale }`. */
export interface LowRankState extends Factors {
  /** Moments of A's gradient: plain LoRA and LoRA-Pro "efficient". */
  readonly momentsA?: AdamMoments;
  /** Moments of B's gradient. */
  readonly momentsB?: AdamMoments;
  /** Moments of the equivalent gradient, `[out, in]`: LoRA-Pro "full". */
  readonly momentsW?: AdamMoments;
}

/** Settings of one step of plain LoRA. */
export interface LoraStepOptions extends AdamwOptions {
  /** B's learning rate as a multiple of A's: LoRA+. 1 by default. */
  readonly learningRateRatio?: number;
}

/** One step of LoRA: AdamW on each factor by itself. */
export function loraStep(
  state: LowRankState,
  gradients: FactorGradients,
  options: LoraStepOptions,
): LowRankState {
  const a = adamwStep(state.a, gradients.gradientA, state.momentsA, options);
  const b = adamwStep(state.b, gradients.gradientB, state.momentsB, {
    ...options,
    learningRate: options.learningRate * (options.learningRateRatio ?? 1),
  });
  return { ...state, a: a.parameter, b: b.parameter, momentsA: a.moments, momentsB: b.moments };
}

/** Settings of one step of LoRA-Pro. */
export interface LoraProStepOptions extends AdamwOptions, ClosedFormOptions {
  /**
   * "full": Algorithm 2, `[out, in]` moments of the equivalent gradient, whose Adam direction is taken for dL/dW.
   * "efficient": Adam on the closed form's gA and gB, each by itself. "sgd": Algorithm 1, no moments.
   */
  readonly mode: "full" | "efficient" | "sgd";
  /**
   * Largest |dA| / |A| of a step, decay apart: a longer dA is scaled down to it. B's step stays as it is. Without it,
   * and where A is all zeros, nothing is capped.
   */
  readonly cap?: number;
}

/**
 * One step of LoRA-Pro from the raw gradients of the factors.
 *
 * Weight decay: in "full" mode both factors shrink by sqrt(1 - lr wd), so that s B A shrinks by 1 - lr wd and W0 stays
 * (the authors' first code shrinks W0 too); in the other modes each factor shrinks by 1 - lr wd.
 */
export function loraProStep(
  state: LowRankState,
  gradients: FactorGradients,
  options: LoraProStepOptions,
): LowRankState {
  const { learningRate, weightDecay = 0, mode } = options;
  const decay = 1 - learningRate * weightDecay;
  switch (mode) {
    case "full": {
      const first = closedForm({ ...state, ...gradients, ...options, gauge: "zero" });
      const { direction, moments } = adamDirection(
        equivalentGradient({ ...state, ...first }),
        state.momentsW,
        options,
      );
      const second = closedForm({ ...state, ...factorGradients(direction, state), ...options });
      return { ...move(state, second, Math.sqrt(decay), options), momentsW: moments };
    }
    case "efficient": {
      const corrected = closedForm({ ...state, ...gradients, ...options });
      const a = adamDirection(corrected.gradientA, state.momentsA, options);
      const b = adamDirection(corrected.gradientB, state.momentsB, options);
      const moved = move(state, { gradientA: a.direction, gradientB: b.direction }, decay, options);
      return { ...moved, momentsA: a.moments, momentsB: b.moments };
    }
    case "sgd":
      return move(state, closedForm({ ...state, ...gradients, ...options }), decay, options);
  }
}

function move(
  state: LowRankState,
  { gradientA, gradientB }: FactorGradients,
  decay: number,
  { learningRate, cap = Infinity }: LoraProStepOptions,
): LowRankState {
  const length = learningRate * norm(gradientA), allowed = cap * norm(state.a);
  const shortened = allowed > 0 && length > allowed ? allowed / length : 1;
  return {
    ...state,
    a: zip(state.a, gradientA, (value, g) => decay * value - learningRate * shortened * g),
    b: zip(state.b, gradientB, (value, g) => decay * value - learningRate * g),
  };
}
