/** Reverse-mode differentiation over kernels. @module */
export { createGradients } from "./gradients.ts";
export { type CacheSizes, KeyValueCache } from "./key_value_cache.ts";
export {
  attention,
  type AttentionOptions,
  relativeBias,
  type RelativeOperands,
  type RelativeRows,
  relativeRows,
  relativeScores,
} from "./ops/attention.ts";
export { crossEntropy } from "./ops/cross_entropy.ts";
export {
  activation,
  add,
  addRow,
  geglu,
  type Overwriting,
  reshape,
  scale,
  scaleColumns,
  softCap,
  swiglu,
} from "./ops/elementwise.ts";
export {
  adaptedLinear,
  linearWith,
  type LowPrecisionWeight,
  matmul,
  type MatmulOptions,
} from "./ops/matmul.ts";
export { addLayerNorm, addRmsNorm, layerNorm, rmsNorm, type SumAndNorm } from "./ops/norm.ts";
export {
  linearCrossEntropy,
  type LinearCrossEntropyOptions,
  outputLogits,
  type OutputMap,
  rowsAtOnce,
} from "./ops/output.ts";
export {
  embed,
  gatherMap,
  joinRows,
  mapRows,
  type RowJoin,
  rowJoin,
  type RowMap,
  scatterMap,
} from "./ops/rows.ts";
export {
  type Gradients,
  type GradientStore,
  type InputGradients,
  isLowPrecision,
  type Keeps,
  type KeptOfBlock,
  type LowPrecisionParameter,
  type Operation,
  type Parameter,
  Tape,
  type Var,
} from "./tape.ts";
