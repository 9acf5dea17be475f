/** @file Small models that write, and what they write worked out the long way. */
import { createGradients, Tape } from "../../autodiff/mod.ts";
import type { Gpu } from "../../gpu/gpu.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import { createDecoder, type DecoderConfig } from "../../models/decoder.ts";
import { createGpt2 } from "../../models/gpt2.ts";
import {
  createEncoderDecoder,
  type EncoderDecoderConfig,
  initialEncoderDecoderWeights,
} from "../../models/encoder_decoder.ts";
import { type Batch, IGNORE, type Model, type TargetModule } from "../../models/model.ts";
import { initialWeights, type WeightSource } from "../../models/weights.ts";
import { createRandom } from "../../numerics/random.ts";
import { mergedForward } from "../../training/loop/forward.ts";
import { TINY_ENCODER_DECODER } from "./tiny_models.ts";

/** Weights that make a model say many things: with initial ones one token mostly wins. */
function lively(source: WeightSource, factor: number): WeightSource {
  return (name, shape) => {
    const weights = source(name, shape);
    return /norm/.test(name) ? weights : weights.map((x) => factor * x);
  };
}

function decoder(gpu: Gpu, changes: Partial<DecoderConfig>, seed: number): Model {
  const config = {
    ...{
      vocabulary: 11,
      length: 20,
      width: 8,
      layers: 1,
      heads: 2,
      keyValueHeads: 1,
      headSize: 4,
      hidden: 12,
    },
    ...{ normEpsilon: 1e-5, ropeTheta: 10000, tiedHead: false },
    ...changes,
  };
  return createDecoder(gpu, config, lively(initialWeights(createRandom(seed)), 12)) as Model;
}

function encoderDecoder(gpu: Gpu, changes: Partial<EncoderDecoderConfig>): Model {
  const config = { ...TINY_ENCODER_DECODER, ...changes };
  const source = lively(initialEncoderDecoderWeights(config, createRandom(1)), 3);
  return createEncoderDecoder(gpu, config, source) as Model;
}

/** Models that write, each with what it keeps of texts: groups of heads, heads of odd sizes, several layers. */
export const WRITERS: Readonly<Record<string, (gpu: Gpu) => Model>> = {
  "a decoder of one layer": (gpu) => decoder(gpu, {}, 1),
  "a decoder with grouped heads of 6": (gpu) =>
    decoder(gpu, {
      ...{ vocabulary: 17, length: 40, width: 12, layers: 3, heads: 6, keyValueHeads: 2, headSize: 6 },
      ...{ hidden: 20, ropeTheta: 100, tiedHead: true },
    }, 2),
  "a decoder with windows in two layers of three, soft caps and norms": (gpu) =>
    decoder(gpu, {
      ...{ layers: 3, windows: [3, null, 3], windowRopeTheta: 30, scoreCap: 4, logitCap: 20, biases: true },
      ...{ headNorms: true, outputNorms: true, embeddingScale: 3, activation: "gelu-tanh" },
    }, 3),
  "GPT-2 of two layers": (gpu) => {
    const config = {
      ...{ vocabulary: 13, width: 12, layers: 2, heads: 3, hidden: 20, length: 40, normEpsilon: 1e-5 },
      ...{ activation: "gelu-tanh", tiedHead: true } as const,
    };
    return createGpt2(gpu, config, lively(initialWeights(createRandom(4)), 5)) as Model;
  },
  "an encoder-decoder like T5 v1.1": (gpu) => encoderDecoder(gpu, {}),
  "an encoder-decoder like T5 v1.0": (gpu) =>
    encoderDecoder(gpu, { headSize: 4, feedForward: "relu", tiedHead: true }),
};

/** The scores after `written`, by a forward pass over all of the text, alone and without padding. */
export async function scoresAfter(
  gpu: Gpu,
  model: Model,
  weights: ReadonlyMap<TargetModule, Tensor>,
  prompt: readonly number[],
  written: readonly number[],
): Promise<Float32Array> {
  using _ = gpu.scope("scores");
  const one = (tokens: readonly number[]) => ({ data: Int32Array.from(tokens), shape: [1, tokens.length] });
  const forward = mergedForward(new Tape(gpu, createGradients(gpu, [])), weights);
  const text = [...prompt, ...written];
  const batch: Batch = model.family === "decoder"
    ? { family: "decoder", tokens: one(text), targets: one(text.map(() => IGNORE)) }
    : {
      family: "encoder-decoder",
      inputs: one(prompt),
      inputMask: { data: new Uint32Array(prompt.length).fill(1), shape: [1, prompt.length] },
      targets: one([...written, IGNORE]),
    };
  const logits = model.logits(forward, batch).value, width = logits.shape.at(-1)!;
  return (await gpu.download(logits)).slice(-width);
}

/** Greedy text the long way: every token by a forward pass of its own over all before it. */
export async function uncached(
  gpu: Gpu,
  model: Model,
  weights: ReadonlyMap<TargetModule, Tensor>,
  prompt: readonly number[],
  { maxTokens, stop }: { readonly maxTokens: number; readonly stop: number | readonly number[] },
): Promise<number[]> {
  const written: number[] = [];
  while (written.length < maxTokens) {
    const scores = await scoresAfter(gpu, model, weights, prompt, written);
    const token = scores.indexOf(Math.max(...scores));
    if ([stop].flat().includes(token)) break;
    written.push(token);
  }
  return written;
}
