/** WGSL kernels and their launchers: tensors in, tensors out, no gradients. @module */
export { type AdamwUpdate, adamwUpdate } from "./adamw.ts";
export {
  attention,
  attentionBackward,
  type AttentionResult,
  type AttentionSizes,
  type AttentionTargets,
  type GradientTarget,
} from "./attention.ts";
export { type Comparison, type Comparisons, createComparisons } from "./compare.ts";
export { toFloat, toHalf } from "./convert.ts";
export { crossEntropy, crossEntropyBackward } from "./cross_entropy.ts";
export {
  accumulate,
  type Activation,
  activation,
  activationBackward,
  add,
  addRow,
  geglu,
  gegluBackward,
  type GluGradients,
  swiglu,
  swigluBackward,
} from "./elementwise.ts";
export { keepRows, type Turn } from "./keep_rows.ts";
export { truncatedSvd, type TruncatedSvdOptions } from "./linear_algebra.ts";
export {
  magnitudeChange,
  type Magnitudes,
  rowNorms,
  scaleColumns,
  scaleColumnsBackward,
  scaleRows,
} from "./magnitude.ts";
export { matmul, matmulBy, type MatmulOptions } from "./matmul.ts";
export type { Layout, ProductShape } from "./matmul_product.ts";
export {
  MATMUL_VARIANTS,
  type MatmulChoices,
  type MatmulVariant,
  ruleFor,
  shapeClassOf,
  useMatmulChoices,
  variantsOn,
} from "./matmul_choice.ts";
export { addNorm, norm, normBackward, type NormOptions } from "./norm.ts";
export { columnSum, dot, dotInto, sumInto } from "./reduce.ts";
export { relativeBias, relativeBiasBackward } from "./relative_bias.ts";
export { singleQueryAttention, type SingleQuerySizes } from "./single_query.ts";
export { type RowChoice, sparseRows } from "./sparse_rows.ts";
export { argmax, clip, recordStep } from "./training_step.ts";
export { descend } from "./descend.ts";
export {
  type Adjusted,
  type Damping,
  type Decomposition,
  type FactorGradients,
  type FactorPair,
  FactorPairs,
  type FactorPairsOptions,
  type Gauge,
  groupPairs,
  type Turned,
} from "./factor_pairs.ts";
export {
  type ImportanceBetas,
  scaledRowsBackward,
  type SiteTriplets,
  Triplets,
  type TripletValues,
} from "./triplets.ts";
export {
  MOST_RANK,
  rightSvds,
  skipLarge,
  type SmallFunction,
  type SmallMatrices,
  type SmallProductOptions,
  smallProducts,
  smallStride,
  spanOf,
  svdNumbers,
  tallFactors,
  type TallLayout,
  type TallMatrices,
  tallMatrices,
  tallOverlaps,
  tallProducts,
  type TallTerm,
  type ThinSvds,
  thinSvds,
} from "./tall_matrices.ts";
