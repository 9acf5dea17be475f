/** @file The Universal Sentence Encoder (lite) as a graph model of TensorFlow.js has it: its sizes, and its tensors under our names. */
import { quote } from "../../errors/quote.ts";
import type { UseLiteConfig } from "../use_lite.ts";
import { type Checkpoint, CheckpointError, type CheckpointTensor, take } from "./checkpoint.ts";
import { GRAPH_MODEL, openGraphModel } from "./graph_model.ts";
import { third } from "./joined.ts";
import { turned } from "./turned.ts";

/** Tensors of a block, by what stands behind its number there and here. */
const BLOCK_PARTS: Readonly<Record<string, string>> = {
  "layer_prepostprocess/layer_norm/layer_norm_scale/ConcatPartitions/concat": "attention.norm.weight",
  "layer_prepostprocess/layer_norm/layer_norm_bias/ConcatPartitions/concat": "attention.norm.bias",
  "MultiheadAttention/output_transform_single/kernel/part_0": "attention.output.dense.weight",
  "MultiheadAttention/output_transform_single/bias/ConcatPartitions/concat": "attention.output.dense.bias",
  "dense/kernel/ConcatPartitions/concat": "residual.weight",
  "dense/bias/ConcatPartitions/concat": "residual.bias",
  "FFN/layer_prepostprocess/layer_norm/layer_norm_scale/ConcatPartitions/concat": "norm.weight",
  "FFN/layer_prepostprocess/layer_norm/layer_norm_bias/ConcatPartitions/concat": "norm.bias",
  "FFN/conv1/Tensordot/Reshape_1": "intermediate.dense.weight",
  "FFN/conv1/bias/ConcatPartitions/concat": "intermediate.dense.bias",
  "FFN/conv2/Tensordot/Reshape_1": "output.dense.weight",
  "FFN/conv2/bias/ConcatPartitions/concat": "output.dense.bias",
};
/** Queries, keys and values as one. */
const JOINED = /^MultiheadAttention\/qkv_transform_single\/(kernel\/part_0|bias\/ConcatPartitions\/concat)$/;
const EMBEDDINGS = "embeddings.word_embeddings.weight";
const WHOLE: Readonly<Record<string, string>> = {
  "module/Embeddings_en": EMBEDDINGS,
  "module/Encoder_en/hidden_layers/tanh_layer_0/weights": "pooler.dense.weight",
  "module/Encoder_en/hidden_layers/tanh_layer_0/bias": "pooler.dense.bias",
};

/** What the graph computes with beside its weights: the scale of scores, a norm's epsilon, the longest text. */
const TRANSFORMER = "module_apply_default/Encoder_en/KonaTransformer";
const STACK = `${TRANSFORMER}/Encode/TransformerStack`;
const SCALE = `${STACK}/Layer_0/TransformerLayer/MultiheadAttention/mul/y`;
const EPSILON = `${STACK}/Layer_1/TransformerLayer/FFN/layer_prepostprocess/layer_norm/Cast/x`;
const LENGTH = `${TRANSFORMER}/ClipToMaxLength/Less/y`;
/** Constants that follow from the sizes, or are these. */
const CONSTANTS = /\/(mul\/y|Cast\/x|l2_normalize\/Maximum\/y|TimingSignal\/ExpandDims_1)$/;

/** A sentence encoder that was opened. */
export interface UseLiteCheckpoint {
  readonly checkpoint: Checkpoint;
  readonly config: UseLiteConfig;
}

/**
 * Opens the sentence encoder in a folder, its maps as `[out, in]`, queries, keys and values apart.
 *
 * @throws {CheckpointError} where the folder has another graph model, or its files are unsound
 */
export async function readUseLite(folder: string): Promise<UseLiteCheckpoint> {
  const graph = await openGraphModel(folder), tensors = new Map<string, CheckpointTensor>();
  for (const [name, tensor] of graph.tensors) {
    for (const [own, converted] of convert(name, tensor, folder)) tensors.set(own, converted);
  }
  const checkpoint = { ...graph, tensors };
  return { checkpoint, config: sizesOf(graph, checkpoint) };
}

function convert(
  name: string,
  tensor: CheckpointTensor,
  folder: string,
): readonly (readonly [string, CheckpointTensor])[] {
  if (tensor.dtype !== "F32" || CONSTANTS.test(name)) return [];
  const whole = WHOLE[name];
  if (whole !== undefined) return [[whole, whole === EMBEDDINGS ? tensor : turned(tensor)]];
  const [, layer, part = ""] = /\/Layer_(\d+)\/TransformerLayer\/(.+)$/.exec(name) ?? [];
  const at = `encoder.layer.${layer}.`, own = BLOCK_PARTS[part];
  // Of vectors there is nothing to turn.
  if (own !== undefined) return [[at + own, turned(withoutPlaces(tensor))]];
  if (JOINED.test(part)) {
    const together = turned(withoutPlaces(tensor)), kind = part.includes("kernel") ? "weight" : "bias";
    return ["query", "key", "value"].map((map, i) => [`${at}attention.${map}.${kind}`, third(together, i)]);
  }
  throw new CheckpointError(
    `Cannot read graph model "${folder}": the Universal Sentence Encoder has no tensor ${quote(name)}`,
  );
}

/** A convolution of one place `[1, 1, in, out]` as the matrix that it is. */
function withoutPlaces(tensor: CheckpointTensor): CheckpointTensor {
  const [one, other, ...shape] = tensor.shape;
  if (shape.length !== 2 || one !== 1 || other !== 1) return tensor;
  return {
    shape,
    dtype: tensor.dtype,
    get data() {
      return tensor.data;
    },
  };
}

function sizesOf(graph: Checkpoint, { name, tensors }: Checkpoint): UseLiteConfig {
  const matrix = (tensor: string) => {
    const shape = tensors.get(tensor)?.shape;
    if (shape?.length === 2) return shape as readonly [number, number];
    throw new CheckpointError(
      `Cannot read graph model "${name}": ${GRAPH_MODEL} has no matrix for ${
        quote(tensor)
      }, a Universal Sentence Encoder (lite) is needed`,
    );
  };
  const constant = (tensor: string) => take(graph, tensor, [])[0]!;
  const [vocabulary, embedding] = matrix(EMBEDDINGS);
  const [hidden, width] = matrix("encoder.layer.0.intermediate.dense.weight");
  let layers = 1;
  while (tensors.has(`encoder.layer.${layers}.output.dense.weight`)) layers++;
  return {
    ...{ vocabulary, embedding, width, layers, hidden },
    // Scores are divided by the root of a head's size.
    heads: Math.round(embedding * constant(SCALE) ** 2),
    length: constant(LENGTH),
    normEpsilon: Number(constant(EPSILON).toPrecision(6)),
  };
}
