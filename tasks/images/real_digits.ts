/** @file Real images by path, in the size of the digit tasks and as they are: not turned, no noise. */
import { createRandom } from "../../numerics/random.ts";
import type { TakeImages } from "./image_data.ts";
import { DataError } from "../data/data_error.ts";
import { resizeImage } from "../data/resize_image.ts";
import { countClasses, imageData } from "./image_data.ts";
import { type Digit, DIGITS, SIDE } from "./mnist.ts";
import { trainingOrder } from "../order.ts";
import type { TaskData, TaskOptions } from "../task.ts";

/**
 * Images of up to ten classes in 28 × 28 pixels, grey, -1 for black and 1 for white. Those of other sizes and shapes
 * are resized as `resizeImage` does it.
 *
 * @param id the task's
 * @param take gives the examples
 * @throws {DataError} where there are no such images, too few, one class, or more than ten
 */
export async function realDigits(
  id: string,
  options: TaskOptions & { readonly data: string },
  take: TakeImages,
): Promise<TaskData> {
  let index = 0;
  const { source, classes, ...pools } = await take({
    convert: (image): Digit => ({ index: index++, label: image.label, ink: resizeImage(image, SIDE, 1) }),
    keyOf: ({ ink }) => String.fromCharCode(...ink),
  });
  const count = countClasses(pools, classes, `use ${options.data} for "${id}"`);
  if (count > DIGITS.classes) {
    throw new DataError(
      `Cannot use ${options.data} for "${id}": it has ${count} classes, ${DIGITS.classes} at most are needed`,
    );
  }
  const order = trainingOrder(createRandom(options.seed).fork(`${id} order`), pools.train.length);
  const image = ({ ink }: Digit) => Float32Array.from(ink, (value) => value / 127.5 - 1);
  return { ...imageData(pools, order, { train: image, heldOut: image }, DIGITS), source };
}
