/**
 * @file A stack of blocks of attention and a feed-forward part with biases, as encoders of texts and of images are: with a layer
 * norm before each of the two (ViT, DINOv2), or behind each sum (BERT and its kin). Names are the caller's. Attention may also
 * look at relative positions (DeBERTa).
 */
import {
  activation,
  add,
  addLayerNorm,
  attention,
  joinRows,
  layerNorm,
  mapRows,
  type RelativeRows,
  relativeScores,
  type RowJoin,
  scaleColumns,
} from "../autodiff/mod.ts";
import type { Parameter, Tape, Var } from "../autodiff/tape.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { Forward, TargetModule } from "./model.ts";
import type { LoadedParameters, ParameterList } from "./weights.ts";

/** Sizes and constants of a stack. */
export interface EncoderSizes {
  /** Width of the residual stream. */
  readonly width: number;
  /** Blocks. */
  readonly layers: number;
  /** Attention heads; divides `width`. */
  readonly heads: number;
  /** Inner width of the feed-forward part. */
  readonly hidden: number;
  /** Of the feed-forward part. */
  readonly activation: "gelu" | "gelu-tanh" | "relu";
  /** Added to the variance before its root is taken. */
  readonly normEpsilon: number;
}

/** What a family calls the parts of a block, and in which order it has them. */
export interface EncoderNames {
  /** What all blocks' parameters begin with, e.g. "vit.encoder."; target modules go without it. */
  readonly root: string;
  /** The stack, e.g. "layer". */
  readonly stack: string;
  /** Whether norms come before attention and feed-forward part, or behind the sums. */
  readonly norms: "before" | "behind";
  /** Attention's norm. */
  readonly norm1: string;
  /** Its map of queries. */
  readonly q: string;
  /** Its map of keys. */
  readonly k: string;
  /** Its map of values. */
  readonly v: string;
  /** Its map of what they give. */
  readonly o: string;
  /** Learned factors of what attention gives, by column. */
  readonly scale1?: string;
  /** The feed-forward part's norm. */
  readonly norm2: string;
  /** Its map into the hidden width. */
  readonly into: string;
  /** Its map out of there. */
  readonly outOf: string;
  /** Learned factors of what the feed-forward part gives, by column. */
  readonly scale2?: string;
}

/** Relative positions, for attention that is disentangled from contents: of queries and keys by the same maps as these. */
export interface RelativePositions {
  /** Of each row its position's vector, `[rows, width]`. */
  readonly vectors: Var;
  /** The row of each distance. */
  readonly map: RelativeRows;
  /** Of the stream's rows and these: each map is asked once a pass. */
  readonly join: RowJoin;
}

/** A stack whose parameters lie on the GPU. */
export interface EncoderStack {
  /** Its linear maps, in the order of the forward pass. */
  readonly targetModules: readonly TargetModule[];
  /**
   * Runs all blocks on x `[texts or images · length, width]`; keys whose mask is 0 are not looked at.
   *
   * @param positions where given, scores are of contents, of contents and positions, and of positions and contents, and so are
   * divided by the root of three times the width of a head
   */
  run(forward: Forward, x: Var, length: number, mask?: Tensor<"u32">, positions?: RelativePositions): Var;
}

/** Names and shapes of a norm's, or a linear map's parameters. */
export function withBias(name: string, out: number, inputs?: number): ParameterList {
  return [
    { name: `${name}.weight`, shape: inputs === undefined ? [out] : [out, inputs] },
    { name: `${name}.bias`, shape: [out] },
  ];
}

/** Names and shapes of a stack's parameters. */
export function encoderStackParameters(
  names: EncoderNames,
  { width, layers, hidden }: EncoderSizes,
): ParameterList {
  return Array.from({ length: layers }, (_, layer) => {
    const at = (part: string) => `${names.root}${names.stack}.${layer}.${part}`;
    const factors = (part: string | undefined) =>
      part === undefined ? [] : [{ name: at(part), shape: [width] }];
    const norm1 = withBias(at(names.norm1), width), norm2 = withBias(at(names.norm2), width);
    const isBefore = names.norms === "before";
    return [
      ...(isBefore ? norm1 : []),
      ...[names.q, names.k, names.v, names.o].flatMap((name) => withBias(at(name), width, width)),
      ...factors(names.scale1),
      ...(isBefore ? norm2 : norm1),
      ...withBias(at(names.into), hidden, width),
      ...withBias(at(names.outOf), width, hidden),
      ...factors(names.scale2),
      ...(isBefore ? [] : norm2),
    ];
  }).flat();
}

/** Weight and bias of a layer norm. */
export interface LayerNorm {
  /** What rows of variance 1 are multiplied by. */
  readonly weight: Parameter;
  /** What is added then. */
  readonly bias: Parameter;
}

/** Finds a layer norm among loaded parameters. */
export function layerNormOf({ parameters }: LoadedParameters, name: string): LayerNorm {
  return { weight: parameters.get(`${name}.weight`)!, bias: parameters.get(`${name}.bias`)! };
}

/** x, normed. */
export function layerNormed(tape: Tape, x: Var, { weight, bias }: LayerNorm, epsilon: number): Var {
  return layerNorm(tape, x, tape.parameter(weight), tape.parameter(bias), epsilon);
}

/** Makes the blocks of loaded parameters. */
export function encoderStack(
  loaded: LoadedParameters,
  names: EncoderNames,
  { width, layers, heads, normEpsilon: epsilon, activation: kind }: EncoderSizes,
): EncoderStack {
  const { parameters, frozen } = loaded;
  const blocks = Array.from({ length: layers }, (_, layer) => {
    const at = (part: string) => `${names.root}${names.stack}.${layer}.${part}`;
    const targetModule = (part: string): TargetModule => {
      const path = at(part), weight = frozen.get(`${path}.weight`) ?? parameters.get(`${path}.weight`)!;
      const [out, inputs] = weight.value.shape as [number, number];
      return {
        name: path.slice(names.root.length),
        weight,
        bias: parameters.get(`${path}.bias`)!,
        out,
        in: inputs,
      };
    };
    return {
      norm1: layerNormOf(loaded, at(names.norm1)),
      maps: [names.q, names.k, names.v, names.o, names.into, names.outOf].map(targetModule),
      scale1: names.scale1 === undefined ? null : parameters.get(at(names.scale1))!,
      norm2: layerNormOf(loaded, at(names.norm2)),
      scale2: names.scale2 === undefined ? null : parameters.get(at(names.scale2))!,
    };
  });
  const size = width / heads, sizes = { heads, keyValueHeads: heads, size };
  const isBefore = names.norms === "before";
  return {
    targetModules: blocks.flatMap(({ maps }) => maps),
    run(forward, x, length, mask, positions) {
      const scale = (positions ? 3 * size : size) ** -0.5;
      const shape = { ...sizes, scale, length, causal: false, ...(mask ? { mask } : {}) };
      for (const { norm1, norm2, maps, scale1, scale2 } of blocks) {
        const [q, k, v, o, into, outOf] = maps as [
          TargetModule,
          TargetModule,
          TargetModule,
          TargetModule,
          TargetModule,
          TargetModule,
        ];
        const inputs = positions ? [x, positions.vectors] as const : [x] as const;
        x = forward.block(inputs, ({ tape, linear }, [x, vectors]) => {
          const scaled = (y: Var, factors: Parameter | null) =>
            factors ? scaleColumns(tape, y, tape.parameter(factors)) : y;
          const mixed = (y: Var) => {
            if (!positions) return attention(tape, linear(q, y), linear(k, y), linear(v, y), shape);
            const { map, join } = positions, joined = joinRows(tape, y, vectors!, join);
            const asked = linear(q, joined), looked = linear(k, joined);
            const [ofContents, ofPositions] = join.parts;
            const operands = {
              q: mapRows(tape, asked, ofContents),
              k: mapRows(tape, looked, ofContents),
              qr: mapRows(tape, asked, ofPositions),
              kr: mapRows(tape, looked, ofPositions),
            };
            const bias = relativeScores(tape, operands, heads, scale, map);
            return attention(tape, operands.q, operands.k, linear(v, y), { ...shape, bias });
          };
          const attended = (y: Var) => scaled(linear(o, mixed(y)), scale1);
          const fed = (y: Var) => scaled(linear(outOf, activation(tape, linear(into, y), kind)), scale2);
          const addNormed = (a: Var, b: Var, { weight, bias }: LayerNorm) =>
            addLayerNorm(tape, a, b, tape.parameter(weight), tape.parameter(bias), epsilon, {
              overwrite: true,
            });
          if (isBefore) {
            const { sum, normed } = addNormed(x, attended(layerNormed(tape, x, norm1, epsilon)), norm2);
            return add(tape, sum, fed(normed), { overwrite: true });
          }
          const { normed } = addNormed(x, attended(x), norm1);
          return addNormed(normed, fed(normed), norm2).normed;
        });
      }
      return x;
    },
  };
}
