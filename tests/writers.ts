/** @file Small models that write, and what they write worked out the long way. */
import { createGradients, Tape } from "../autodiff/mod.ts";
import type { Gpu } from "../gpu/gpu.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { createDecoder } from "../models/decoder.ts";
import { createEncoderDecoder } from "../models/encoder_decoder.ts";
import { type Batch, IGNORE, type LinearSite, type Model } from "../models/model.ts";
import { initialWeights } from "../models/weights.ts";
import { createRandom } from "../numerics/random.ts";
import { mergedForward } from "../training/forward.ts";
import { TINY_ENCODER_DECODER, tinyDecoder, tinyEncoderDecoder } from "./tiny_models.ts";

/** Models that write, each with what it keeps of texts: groups of heads, heads of odd sizes, several layers. */
export const WRITERS: Readonly<Record<string, (gpu: Gpu) => Model>> = {
  "a decoder of one layer": tinyDecoder,
  "a decoder with grouped heads of 6": (gpu) =>
    createDecoder(gpu, {
      ...{ vocabulary: 17, length: 40, width: 12, layers: 3, heads: 6, keyValueHeads: 2, headSize: 6 },
      ...{ hidden: 20, normEpsilon: 1e-5, ropeTheta: 100, tiedHead: true },
    }, initialWeights(createRandom(2))) as Model,
  "an encoder-decoder like T5 v1.1": (gpu) => tinyEncoderDecoder(gpu),
  "an encoder-decoder like T5 v1.0": (gpu) =>
    createEncoderDecoder(gpu, {
      ...TINY_ENCODER_DECODER,
      ...{ vocabulary: 13, headSize: 4, feedForward: "relu", tiedHead: true },
    }, initialWeights(createRandom(3))) as Model,
};
/** Weights that make a model say many things: initial ones are so small that one token always wins. */
export async function enliven(gpu: Gpu, model: Model): Promise<void> {
  for (const { name, value } of model.parameters) {
    if (/norm/.test(name)) continue;
    const data = await gpu.download(value);
    gpu.write(value, data.map((x) => 12 * x));
  }
}

/** The scores after `written`, by a forward pass over all of the text, alone and without padding. */
export async function scoresAfter(
  gpu: Gpu,
  model: Model,
  weights: ReadonlyMap<LinearSite, Tensor>,
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
  weights: ReadonlyMap<LinearSite, Tensor>,
  prompt: readonly number[],
  { maxTokens, stop }: { readonly maxTokens: number; readonly stop: number },
): Promise<number[]> {
  const written: number[] = [];
  while (written.length < maxTokens) {
    const scores = await scoresAfter(gpu, model, weights, prompt, written);
    const token = scores.indexOf(Math.max(...scores));
    if (token === stop) break;
    written.push(token);
  }
  return written;
}
