/** @file CLIP's text tower: a causal transformer whose state at the end token, projected, stands for the text. */
import { add, gatherMap, mapRows, matmul } from "../autodiff/mod.ts";
import type { Parameter, Var } from "../autodiff/tape.ts";
import type { Gpu } from "../gpu/gpu.ts";
import {
  clipEncoder,
  type ClipEncoderConfig,
  clipEncoderParameters,
  clipNorm,
  clipNormed,
  clipNormParameters,
} from "./clip_encoder.ts";
import type { Forward, HostTensor, TargetModule } from "./model.ts";
import { loadParameters, type ParameterList, type WeightSource } from "./weights.ts";

/** Sizes and constants of a text tower. */
export interface ClipTextConfig extends ClipEncoderConfig {
  /** Tokens that it knows. */
  readonly vocabulary: number;
  /** Longest text in tokens. */
  readonly length: number;
  /** Width of the space that texts and images share. */
  readonly outputs: number;
  /**
   * The token at whose first place a text is read off; null for the place of its largest token, which is how OpenCLIP
   * and older files find the end token: it has the largest id.
   */
  readonly endToken: number | null;
}

/** A text tower whose parameters lie on the GPU. */
export interface ClipTextTower {
  /** Every parameter, in a fixed order. */
  readonly parameters: readonly Parameter[];
  /** Its linear maps. */
  readonly targetModules: readonly TargetModule[];
  /**
   * Embeddings of texts, `[texts, outputs]`, not brought to unit length.
   *
   * @param tokens `[texts, length]`; what stands behind a text's end token is not looked at
   * @throws {RangeError} for texts that are too long, and for those without the end token
   */
  embed(forward: Forward, tokens: HostTensor<"i32">): Var;
}

/** Parameters of a text tower under the names of Hugging Face's CLIP. */
export function clipTextParameters(config: ClipTextConfig): ParameterList {
  const { vocabulary, length, width, outputs } = config, root = "text_model";
  return [
    { name: `${root}.embeddings.token_embedding.weight`, shape: [vocabulary, width] },
    { name: `${root}.embeddings.position_embedding.weight`, shape: [length, width] },
    ...clipEncoderParameters(root, config),
    ...clipNormParameters(`${root}.final_layer_norm`, width),
    { name: "text_projection.weight", shape: [outputs, width] },
  ];
}

/**
 * Builds a text tower on the GPU, in the caller's scope.
 *
 * Source: Radford et al., arXiv 2103.00020, section 2.4, and the code of Hugging Face's CLIP.
 */
export function createClipText(gpu: Gpu, config: ClipTextConfig, source: WeightSource): ClipTextTower {
  const { vocabulary, length: longest, normEpsilon: epsilon } = config;
  const loaded = loadParameters(gpu, clipTextParameters(config), source);
  const parameter = (name: string): Parameter => loaded.parameters.get(name)!;
  const encoder = clipEncoder(loaded, "text_model", config);
  const tokenEmbedding = parameter("text_model.embeddings.token_embedding.weight");
  const positionEmbedding = parameter("text_model.embeddings.position_embedding.weight");
  const lastNorm = clipNorm(loaded, "text_model.final_layer_norm");
  const projection = parameter("text_projection.weight");
  return {
    parameters: [...loaded.parameters.values()],
    targetModules: encoder.targetModules,
    embed(forward, { data, shape }) {
      const { tape } = forward, [texts, length] = shape as [number, number];
      if (length > longest) {
        throw new RangeError(`Cannot read texts of ${length} tokens: ${longest} at most are needed`);
      }
      // Host data goes first: an upload between dispatches would end the command buffer.
      const tokens = gatherMap(gpu, data, vocabulary);
      const positions = Array.from({ length: texts * length }, (_, row) => row % length);
      const places = gatherMap(gpu, positions, longest);
      const ends = gatherMap(gpu, endsOf(data, length, config.endToken), texts * length);

      const embedded = mapRows(tape, tape.parameter(tokenEmbedding), tokens);
      const positioned = mapRows(tape, tape.parameter(positionEmbedding), places);
      // No mask: causal attention at the end token never looks at the padding behind it.
      const x = encoder.run(forward, add(tape, embedded, positioned), length, true);
      const pooled = clipNormed(tape, mapRows(tape, x, ends), lastNorm, epsilon);
      return matmul(tape, pooled, tape.parameter(projection), { transposeB: true });
    },
  };
}

/** The row at which each text is read off. */
function endsOf(tokens: Int32Array, length: number, endToken: number | null): number[] {
  return Array.from({ length: tokens.length / length }, (_, text) => {
    const own = tokens.subarray(text * length, (text + 1) * length);
    const place = own.indexOf(endToken ?? own.reduce((most, token) => Math.max(most, token)));
    if (place < 0) throw new RangeError(`Cannot embed text ${text}: it has no end token, ${endToken}`);
    return text * length + place;
  });
}
