/** @file CLIP as a classifier without training: the classes are the directions of texts that describe them. */
import { createGradients, matmul, rmsNorm, Tape } from "../autodiff/mod.ts";
import type { Var } from "../autodiff/tape.ts";
import type { Gpu } from "../gpu/gpu.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { ClipTextTower } from "./clip_text.ts";
import type { Forward, HostTensor, Model, VisionBatch } from "./model.ts";

/** The name under which checkpoints keep the logarithm of the scale of cosines, `[]`. */
export const LOGIT_SCALE = "logit_scale";

/** Smaller than the mean square of any row that is not all but 0: as in CLIP, nothing is added that shows. */
const EPSILON = 1e-30;

/** What `unitRows` multiplies by, for rows of so many columns; in the caller's scope. */
export function unitShare(gpu: Gpu, columns: number): Tensor {
  // An RMS norm divides by the Euclidean norm over sqrt(columns).
  return gpu.upload(new Float32Array(columns).fill(columns ** -0.5), "f32", [columns], "unit length");
}

/** Each row of x `[rows, columns]` divided by its Euclidean norm. @param share `unitShare` of the columns */
export function unitRows(tape: Tape, x: Var, share: Tensor): Var {
  return rmsNorm(tape, x, tape.constant(share), EPSILON);
}

/**
 * A classifier's weights `[classes, outputs]`: each class has the direction of the mean of its texts' embeddings, all of
 * unit length, times the scale that CLIP learned for cosines, exp(logit_scale).
 *
 * @param forwardOf the tower's own weights, as training's `plainForward`
 * @param descriptions for each class one text or more, as token ids with start and end token, e.g. of the prompts "a photo
 * of a dog." and "a drawing of a dog."
 * @param logitScale as it is stored: the logarithm of the scale
 * @throws {RangeError} where there is no class, or a class has no text
 * Source: Radford et al., arXiv 2103.00020, section 3.1.4: ensembles of prompts are averaged in embedding space.
 */
export async function zeroShotHead(
  gpu: Gpu,
  tower: ClipTextTower,
  forwardOf: (tape: Tape) => Forward,
  descriptions: readonly (readonly Int32Array[])[],
  logitScale: number,
): Promise<Float32Array<ArrayBuffer>> {
  const empty = descriptions.findIndex((texts) => texts.length === 0);
  if (descriptions.length === 0 || empty >= 0) {
    const what = empty >= 0 ? `class ${empty} has no text` : "there is no class";
    throw new RangeError(`Cannot make a zero-shot head: ${what}, one at least is needed`);
  }
  const scale = Math.exp(logitScale), rows: Float32Array[] = [];
  for (const texts of descriptions) {
    using _ = gpu.scope("texts of a class", "activations");
    const forward = forwardOf(new Tape(gpu, createGradients(gpu, [])));
    const embeddings = tower.embed(forward, side(texts)), outputs = embeddings.value.shape[1]!;
    const data = await gpu.download(unitRows(forward.tape, embeddings, unitShare(gpu, outputs)).value);
    const sum = new Float64Array(outputs);
    data.forEach((value, i) => sum[i % outputs]! += value);
    const norm = Math.hypot(...sum);
    rows.push(Float32Array.from(sum, (value) => scale * value / norm));
  }
  const head = new Float32Array(rows.length * rows[0]!.length);
  rows.forEach((row, i) => head.set(row, i * row.length));
  return head;
}

/** Texts side by side, padded with 0 on the right, behind their end tokens, where nothing looks. */
function side(texts: readonly Int32Array[]): HostTensor<"i32"> {
  const length = Math.max(...texts.map((text) => text.length));
  const data = new Int32Array(texts.length * length);
  texts.forEach((text, row) => data.set(text, row * length));
  return { data, shape: [texts.length, length] };
}

/**
 * A vision tower with a zero-shot head, in the caller's scope: its logits are `[batch, classes]`, the products of images of unit length with the
 * head's rows. The head is not among the parameters, so that no method trains it: as in the LoRA-Pro paper's runs on CLIP,
 * only the tower is fine-tuned.
 *
 * @param head `[classes, outputs]`, see `zeroShotHead`
 */
export function zeroShotClassifier(
  gpu: Gpu,
  tower: Model<VisionBatch>,
  head: Tensor,
): Model<VisionBatch> {
  const share = unitShare(gpu, head.shape[1]!);
  return {
    ...tower,
    logits(forward, batch) {
      const { tape } = forward;
      const images = unitRows(tape, tower.logits(forward, batch), share);
      return matmul(tape, images, tape.constant(head), { transposeB: true });
    },
  };
}
