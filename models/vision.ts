/** @file The vision transformer, built as CLIP's image tower: a class token, positions, pre-norm blocks, a projection. */
import {
  activation,
  add,
  addLayerNorm,
  attention,
  layerNorm,
  mapRows,
  matmul,
  pickRows,
  placeRows,
  reshape,
} from "../autodiff/mod.ts";
import type { Parameter, Tape, Var } from "../autodiff/tape.ts";
import type { Gpu } from "../gpu/gpu.ts";
import type { Forward, HostTensor, LinearSite, Model, VisionBatch } from "./model.ts";
import { loadParameters, type ParameterList, type WeightSource } from "./weights.ts";

/** Sizes and constants of a vision transformer. */
export interface VisionConfig {
  /** Pixels along each side of the square image; a multiple of `patch`. */
  readonly image: number;
  /** Colour channels. */
  readonly channels: number;
  /** Pixels along each side of a patch. */
  readonly patch: number;
  /** Width of the residual stream. */
  readonly width: number;
  /** Blocks. */
  readonly layers: number;
  /** Attention heads; divides `width`. */
  readonly heads: number;
  /** Inner width of the feed-forward part. */
  readonly hidden: number;
  /** Classes, or the width of CLIP's shared space. */
  readonly outputs: number;
  /** Of the feed-forward part. */
  readonly activation: "gelu" | "quick-gelu";
  /** Added to the variance before its root is taken. */
  readonly normEpsilon: number;
}

/** Parameters of a vision transformer under the names of Hugging Face's CLIP, spelling mistake included. */
export function visionParameters(config: VisionConfig): ParameterList {
  const { channels, patch, width, layers, hidden, outputs } = config;
  const root = "vision_model";
  const linear = (name: string, out: number, inputs: number) => [
    { name: `${name}.weight`, shape: [out, inputs] },
    { name: `${name}.bias`, shape: [out] },
  ];
  const norm = (
    name: string,
  ) => [{ name: `${name}.weight`, shape: [width] }, { name: `${name}.bias`, shape: [width] }];
  const list = [
    { name: `${root}.embeddings.class_embedding`, shape: [width] },
    { name: `${root}.embeddings.patch_embedding.weight`, shape: [width, channels, patch, patch] },
    { name: `${root}.embeddings.position_embedding.weight`, shape: [positions(config), width] },
    ...norm(`${root}.pre_layrnorm`),
  ];
  for (let layer = 0; layer < layers; layer++) {
    const block = `${root}.encoder.layers.${layer}`;
    list.push(
      ...norm(`${block}.layer_norm1`),
      ...["q_proj", "k_proj", "v_proj", "out_proj"].flatMap((name) =>
        linear(`${block}.self_attn.${name}`, width, width)
      ),
      ...norm(`${block}.layer_norm2`),
      ...linear(`${block}.mlp.fc1`, hidden, width),
      ...linear(`${block}.mlp.fc2`, width, hidden),
    );
  }
  list.push(...norm(`${root}.post_layernorm`), { name: "visual_projection.weight", shape: [outputs, width] });
  return list;
}

/**
 * Builds a vision transformer on the GPU, in the caller's scope. Its logits are `[batch, outputs]`. The weights of the
 * sites that `half` names are kept in 16-bit floats.
 */
export function createVision(
  gpu: Gpu,
  config: VisionConfig,
  source: WeightSource,
  half: ReadonlySet<string> = new Set(),
): Model<VisionBatch> {
  const { width, heads, layers, patch, channels, normEpsilon: epsilon } = config;
  const tokens = positions(config), patches = tokens - 1;
  const weightName = (site: string) => `vision_model.encoder.${site}.weight`;
  const { parameters, halves } = loadParameters(
    gpu,
    visionParameters(config),
    source,
    new Set([...half].map(weightName)),
  );
  const parameter = (name: string): Parameter => parameters.get(name)!;
  const site = (name: string): LinearSite => {
    const weight = halves.get(weightName(name)) ?? parameter(weightName(name)),
      bias = parameter(`vision_model.encoder.${name}.bias`);
    return { name, weight, bias, out: weight.value.shape[0]!, in: weight.value.shape[1]! };
  };
  const norm = (name: string) => ({
    weight: parameter(`vision_model.${name}.weight`),
    bias: parameter(`vision_model.${name}.bias`),
  });
  const blocks = Array.from({ length: layers }, (_, layer) => ({
    norm1: norm(`encoder.layers.${layer}.layer_norm1`),
    q: site(`layers.${layer}.self_attn.q_proj`),
    k: site(`layers.${layer}.self_attn.k_proj`),
    v: site(`layers.${layer}.self_attn.v_proj`),
    o: site(`layers.${layer}.self_attn.out_proj`),
    norm2: norm(`encoder.layers.${layer}.layer_norm2`),
    fc1: site(`layers.${layer}.mlp.fc1`),
    fc2: site(`layers.${layer}.mlp.fc2`),
  }));
  const patchEmbedding = parameter("vision_model.embeddings.patch_embedding.weight");
  const classEmbedding = parameter("vision_model.embeddings.class_embedding");
  const positionEmbedding = parameter("vision_model.embeddings.position_embedding.weight");
  const firstNorm = norm("pre_layrnorm"), lastNorm = norm("post_layernorm");
  const projection = parameter("visual_projection.weight");

  return {
    family: "vision",
    parameters: [...parameters.values()],
    sites: blocks.flatMap(({ q, k, v, o, fc1, fc2 }) => [q, k, v, o, fc1, fc2]),
    head: [],
    logits(forward: Forward, batch: VisionBatch): Var {
      const { tape } = forward;
      const images = batch.pixels.shape[0]!, rows = images * tokens;
      type Norm = typeof firstNorm;
      const normed = (tape: Tape, x: Var, { weight, bias }: Norm) =>
        layerNorm(tape, x, tape.parameter(weight), tape.parameter(bias), epsilon);
      const addNormed = (tape: Tape, x: Var, y: Var, { weight, bias }: Norm) =>
        addLayerNorm(tape, x, y, tape.parameter(weight), tape.parameter(bias), epsilon);

      // Host data goes first: an upload between dispatches would end the command buffer. Row 0 of each image is its
      // class token; the patches follow.
      const pixels = gpu.upload(patchRows(batch.pixels, config), "f32", [
        images * patches,
        channels * patch * patch,
      ], "patches");
      const first = Array.from({ length: images }, (_, image) => image * tokens);
      const toPatches = placeRows(
        gpu,
        Array.from(
          { length: images * patches },
          (_, i) => Math.floor(i / patches) * tokens + 1 + i % patches,
        ),
        rows,
      );
      const toClasses = placeRows(gpu, first, rows);
      const oneForAll = pickRows(gpu, first.map(() => 0), 1);
      const everyPosition = pickRows(gpu, Array.from({ length: rows }, (_, row) => row % tokens), tokens);
      const classRows = pickRows(gpu, first, rows);

      const weight = reshape(tape, tape.parameter(patchEmbedding), [width, channels * patch * patch]);
      const embedded = matmul(tape, tape.constant(pixels), weight, { transposeB: true });
      const classRow = mapRows(tape, reshape(tape, tape.parameter(classEmbedding), [1, width]), oneForAll);
      const tokensOf = add(tape, mapRows(tape, embedded, toPatches), mapRows(tape, classRow, toClasses));
      const positioned = mapRows(tape, tape.parameter(positionEmbedding), everyPosition);
      let x = addNormed(tape, tokensOf, positioned, firstNorm).normed;

      const shape = {
        length: tokens,
        heads,
        keyValueHeads: heads,
        size: width / heads,
        causal: false,
        scale: (width / heads) ** -0.5,
      };
      for (const block of blocks) {
        x = forward.block([x], ({ tape, linear }, [x]) => {
          const y = normed(tape, x, block.norm1);
          const mixed = attention(tape, linear(block.q, y), linear(block.k, y), linear(block.v, y), shape);
          const after = addNormed(tape, x, linear(block.o, mixed), block.norm2);
          const inner = activation(tape, linear(block.fc1, after.normed), config.activation);
          return add(tape, after.sum, linear(block.fc2, inner));
        });
      }
      const pooled = normed(tape, mapRows(tape, x, classRows), lastNorm);
      return matmul(tape, pooled, tape.parameter(projection), { transposeB: true });
    },
  };
}

function positions(config: VisionConfig): number {
  return (config.image / config.patch) ** 2 + 1;
}

/** Images `[batch, channels, side, side]` as rows of patches, each flattened channel, row, column as a convolution does. */
function patchRows(pixels: HostTensor<"f32">, config: VisionConfig): Float32Array<ArrayBuffer> {
  const { image: side, patch, channels } = config;
  const [images, givenChannels, height, breadth] = pixels.shape as [number, number, number, number];
  if (givenChannels !== channels || height !== side || breadth !== side) {
    throw new RangeError(
      `Cannot read images [${pixels.shape}]: [batch, ${channels}, ${side}, ${side}] is needed`,
    );
  }
  const out = new Float32Array(pixels.data.length);
  let at = 0;
  for (let i = 0; i < images; i++) {
    for (let top = 0; top < side; top += patch) {
      for (let left = 0; left < side; left += patch) {
        for (let channel = 0; channel < channels; channel++) {
          for (let row = 0; row < patch; row++) {
            const start = ((i * channels + channel) * side + top + row) * side + left;
            out.set(pixels.data.subarray(start, start + patch), at);
            at += patch;
          }
        }
      }
    }
  }
  return out;
}
