/**
 * WGSL kernels and their launchers: tensors in, tensors out, no gradients. This is the door of the folder; what
 * defines kernels of a method's own imports `wgsl/` too.
 *
 * @module
 */
// Attention and its bias.
export {
  attention,
  attentionBackward,
  type AttentionResult,
  type AttentionSizes,
  type AttentionTargets,
  type GradientTarget,
} from "./attention/attention.ts";
export { relativeBias, relativeBiasBackward } from "./attention/relative_bias.ts";
export {
  type RelativeOperands,
  type RelativeRows,
  relativeRows,
  relativeScores,
  relativeScoresBackward,
} from "./attention/relative_scores.ts";
export { singleQueryAttention, type SingleQuerySizes } from "./attention/single_query.ts";
// Decompositions, and products of many tall matrices at once.
export {
  GRAM_SCHMIDT_RANK,
  MAX_RANK,
  type SmallMatrices,
  smallStride,
  type TallLayout,
  type TallMatrices,
  tallMatrices,
  tallTableWords,
  TILE_ROWS,
  tilesOf,
} from "./linalg/layout.ts";
export { suitsStagedTall } from "./linalg/staged_tall.ts";
export {
  type BatchedFactors,
  groupFactors,
  keepOrthonormal,
  lanesOfMatrix,
  rightSvds,
  type SmallFunction,
  type SmallProductOptions,
  smallProducts,
  spanOf,
  svdNumbers,
  type SvdPlaces,
  svdScratchSizes,
  tallFactors,
  tallOverlaps,
  tallProducts,
  type TallTerm,
  thinBases,
  type ThinSvds,
  thinSvds,
  thinSvdsInto,
} from "./linalg/tall_matrices.ts";
export { createWarmStart, type WarmStart, warmStartSizes } from "./linalg/warm_start.ts";
export { truncatedSvd, type TruncatedSvdOptions } from "./linalg/truncated_svd.ts";
// Loss.
export { crossEntropy, crossEntropyBackward, rowLosses, sumOfLosses } from "./loss/cross_entropy.ts";
// Matrix products.
export {
  MATMUL_VARIANTS,
  type MatmulChoices,
  matmulChoicesOf,
  type MatmulVariant,
  ruleFor,
  shapeClassOf,
  useMatmulChoices,
  variantsOn,
} from "./matmul/choice.ts";
export { matmul, matmulBy, type MatmulOptions } from "./matmul/matmul.ts";
export type { Layout, ProductShape } from "./matmul/product.ts";
// Row norms.
export { addNorm, norm, normBackward, type NormOptions } from "./norm/norm.ts";
// One element in, one element out.
export { type Activation, activation, activationBackward, ACTIVATIONS } from "./pointwise/activation.ts";
export { accumulate, accumulateRow, add, addRow } from "./pointwise/add.ts";
export { toFloat, toHalf } from "./pointwise/convert.ts";
export type { StoredType } from "./wgsl/stored.ts";
export { multiply } from "./pointwise/multiply.ts";
export { softCap, softCapBackward } from "./pointwise/soft_cap.ts";
export { geglu, gegluBackward, type GluGradients, swiglu, swigluBackward } from "./pointwise/glu.ts";
// Sums, dot products, comparisons and the largest.
export { argmax } from "./reduce/argmax.ts";
export { type Comparison, type Comparisons, createComparisons } from "./reduce/compare.ts";
export { columnSum, dot, dotInto, sumInto } from "./reduce/reduce.ts";
export { sumParts } from "./reduce/sum_parts.ts";
// Rows that move.
export { type Rotary, scatterRows } from "./rows/scatter_rows.ts";
export { gatherRows, gatherStoredRows, type RowGather } from "./rows/gather_rows.ts";
export { keepRows } from "./rows/keep_rows.ts";
// A step of training.
export { type AdamwUpdate, adamwUpdate } from "./step/adamw.ts";
export { sgdUpdate } from "./step/sgd.ts";
export { clip, recordStep } from "./step/training_step.ts";
