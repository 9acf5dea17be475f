/** @file What a trained model can be asked: classes and greedy text, on merged weights. */
import { createGradients, mapRows, pickRows, Tape } from "../autodiff/mod.ts";
import type { Gpu } from "../gpu/gpu.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { argmax } from "../kernels/mod.ts";
import { type Batch, type DecoderBatch, IGNORE, type LinearSite, type Model } from "../models/model.ts";
import type { Predictor } from "../tasks/task.ts";
import { mergedForward } from "./forward.ts";

/** Prompts that are continued or followed together. */
const PROMPTS = 64;
/** Sequence lengths are rounded up to multiples of this, so that few sizes of buffers occur. */
const LENGTH_STEP = 8;

/** A predictor over `weights`, the merged weights of adapted sites, which must stay alive. */
export function createPredictor(
  gpu: Gpu,
  model: Model,
  weights: ReadonlyMap<LinearSite, Tensor>,
  longest: number,
): Predictor {
  const store = createGradients(gpu, []);
  /** The best class of each of `rows` of the logits, or of all. */
  const bestOf = async (batch: Batch, rows?: readonly number[]): Promise<Int32Array> => {
    using _ = gpu.scope("predict", "activations");
    const tape = new Tape(gpu, store);
    const logits = model.logits(mergedForward(tape, weights), batch);
    const chosen = rows ? mapRows(tape, logits, pickRows(gpu, rows, logits.value.shape[0]!)) : logits;
    return await gpu.download(argmax(gpu, chosen.value));
  };
  return {
    classify: (batch) => bestOf(batch),
    async generate(prompts, { maxTokens, stop }) {
      const out: Int32Array[] = [];
      for (let first = 0; first < prompts.length; first += PROMPTS) {
        out.push(...await continueTogether(prompts.slice(first, first + PROMPTS), maxTokens, stop));
      }
      return out;
    },
    async follows(prompts, continuations) {
      const out: boolean[] = [];
      for (let first = 0; first < prompts.length; first += PROMPTS) {
        const texts = prompts.slice(first, first + PROMPTS).map((prompt, i) => ({
          prompt,
          continuation: continuations[first + i]!,
        }));
        out.push(...await followTogether(texts));
      }
      return out;
    },
  };

  async function followTogether(
    texts: readonly { readonly prompt: Int32Array; readonly continuation: Int32Array }[],
  ): Promise<boolean[]> {
    const out = new Array<boolean>(texts.length).fill(false);
    // The last token need not be read, only foreseen.
    const read = texts.map(({ prompt, continuation }) => [...prompt, ...continuation].slice(0, -1));
    const fitting = [...texts.keys()].filter((i) => read[i]!.length <= longest);
    if (fitting.length === 0) return out;
    const { batch, length } = padded(fitting.map((i) => read[i]!));
    const rows = fitting.flatMap((i, row) =>
      [...texts[i]!.continuation.keys()].map((k) => row * length + texts[i]!.prompt.length - 1 + k)
    );
    const best = await bestOf(batch, rows);
    let next = 0;
    for (const i of fitting) {
      const { continuation } = texts[i]!;
      const foreseen = best.subarray(next, next += continuation.length);
      out[i] = continuation.every((token, k) => token === foreseen[k]);
    }
    return out;
  }

  /** Texts as one batch, padded on the right: causal attention never looks there. */
  function padded(texts: readonly (readonly number[])[]): { batch: DecoderBatch; length: number } {
    const needed = Math.max(...texts.map((text) => text.length));
    const length = Math.min(longest, Math.ceil(needed / LENGTH_STEP) * LENGTH_STEP);
    const tokens = new Int32Array(texts.length * length);
    texts.forEach((text, row) => tokens.set(text, row * length));
    const shape = [texts.length, length];
    return {
      length,
      batch: {
        family: "decoder",
        tokens: { data: tokens, shape },
        targets: { data: new Int32Array(tokens.length).fill(IGNORE), shape },
      },
    };
  }

  async function continueTogether(
    prompts: readonly Int32Array[],
    maxTokens: number,
    stop: number,
  ): Promise<Int32Array[]> {
    const texts = prompts.map((prompt) => [...prompt]);
    const open = new Set(texts.keys());
    for (let step = 0; step < maxTokens && open.size > 0; step++) {
      const rows = [...open].filter((row) => texts[row]!.length <= longest);
      if (rows.length === 0) break;
      const { batch, length } = padded(rows.map((row) => texts[row]!));
      const next = await bestOf(batch, rows.map((row, i) => i * length + texts[row]!.length - 1));
      rows.forEach((row, i) => {
        if (next[i] === stop) open.delete(row);
        else texts[row]!.push(next[i]!);
      });
      for (const row of open) if (texts[row]!.length > longest) open.delete(row);
    }
    return texts.map((text, row) => Int32Array.from(text.slice(prompts[row]!.length)));
  }
}
