/** @file The vision transformer, built as CLIP's image tower: a class token, positions, pre-norm blocks, a projection. */
import { add, addLayerNorm, gatherMap, mapRows, matmul, reshape, scatterMap } from "../autodiff/mod.ts";
import type { Parameter, Var } from "../autodiff/tape.ts";
import type { Gpu } from "../gpu/gpu.ts";
import { createRandom } from "../numerics/random.ts";
import {
  clipEncoder,
  type ClipEncoderConfig,
  clipEncoderParameters,
  clipNorm,
  clipNormed,
  clipNormParameters,
} from "./clip_encoder.ts";
import type { Forward, Model, VisionBatch } from "./model.ts";
import { patchRows } from "./patches.ts";
import {
  type HeadValues,
  initialWeights,
  loadParameters,
  type ParameterList,
  type Precisions,
  type WeightSource,
} from "./weights.ts";

/** Sizes and constants of a vision transformer. */
export interface VisionConfig extends ClipEncoderConfig {
  /** Pixels along each side of the square image; a multiple of `patch`. */
  readonly image: number;
  /** Colour channels. */
  readonly channels: number;
  /** Pixels along each side of a patch. */
  readonly patch: number;
  /** Classes, or the width of CLIP's shared space. */
  readonly outputs: number;
  /**
   * What the projection begins with where the outputs are classes that no checkpoint knows, and every method trains it. The
   * checkpoint's own is left out, as in the linear probes of Radford et al., arXiv 2103.00020, A.3.
   */
  readonly newHead?: HeadValues;
}

/** The parameter that gives the outputs, `[outputs, width]`. */
export const PROJECTION = "visual_projection.weight";
/** Seeds new heads: the same for all runs, as pretrained weights are. */
const HEAD_SEED = 1;

/** Parameters of a vision transformer under the names of Hugging Face's CLIP, spelling mistake included. */
export function visionParameters(config: VisionConfig): ParameterList {
  const { channels, patch, width, outputs } = config, root = "vision_model";
  return [
    { name: `${root}.embeddings.class_embedding`, shape: [width] },
    { name: `${root}.embeddings.patch_embedding.weight`, shape: [width, channels, patch, patch] },
    { name: `${root}.embeddings.position_embedding.weight`, shape: [positions(config), width] },
    ...clipNormParameters(`${root}.pre_layrnorm`, width),
    ...clipEncoderParameters(root, config),
    ...clipNormParameters(`${root}.post_layernorm`, width),
    { name: PROJECTION, shape: [outputs, width] },
  ];
}

/**
 * Builds a vision transformer on the GPU, in the caller's scope. Its logits are `[batch, outputs]`. Target modules'
 * weights are kept in the precisions that are given, by name.
 */
export function createVision(
  gpu: Gpu,
  config: VisionConfig,
  source: WeightSource,
  precisions: Precisions = new Map(),
): Model<VisionBatch> {
  const { width, patch, channels, normEpsilon: epsilon } = config;
  const tokens = positions(config), patches = tokens - 1;
  const loaded = loadParameters(
    gpu,
    visionParameters(config),
    config.newHead === "seeded" ? withNewHead(source) : source,
    new Map(
      [...precisions].map(([targetModule, type]) => [`vision_model.encoder.${targetModule}.weight`, type]),
    ),
  );
  const parameter = (name: string): Parameter => loaded.parameters.get(name)!;
  const encoder = clipEncoder(loaded, "vision_model", config);
  const patchEmbedding = parameter("vision_model.embeddings.patch_embedding.weight");
  const classEmbedding = parameter("vision_model.embeddings.class_embedding");
  const positionEmbedding = parameter("vision_model.embeddings.position_embedding.weight");
  const firstNorm = clipNorm(loaded, "vision_model.pre_layrnorm");
  const lastNorm = clipNorm(loaded, "vision_model.post_layernorm");
  const projection = parameter(PROJECTION);

  return {
    family: "vision",
    parameters: [...loaded.parameters.values()],
    targetModules: encoder.targetModules,
    head: config.newHead ? [projection] : [],
    logits(forward: Forward, batch: VisionBatch): Var {
      const { tape } = forward;
      const images = batch.pixels.shape[0]!, rows = images * tokens;

      // Host data goes first: an upload between dispatches would end the command buffer. Row 0 of each image is its
      // class token; the patches follow.
      const pixels = gpu.upload(patchRows(batch.pixels, config), "f32", [
        images * patches,
        channels * patch * patch,
      ], "patches");
      const first = Array.from({ length: images }, (_, image) => image * tokens);
      const toPatches = scatterMap(
        gpu,
        Array.from(
          { length: images * patches },
          (_, i) => Math.floor(i / patches) * tokens + 1 + i % patches,
        ),
        rows,
      );
      const toClasses = scatterMap(gpu, first, rows);
      const oneForAll = gatherMap(gpu, first.map(() => 0), 1);
      const everyPosition = gatherMap(gpu, Array.from({ length: rows }, (_, row) => row % tokens), tokens);
      const classRows = gatherMap(gpu, first, rows);

      const weight = reshape(tape, tape.parameter(patchEmbedding), [width, channels * patch * patch]);
      const embedded = matmul(tape, tape.constant(pixels), weight, { transposeB: true });
      const classRow = mapRows(tape, reshape(tape, tape.parameter(classEmbedding), [1, width]), oneForAll);
      const tokensOf = add(tape, mapRows(tape, embedded, toPatches), mapRows(tape, classRow, toClasses));
      const positioned = mapRows(tape, tape.parameter(positionEmbedding), everyPosition);
      const { weight: scale, bias } = firstNorm;
      const norm = [tape.parameter(scale), tape.parameter(bias)] as const;
      const { normed } = addLayerNorm(tape, tokensOf, positioned, ...norm, epsilon);
      const x = encoder.run(forward, normed, tokens, false);
      const pooled = clipNormed(tape, mapRows(tape, x, classRows), lastNorm, epsilon);
      return matmul(tape, pooled, tape.parameter(projection), { transposeB: true });
    },
  };
}

function withNewHead(source: WeightSource): WeightSource {
  const initial = initialWeights(createRandom(HEAD_SEED).fork("new head"));
  return (name, shape) => (name === PROJECTION ? initial : source)(name, shape);
}

function positions(config: VisionConfig): number {
  return (config.image / config.patch) ** 2 + 1;
}
