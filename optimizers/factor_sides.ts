/** @file The factors of all target modules as two sides, for rules that turn the gradient of one by the other. */
import type { Gradients, Parameter } from "../autodiff/tape.ts";
import type { Gpu } from "../gpu/gpu.ts";
import { alignBytes, allocatedBytes, ELEMENT_BYTES, type Tensor } from "../gpu/tensor.ts";
import {
  GRAM_SCHMIDT_RANK,
  rightSvds,
  smallProducts,
  smallStride,
  spanOf,
  svdNumbers,
  svdScratchSizes,
  tallFactors,
  type TallMatrices,
  tallProducts,
  tallTableWords,
} from "../kernels/mod.ts";
import { batchGradients } from "./batched_gradients.ts";
import type { Factors, ModelShapes, PackSizes } from "./optimizer.ts";

/** All A, or all B, as tall matrices: Aᵀ `[in, rank]`, or B `[out, rank]`. */
export interface FactorSide {
  readonly parameters: readonly Parameter[];
  readonly matrices: TallMatrices;
}

/** Both sides. */
export interface FactorSides {
  readonly a: FactorSide;
  readonly b: FactorSide;
}

/**
 * Uploads where the factors lie into the caller's scope.
 *
 * @throws {RangeError} where all A, or all B, do not lie in one buffer
 */
export function factorSides(gpu: Gpu, factors: readonly Factors[]): FactorSides {
  const side = (parameters: readonly Parameter[], which: "A" | "B") => ({
    parameters,
    matrices: tallFactors(gpu, parameters.map(({ value }) => value), which),
  });
  return { a: side(factors.map(({ a }) => a), "A"), b: side(factors.map(({ b }) => b), "B") };
}

/** The tables of `factorSides`, by formula: see `Footprint.tables`. */
export function sideTables(targetModules: ModelShapes["targetModules"]): readonly PackSizes[] {
  return (["a", "b"] as const).map((which) => [tallTableWords(sideRows(targetModules, which))]);
}

/** 1/s² of each target module, `[targetModules]`, in the caller's scope. */
export function inverseSquares(gpu: Gpu, factors: readonly Factors[]): Tensor {
  const values = Float32Array.from(factors, ({ scale }) => 1 / scale ** 2);
  return gpu.upload(values, "f32", [factors.length], "1/s²");
}

/** 1 for each target module, in the caller's scope. */
export function moduleOnes(gpu: Gpu, targetModules: number): Tensor {
  return gpu.upload(new Float32Array(targetModules).fill(1), "f32", [targetModules], "ones");
}

/** The gradients of a side. @throws {Error} where they are not laid out as the factors are */
export function sideGradients({ parameters, matrices }: FactorSide, gradients: Gradients): TallMatrices {
  return { ...matrices, flat: batchGradients(gradients, [parameters], "factor gradients").flat };
}

/** Zeros laid out as a side is, also between its matrices, so that one dispatch can follow them. */
export function zerosLike(gpu: Gpu, { matrices }: FactorSide, label: string): TallMatrices {
  return { ...matrices, flat: gpu.zeros(matrices.flat.shape, label) };
}

/** One tensor for each factor of a side, of what is laid out as the side is. */
export function partsOf({ parameters, matrices }: FactorSide, { flat }: TallMatrices): readonly Tensor[] {
  return parameters.map(({ name, value }) => ({
    ...flat,
    offset: flat.offset + value.offset - matrices.flat.offset,
    shape: value.shape,
    label: `${flat.label} of ${name}`,
  }));
}

/** State of a side's size, named after its factors, in the caller's scope. */
export function sideState(
  gpu: Gpu,
  { parameters, matrices }: FactorSide,
  kind: string,
): { readonly parameters: readonly Parameter[]; readonly matrices: TallMatrices } {
  const entries = parameters.map(({ name, value }) => ({ label: `${name}.${kind}`, shape: value.shape }));
  const { parts } = gpu.pack(entries, kind);
  return {
    parameters: parts.map((value) => ({ name: value.label, value })),
    matrices: { ...matrices, flat: spanOf(parts, kind) },
  };
}

/** How factor gradients are scaled by the other factor's Gram matrix. */
export interface ScalingOptions {
  /** Added to the diagonal of the Gram matrix. */
  readonly damping: number;
  /** `[targetModules]`: multiplies the result. */
  readonly factors: Tensor;
}

/**
 * c D (XᵀX + damping I)⁻¹, X being the other side's factors and D a side's gradients: for A's, transposed,
 * c (BᵀB + damping I)⁻¹ dA, for B's c dB (AAᵀ + damping I)⁻¹. Directions in which X vanishes, below 1e-6 of its largest
 * singular value, give 0, as a pseudo-inverse does: raw gradients have no part in them. In the caller's scope.
 */
export function scaledByOther(
  gpu: Gpu,
  side: FactorSide,
  other: FactorSide,
  gradients: Gradients,
  { damping, factors }: ScalingOptions,
): TallMatrices {
  const { rank } = side.matrices, { v, values } = rightSvds(gpu, other.matrices);
  const inverses = smallProducts(gpu, v, v, { rank, f: "1/(s²+d)", values, damping, factors });
  const out = zerosLike(gpu, side, "scaled gradients");
  tallProducts(gpu, out, [{ x: sideGradients(side, gradients), by: inverses }]);
  return out;
}

/** Numbers of a side's factors, target module by target module. */
export function sideSizes(
  targetModules: ModelShapes["targetModules"],
  rank: number,
  which: "a" | "b",
): PackSizes {
  return targetModules.map((targetModule) => rank * (which === "a" ? targetModule.in : targetModule.out));
}

/** Numbers of an r x r matrix of every target module, rows of whole vectors. */
export function smallSizes(targetModules: ModelShapes["targetModules"], rank: number): PackSizes {
  return [targetModules.length * rank * smallStride(rank)];
}

/** What `scaledByOther` allocates at most and what it leaves, by formula. */
export function scalingScratch(
  targetModules: ModelShapes["targetModules"],
  rank: number,
  which: "a" | "b",
): { readonly most: readonly PackSizes[]; readonly left: readonly PackSizes[] } {
  const decomposed = rightSvdScratch(targetModules, rank, which === "a" ? "b" : "a");
  const left = [...decomposed.left, smallSizes(targetModules, rank), sideSizes(targetModules, rank, which)];
  return { most: largerOf([...decomposed.left, ...decomposed.bases], left), left };
}

/** What decomposing a side leaves, and what it makes on the way, by formula: without left vectors. */
function rightSvdScratch(
  targetModules: ModelShapes["targetModules"],
  rank: number,
  which: "a" | "b",
): SvdScratch {
  return {
    left: [[targetModules.length * svdNumbers(rank)]],
    bases: svdScratchSizes(rank, sideRows(targetModules, which), false),
  };
}

/** The same with left vectors. */
export function svdScratch(
  targetModules: ModelShapes["targetModules"],
  rank: number,
  which: "a" | "b",
): SvdScratch {
  const { left } = rightSvdScratch(targetModules, rank, which);
  return {
    left: [...left, sideSizes(targetModules, rank, which)],
    bases: svdScratchSizes(rank, sideRows(targetModules, which), true),
  };
}

/** Rows of a side's factors as tall matrices. */
export function sideRows(targetModules: ModelShapes["targetModules"], which: "a" | "b"): readonly number[] {
  return targetModules.map((targetModule) => which === "a" ? targetModule.in : targetModule.out);
}

interface SvdScratch {
  readonly left: readonly PackSizes[];
  readonly bases: readonly PackSizes[];
}

/** The one that takes more bytes. */
export function largerOf(one: readonly PackSizes[], other: readonly PackSizes[]): readonly PackSizes[] {
  const bytes = (packs: readonly PackSizes[]) =>
    total(
      packs.map((sizes) => allocatedBytes(total(sizes.map((count) => alignBytes(ELEMENT_BYTES * count))))),
    );
  return bytes(one) >= bytes(other) ? one : other;
}

function total(numbers: readonly number[]): number {
  return numbers.reduce((sum, count) => sum + count, 0);
}

/**
 * FLOPs of scaling one factor's gradients, `[own, rank]`, by the other, `[other, rank]`: its thin SVD without left
 * vectors, the r x r inverse, 2 r³, and the product with it.
 */
export function scalingFlops(rank: number, own: number, other: number): number {
  return svdFlops(rank, other) + 2 * rank ** 3 + 2 * own * rank ** 2;
}

/**
 * FLOPs of the thin SVD of `[rows, rank]`, without left vectors: by Gram-Schmidt twice, 4 r² a row, and ten sweeps of
 * rotations, 90 r³; or by two rounds of Cholesky QR, 3 r² a row and 2 r³, and eight sweeps of wider ones, 50 r³; or with a
 * warm start by a product before, one round, two sweeps and a product behind: 3 r² a row and 16 r³. A matrix whose columns
 * are near to dependent takes a third round, one whose columns are not takes one.
 */
export function svdFlops(rank: number, rows: number, warm = false): number {
  if (rank <= GRAM_SCHMIDT_RANK) return 4 * rows * rank ** 2 + 90 * rank ** 3;
  return 3 * rows * rank ** 2 + (warm ? 16 : 52) * rank ** 3;
}

/** FLOPs of its left vectors. */
export function leftVectorFlops(rank: number, rows: number): number {
  return 2 * rows * rank ** 2;
}
