/** @file How sharply the loss bends where a run begins: the largest eigenvalue of its Hessian in what is trained. */
import { createGradients } from "../../autodiff/mod.ts";
import type { Gpu } from "../../gpu/gpu.ts";
import { elementCount } from "../../gpu/tensor.ts";
import type { Batch, Model } from "../../models/model.ts";
import { largestEigenvalue } from "../../numerics/lanczos.ts";
import { createRandom } from "../../numerics/random.ts";
import type { Optimizer } from "../../optimizers/optimizer.ts";
import { differentiate } from "../loop/differentiate.ts";
import type { ForwardOf } from "../loop/forward.ts";
import type { RunConfig, Sharpness } from "../run.ts";
import { normOf } from "./change.ts";

/** Trained numbers at most: the host keeps a vector of so many for each step of Lanczos' method. */
const MOST_TRAINED = 2 ** 22;

/** How far weights are moved along a direction, as a share of the norm of all that is trained. */
const MOVE = 1e-3;

/**
 * The largest eigenvalue of the Hessian of a batch's loss in the method's own trained numbers, by Lanczos' method on central
 * differences of gradients: H v = (∇L(θ + h v) − ∇L(θ − h v)) / 2h. It bounds the rates at which plain descent is stable, 2
 * over it, and is said to explain the rates that suit methods (arXiv 2602.04998). Leaves every bit of the weights as it was.
 *
 * @throws {RangeError} where too much is trained for the host's memory, or gradients are not finite
 */
export async function sharpnessOf(
  gpu: Gpu,
  { model, optimizer, batch, forward, config }: {
    readonly model: Model;
    readonly optimizer: Optimizer;
    readonly batch: Batch;
    readonly forward: ForwardOf;
    readonly config: RunConfig & { readonly sharpness: number };
  },
): Promise<Sharpness> {
  const values = optimizer.trainable.map(({ value }) => value);
  const sizes = values.map(({ shape }) => elementCount(shape)),
    size = sizes.reduce((sum, one) => sum + one, 0);
  if (size > MOST_TRAINED) {
    throw new RangeError(
      `Cannot take the sharpness of ${size} trained numbers: ${MOST_TRAINED} at most, so that the host can keep ` +
        `${config.sharpness} directions`,
    );
  }
  using _ = gpu.scope("sharpness", "activations");
  const store = createGradients(gpu, optimizer.trainable);
  const seed = gpu.upload(Float32Array.of(1), "f32", [1], "loss gradient");
  const starts = await gpu.downloadAll(values);
  const norm = Math.hypot(...starts.map(normOf)), move = MOVE * (norm > 0 ? norm : 1);
  const gradientAt = async (direction: Float64Array, distance: number): Promise<Float64Array> => {
    let place = 0;
    for (const [i, start] of starts.entries()) {
      const moved = new Float32Array(start.length);
      for (let at = 0; at < moved.length; at++) moved[at] = start[at]! + distance * direction[place++]!;
      gpu.write(values[i]!, moved);
    }
    {
      using _ = gpu.scope("gradient", "activations");
      differentiate(gpu, model, batch, store, { parts: config.accumulate, seed, forward });
    }
    const found = await gpu.downloadAll(optimizer.trainable.map((parameter) => store.of(parameter)));
    store.clear();
    const gradient = new Float64Array(size);
    let begin = 0;
    for (const part of found) {
      gradient.set(part, begin);
      begin += part.length;
    }
    return gradient;
  };
  try {
    return await largestEigenvalue(size, async (direction) => {
      const above = await gradientAt(direction, move), below = await gradientAt(direction, -move);
      return above.map((value, i) => (value - below[i]!) / (2 * move));
    }, { steps: config.sharpness, random: createRandom(config.seed).fork("sharpness") });
  } finally {
    for (const [i, start] of starts.entries()) gpu.write(values[i]!, start);
    await gpu.flush();
  }
}
