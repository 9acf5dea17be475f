/** @file GPT-2: learned positions, layer norms before attention and feed-forward part, one map for queries, keys and values. */
import {
  activation,
  add,
  addLayerNorm,
  embed,
  gatherMap,
  layerNorm,
  mapRows,
  reshape,
} from "../autodiff/mod.ts";
import type { Parameter, Tape, Var } from "../autodiff/tape.ts";
import type { Gpu } from "../gpu/gpu.ts";
import type { DecoderBatch, Model, TargetModule } from "./model.ts";
import { type TextNetwork, textWriter } from "./text_writer.ts";
import { loadParameters, type ParameterList, type Precisions, type WeightSource } from "./weights.ts";

/** Sizes and constants, as in Radford et al., "Language Models are Unsupervised Multitask Learners". */
export interface Gpt2Config {
  /** Tokens that it knows. */
  readonly vocabulary: number;
  /** Width of the residual stream. */
  readonly width: number;
  /** Blocks. */
  readonly layers: number;
  /** Attention heads; divides `width`. */
  readonly heads: number;
  /** Inner width of the feed-forward part. */
  readonly hidden: number;
  /** Longest sequence: rows of the table of positions. */
  readonly length: number;
  /** Of the feed-forward part. */
  readonly activation: "gelu" | "gelu-tanh" | "relu";
  /** Added to the variance before its root is taken. */
  readonly normEpsilon: number;
  /** True where the output layer is the embedding itself. */
  readonly tiedHead: boolean;
}

/**
 * Parameters under their Hugging Face names. Maps are `[out, in]` as everywhere here; its files have them the other way,
 * see `isTurned`.
 */
export function gpt2Parameters(config: Gpt2Config): ParameterList {
  const { vocabulary, width, layers, hidden, length } = config;
  const norm = (name: string) => [
    { name: `${name}.weight`, shape: [width] },
    { name: `${name}.bias`, shape: [width] },
  ];
  const linear = (name: string, out: number, inputs: number) => [
    { name: `${name}.weight`, shape: [out, inputs] },
    { name: `${name}.bias`, shape: [out] },
  ];
  return [
    { name: "transformer.wte.weight", shape: [vocabulary, width] },
    { name: "transformer.wpe.weight", shape: [length, width] },
    ...Array.from({ length: layers }, (_, layer) => {
      const block = `transformer.h.${layer}`;
      return [
        ...norm(`${block}.ln_1`),
        ...linear(`${block}.attn.c_attn`, 3 * width, width),
        ...linear(`${block}.attn.c_proj`, width, width),
        ...norm(`${block}.ln_2`),
        ...linear(`${block}.mlp.c_fc`, hidden, width),
        ...linear(`${block}.mlp.c_proj`, width, hidden),
      ];
    }).flat(),
    ...norm("transformer.ln_f"),
    ...(config.tiedHead ? [] : [{ name: "lm_head.weight", shape: [vocabulary, width] }]),
  ];
}

/**
 * Builds GPT-2 on the GPU, in the caller's scope. Its logits are `[batch · length, vocabulary]`. Target modules'
 * weights are kept in the precisions that are given, by name.
 */
export function createGpt2(
  gpu: Gpu,
  config: Gpt2Config,
  source: WeightSource,
  precisions: Precisions = new Map(),
): Model<DecoderBatch> {
  const { vocabulary, width, layers, heads, length, normEpsilon: epsilon } = config;
  const weightName = (name: string) => name.endsWith(".weight") ? name : `transformer.${name}.weight`;
  const { parameters, frozen } = loadParameters(
    gpu,
    gpt2Parameters(config),
    source,
    new Map([...precisions].map(([name, type]) => [weightName(name), type])),
  );
  const parameter = (name: string): Parameter => parameters.get(`transformer.${name}`)!;
  const norm = (name: string) => ({
    weight: parameter(`${name}.weight`),
    bias: parameter(`${name}.bias`),
  });
  const targetModule = (name: string): TargetModule => {
    const weight = frozen.get(`transformer.${name}.weight`) ?? parameter(`${name}.weight`);
    const bias = parameter(`${name}.bias`);
    return { name, weight, bias, out: weight.value.shape[0]!, in: weight.value.shape[1]! };
  };
  const blocks = Array.from({ length: layers }, (_, layer) => ({
    norm1: norm(`h.${layer}.ln_1`),
    qkv: targetModule(`h.${layer}.attn.c_attn`),
    o: targetModule(`h.${layer}.attn.c_proj`),
    norm2: norm(`h.${layer}.ln_2`),
    fc: targetModule(`h.${layer}.mlp.c_fc`),
    proj: targetModule(`h.${layer}.mlp.c_proj`),
  }));
  const table = (name: string) => frozen.get(name) ?? parameters.get(name)!;
  const embedding = table("transformer.wte.weight"), positionTable = parameter("wpe.weight");
  const finalNorm = norm("ln_f"), head = config.tiedHead ? embedding : table("lm_head.weight");
  const normed = (tape: Tape, x: Var, { weight, bias }: ReturnType<typeof norm>): Var =>
    layerNorm(tape, x, tape.parameter(weight), tape.parameter(bias), epsilon);

  const network: TextNetwork = (forward, { tokens, positions, attend, last }) => {
    const { tape } = forward, { rows } = tokens.forward;
    // A row of queries, keys and values is three rows, of which each takes one.
    const parts = [0, 1, 2].map((part) =>
      gatherMap(gpu, Array.from({ length: rows }, (_, row) => 3 * row + part), 3 * rows)
    );
    let x = add(
      tape,
      embed(tape, tape.parameter(embedding), tokens),
      mapRows(tape, tape.parameter(positionTable), positions!),
    );
    for (const [layer, block] of blocks.entries()) {
      x = forward.block([x], ({ tape, linear }, [x]) => {
        const joined = reshape(tape, linear(block.qkv, normed(tape, x, block.norm1)), [3 * rows, width]);
        const [q, k, v] = parts.map((part) => mapRows(tape, joined, part));
        const mixed = linear(block.o, attend(tape, layer, q!, k!, v!));
        const { weight, bias } = block.norm2;
        const own = [tape.parameter(weight), tape.parameter(bias)] as const;
        const next = addLayerNorm(tape, x, mixed, ...own, epsilon, { overwrite: true });
        const inner = activation(tape, linear(block.fc, next.normed), config.activation);
        return add(tape, next.sum, linear(block.proj, inner), { overwrite: true });
      });
    }
    if (last) x = mapRows(tape, x, last);
    return { states: normed(tape, x, finalNorm), map: { weight: tape.parameter(head) } };
  };

  const headSize = width / heads, kind = { scale: headSize ** -0.5 };
  return {
    family: "decoder",
    parameters: [...parameters.values()],
    targetModules: blocks.flatMap(({ qkv, o, fc, proj }) => [qkv, o, fc, proj]),
    head: [],
    ...textWriter(gpu, {
      ...{ network, vocabulary, length, positions: true, heads, keyValueHeads: heads, headSize },
      kinds: blocks.map(() => kind),
    }),
  };
}
