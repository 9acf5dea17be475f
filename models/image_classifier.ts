/** @file Image classifiers with heads of their own: ViT (Dosovitskiy et al., arXiv 2010.11929) and DINOv2 (Oquab et al., arXiv 2304.07193). */
import { add, addRow, gatherMap, mapRows, matmul, reshape, scatterMap } from "../autodiff/mod.ts";
import type { Parameter, Var } from "../autodiff/tape.ts";
import type { Gpu } from "../gpu/gpu.ts";
import { createRandom } from "../numerics/random.ts";
import {
  type EncoderNames,
  type EncoderSizes,
  encoderStack,
  encoderStackParameters,
  layerNormed,
  layerNormOf,
  withBias,
} from "./encoder_stack.ts";
import type { Forward, Model, VisionBatch } from "./model.ts";
import { patchRows } from "./patches.ts";
import { resampledPositions } from "./resampled_positions.ts";
import {
  type HeadValues,
  loadParameters,
  type ParameterList,
  type Precisions,
  type WeightSource,
} from "./weights.ts";

/** Sizes and constants of an image classifier. */
export interface ImageClassifierConfig extends EncoderSizes {
  /**
   * Its blocks, and what its head reads: ViT's the class token, DINOv2's that and the mean of the patches, and DINOv2 scales
   * what its blocks add.
   */
  readonly kind: "vit" | "dinov2";
  /** Pixels along each side of the square image; a multiple of `patch`. */
  readonly image: number;
  /** The side that its table of positions is for, where that is another: positions are resampled then. */
  readonly positionsFor?: number;
  /** Colour channels. */
  readonly channels: number;
  /** Pixels along each side of a patch. */
  readonly patch: number;
  /** Classes. */
  readonly outputs: number;
  /** What the head begins with where every method trains it; absent where the head is the checkpoint's own. */
  readonly newHead?: HeadValues;
}

/** What each kind calls its blocks' parts. */
const NAMES: Readonly<Record<ImageClassifierConfig["kind"], EncoderNames>> = {
  vit: {
    root: "vit.encoder.",
    stack: "layer",
    norms: "before",
    norm1: "layernorm_before",
    q: "attention.attention.query",
    k: "attention.attention.key",
    v: "attention.attention.value",
    o: "attention.output.dense",
    norm2: "layernorm_after",
    into: "intermediate.dense",
    outOf: "output.dense",
  },
  dinov2: {
    root: "dinov2.encoder.",
    stack: "layer",
    norms: "before",
    norm1: "norm1",
    q: "attention.attention.query",
    k: "attention.attention.key",
    v: "attention.attention.value",
    o: "attention.output.dense",
    scale1: "layer_scale1.lambda1",
    norm2: "norm2",
    into: "mlp.fc1",
    outOf: "mlp.fc2",
    scale2: "layer_scale2.lambda1",
  },
};

/** Parameters of the head. */
export const CLASSIFIER = ["classifier.weight", "classifier.bias"] as const;
/** Seeds new heads: the same for all runs, as pretrained weights are. */
const HEAD_SEED = 1;

/** Width of what the head reads. */
export function pooledWidth({ kind, width }: Pick<ImageClassifierConfig, "kind" | "width">): number {
  return kind === "dinov2" ? 2 * width : width;
}

/** Parameters under their Hugging Face names. */
export function imageClassifierParameters(config: ImageClassifierConfig): ParameterList {
  const { kind, channels, patch, width, outputs, image, positionsFor = image } = config;
  return [
    { name: `${kind}.embeddings.cls_token`, shape: [1, 1, width] },
    { name: `${kind}.embeddings.position_embeddings`, shape: [1, (positionsFor / patch) ** 2 + 1, width] },
    {
      name: `${kind}.embeddings.patch_embeddings.projection.weight`,
      shape: [width, channels, patch, patch],
    },
    { name: `${kind}.embeddings.patch_embeddings.projection.bias`, shape: [width] },
    ...encoderStackParameters(NAMES[kind], config),
    ...withBias(`${kind}.layernorm`, width),
    ...withBias("classifier", outputs, pooledWidth(config)),
  ];
}

/** Parameters that files have beside these, and no classifier looks at. */
export function imageClassifierBeside({ kind, width }: ImageClassifierConfig): ParameterList {
  return kind === "dinov2"
    ? [{ name: "dinov2.embeddings.mask_token", shape: [1, width] }]
    : withBias("vit.pooler.dense", width, width);
}

/**
 * Builds an image classifier on the GPU, in the caller's scope. Its logits are `[batch, outputs]`. Target modules'
 * weights are kept in the precisions that are given, by name.
 */
export function createImageClassifier(
  gpu: Gpu,
  config: ImageClassifierConfig,
  source: WeightSource,
  precisions: Precisions = new Map(),
): Model<VisionBatch> {
  const { kind, width, patch, channels, image, positionsFor = image, normEpsilon: epsilon } = config;
  const side = image / patch, patches = side ** 2, tokens = patches + 1;
  const loaded = loadParameters(
    gpu,
    imageClassifierParameters(config),
    config.newHead === "seeded" ? withNewHead(source) : source,
    new Map(
      [...precisions].map(([targetModule, type]) => [`${NAMES[kind].root}${targetModule}.weight`, type]),
    ),
  );
  const parameter = (name: string): Parameter => loaded.parameters.get(name)!;
  const embeddings = (name: string) => parameter(`${kind}.embeddings.${name}`);
  const stack = encoderStack(loaded, NAMES[kind], config);
  const lastNorm = layerNormOf(loaded, `${kind}.layernorm`);
  const [head, headBias] = CLASSIFIER.map(parameter) as [Parameter, Parameter];
  const table = (positionsFor / patch) ** 2 + 1;
  const resampling = positionsFor === image
    ? null
    : gpu.upload(resampledPositions(positionsFor / patch, side), "f32", [tokens, table], "resampling");

  return {
    family: "vision",
    parameters: [...loaded.parameters.values()],
    targetModules: stack.targetModules,
    head: config.newHead ? [head, headBias] : [],
    logits(forward: Forward, batch: VisionBatch): Var {
      const { tape } = forward, images = batch.pixels.shape[0]!, rows = images * tokens;

      // Host data goes first: an upload between dispatches would end the command buffer. Row 0 of each image is its
      // class token; the patches follow.
      const inputs = channels * patch * patch;
      const pixels = gpu.upload(
        patchRows(batch.pixels, config),
        "f32",
        [images * patches, inputs],
        "patches",
      );
      const first = Array.from({ length: images }, (_, i) => i * tokens);
      const places = Array.from(
        { length: images * patches },
        (_, i) => Math.floor(i / patches) * tokens + 1 + i % patches,
      );
      const toPatches = scatterMap(gpu, places, rows), toClasses = scatterMap(gpu, first, rows);
      const oneForAll = gatherMap(gpu, first.map(() => 0), 1);
      const everyPosition = gatherMap(gpu, Array.from({ length: rows }, (_, row) => row % tokens), tokens);
      const pooling = kind === "vit" ? null : gpu.upload(poolingOf(images, tokens), "f32", [
        images,
        2,
        tokens,
      ], "pooling");
      const classRows = kind === "vit" ? gatherMap(gpu, first, rows) : null;

      const projection = reshape(tape, tape.parameter(embeddings("patch_embeddings.projection.weight")), [
        width,
        inputs,
      ]);
      const embedded = addRow(
        tape,
        matmul(tape, tape.constant(pixels), projection, { transposeB: true }),
        tape.parameter(embeddings("patch_embeddings.projection.bias")),
      );
      const classToken = reshape(tape, tape.parameter(embeddings("cls_token")), [1, width]);
      const classes = mapRows(tape, mapRows(tape, classToken, oneForAll), toClasses);
      let positions = reshape(tape, tape.parameter(embeddings("position_embeddings")), [table, width]);
      if (resampling) positions = matmul(tape, tape.constant(resampling), positions);
      const x = stack.run(
        forward,
        add(
          tape,
          add(tape, mapRows(tape, embedded, toPatches), classes),
          mapRows(tape, positions, everyPosition),
        ),
        tokens,
      );
      const pooled = pooling
        ? reshape(
          tape,
          matmul(
            tape,
            tape.constant(pooling),
            reshape(tape, layerNormed(tape, x, lastNorm, epsilon), [images, tokens, width]),
          ),
          [images, 2 * width],
        )
        : layerNormed(tape, mapRows(tape, x, classRows!), lastNorm, epsilon);
      const logits = matmul(tape, pooled, tape.parameter(head), { transposeB: true });
      return addRow(tape, logits, tape.parameter(headBias));
    },
  };
}

/** For each image the class token, and the mean of the patches: `[images, 2, tokens]`. */
function poolingOf(images: number, tokens: number): Float32Array<ArrayBuffer> {
  const out = new Float32Array(images * 2 * tokens);
  for (let image = 0; image < images; image++) {
    const at = image * 2 * tokens;
    out[at] = 1;
    out.fill(1 / (tokens - 1), at + tokens + 1, at + 2 * tokens);
  }
  return out;
}

/** Normal with deviation 0.02, biases 0, as Hugging Face makes heads by `initializer_range`. */
function withNewHead(source: WeightSource): WeightSource {
  const random = createRandom(HEAD_SEED).fork("new head");
  return (name, shape) => {
    if (!CLASSIFIER.some((one) => one === name)) return source(name, shape);
    const count = shape.reduce((product, size) => product * size, 1);
    return name.endsWith(".bias") ? new Float32Array(count) : random.fork(name).normal(count, 0.02);
  };
}
