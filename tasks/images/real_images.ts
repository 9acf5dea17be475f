/** @file Real images by path for a model of the user's: in its size, its channels and its scale. */
import type { ImageInput } from "../../models/model.ts";
import { createRandom } from "../../numerics/random.ts";
import { cropImage } from "../data/crop_image.ts";
import type { Image } from "../data/image_file.ts";
import { trainingOrder } from "../order.ts";
import type { TaskData, TaskOptions } from "../task.ts";
import { countClasses, imageData, scoredTogether, type TakeImages } from "./image_data.ts";

/** What a run may add to the bytes of its images, so as not to cut small ones anew for each batch. */
const ADDED = 2 ** 30;

/** An image that waits for its batch. */
interface KeptImage {
  readonly label: number;
  /** As it was read, or as it was cut. */
  image: Image;
  isCut: boolean;
  /** Equal for equal pixels, and for no others. */
  readonly key: string;
}

/**
 * Images of as many classes as there are, cut to the model's size as `cropImage` does it: a channel's value x of 0 to 255
 * is (x / 255 - mean) / deviation.
 *
 * An image is kept in bytes, `side`² times channels at most: as it was read or as it was cut, whichever is less. What a
 * run uses is kept as it was cut, as long as that adds no more than 1 GiB.
 *
 * @param id the task's
 * @param input with the pixels along each side of the model's images
 * @param take gives the examples
 * @throws {DataError} where there are no such images, or too few, and as `countClasses` does
 */
export async function realImages(
  id: string,
  options: TaskOptions & { readonly data: string },
  input: ImageInput & { readonly side: number },
  take: TakeImages,
): Promise<TaskData> {
  const { side, channels, resize } = input;
  // Loaded when needed: other runs have no images of the user's.
  const { createHash } = await import("node:crypto");
  const { source, classes, ...pools } = await take({
    convert({ label, ...image }): KeptImage {
      const { width, height, pixels } = image;
      const hash = createHash("sha256").update(`${width} ${height}\0`).update(pixels).digest("base64");
      const isSmall = pixels.length <= side * side * channels;
      return {
        label,
        key: hash,
        image: isSmall ? image : cropImage(image, side, channels, resize),
        isCut: !isSmall,
      };
    },
    keyOf: ({ key }) => key,
    by: JSON.stringify([side, channels, resize]),
  });
  const count = countClasses(pools, classes, `use ${options.data} for "${id}"`);
  const order = trainingOrder(createRandom(options.seed).fork(`${id} order`), pools.train.length);
  let left = ADDED;
  const image = (kept: KeptImage) => {
    const cut = kept.isCut ? kept.image : cropImage(kept.image, side, channels, resize);
    const added = cut.pixels.length - kept.image.pixels.length;
    if (added <= left) {
      left -= added;
      [kept.image, kept.isCut] = [cut, true];
    }
    return toInput(cut.pixels, input);
  };
  const data = imageData(pools, order, { train: image, heldOut: image }, { classes: count, side, channels });
  const most = scoredTogether(input);
  return {
    ...data,
    // Images of 224 pixels take hundreds of times what digits do.
    validationBatches: (size) => data.validationBatches(Math.min(size, most)),
    testBatches: (size) => data.testBatches!(Math.min(size, most)),
    source,
    ...(classes && { classes }),
  };
}

/** `[side, side, channels]` of bytes as `[channels, side, side]` of what the model takes. */
function toInput(pixels: Uint8Array, { channels, mean, deviation }: ImageInput): Float32Array {
  const size = pixels.length / channels, out = new Float32Array(pixels.length);
  for (let c = 0; c < channels; c++) {
    for (let i = 0; i < size; i++) {
      out[c * size + i] = (pixels[i * channels + c]! / 255 - mean[c]!) / deviation[c]!;
    }
  }
  return out;
}
