/** @file The transformer that both towers of CLIP are: pre-norm blocks of attention and a feed-forward part, with biases. */
import { activation, add, addLayerNorm, attention, layerNorm } from "../autodiff/mod.ts";
import type { Parameter, Tape, Var } from "../autodiff/tape.ts";
import type { Forward, TargetModule } from "./model.ts";
import type { LoadedParameters, ParameterList } from "./weights.ts";

/** Sizes and constants of a stack of blocks. */
export interface ClipEncoderConfig {
  /** Width of the residual stream. */
  readonly width: number;
  /** Blocks. */
  readonly layers: number;
  /** Attention heads; divides `width`. */
  readonly heads: number;
  /** Inner width of the feed-forward part. */
  readonly hidden: number;
  /** Of the feed-forward part. */
  readonly activation: "gelu" | "quick-gelu";
  /** Added to the variance before its root is taken. */
  readonly normEpsilon: number;
}

/** Weight and bias of a layer norm. */
export interface ClipNorm {
  /** What rows of variance 1 are multiplied by. */
  readonly weight: Parameter;
  /** What is added then. */
  readonly bias: Parameter;
}

/** A stack of blocks whose parameters lie on the GPU. */
export interface ClipEncoder {
  /** Its linear maps, in the order of the forward pass. */
  readonly targetModules: readonly TargetModule[];
  /**
   * Runs all blocks on x `[texts or images · length, width]`.
   *
   * @param causal true where a position sees no later one
   */
  run(forward: Forward, x: Var, length: number, causal: boolean): Var;
}

/** Names and shapes of a layer norm's parameters. */
export function clipNormParameters(name: string, width: number): ParameterList {
  return [{ name: `${name}.weight`, shape: [width] }, { name: `${name}.bias`, shape: [width] }];
}

/** Parameters of the blocks of `<root>.encoder`, under the names of Hugging Face's CLIP. */
export function clipEncoderParameters(root: string, config: ClipEncoderConfig): ParameterList {
  const { width, layers, hidden } = config;
  const linear = (name: string, out: number, inputs: number) => [
    { name: `${name}.weight`, shape: [out, inputs] },
    { name: `${name}.bias`, shape: [out] },
  ];
  return Array.from({ length: layers }, (_, layer) => {
    const block = `${root}.encoder.layers.${layer}`;
    return [
      ...clipNormParameters(`${block}.layer_norm1`, width),
      ...["q_proj", "k_proj", "v_proj", "out_proj"].flatMap((name) =>
        linear(`${block}.self_attn.${name}`, width, width)
      ),
      ...clipNormParameters(`${block}.layer_norm2`, width),
      ...linear(`${block}.mlp.fc1`, hidden, width),
      ...linear(`${block}.mlp.fc2`, width, hidden),
    ];
  }).flat();
}

/** Finds a layer norm among loaded parameters. */
export function clipNorm({ parameters }: LoadedParameters, name: string): ClipNorm {
  return { weight: parameters.get(`${name}.weight`)!, bias: parameters.get(`${name}.bias`)! };
}

/** x, normed. */
export function clipNormed(tape: Tape, x: Var, { weight, bias }: ClipNorm, epsilon: number): Var {
  return layerNorm(tape, x, tape.parameter(weight), tape.parameter(bias), epsilon);
}

/** Makes the blocks of `<root>.encoder` of loaded parameters. */
export function clipEncoder(
  loaded: LoadedParameters,
  root: string,
  config: ClipEncoderConfig,
): ClipEncoder {
  const { width, heads, layers, normEpsilon: epsilon } = config;
  const { parameters, frozen } = loaded;
  const targetModule = (name: string): TargetModule => {
    const weightName = `${root}.encoder.${name}.weight`;
    const weight = frozen.get(weightName) ?? parameters.get(weightName)!;
    const bias = parameters.get(`${root}.encoder.${name}.bias`)!;
    return { name, weight, bias, out: weight.value.shape[0]!, in: weight.value.shape[1]! };
  };
  const blocks = Array.from({ length: layers }, (_, layer) => ({
    norm1: clipNorm(loaded, `${root}.encoder.layers.${layer}.layer_norm1`),
    q: targetModule(`layers.${layer}.self_attn.q_proj`),
    k: targetModule(`layers.${layer}.self_attn.k_proj`),
    v: targetModule(`layers.${layer}.self_attn.v_proj`),
    o: targetModule(`layers.${layer}.self_attn.out_proj`),
    norm2: clipNorm(loaded, `${root}.encoder.layers.${layer}.layer_norm2`),
    fc1: targetModule(`layers.${layer}.mlp.fc1`),
    fc2: targetModule(`layers.${layer}.mlp.fc2`),
  }));
  const size = width / heads, sizes = { heads, keyValueHeads: heads, size, scale: size ** -0.5 };
  return {
    targetModules: blocks.flatMap(({ q, k, v, o, fc1, fc2 }) => [q, k, v, o, fc1, fc2]),
    run(forward, x, length, causal) {
      const shape = { ...sizes, length, causal };
      for (const block of blocks) {
        x = forward.block([x], ({ tape, linear }, [x]) => {
          const y = clipNormed(tape, x, block.norm1, epsilon);
          const mixed = attention(tape, linear(block.q, y), linear(block.k, y), linear(block.v, y), shape);
          const { weight, bias } = block.norm2, added = linear(block.o, mixed);
          const norm = [tape.parameter(weight), tape.parameter(bias)] as const;
          const after = addLayerNorm(tape, x, added, ...norm, epsilon, { overwrite: true });
          const inner = activation(tape, linear(block.fc1, after.normed), config.activation);
          return add(tape, after.sum, linear(block.fc2, inner), { overwrite: true });
        });
      }
      return x;
    },
  };
}
