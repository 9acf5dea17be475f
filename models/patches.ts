/** @file Images cut into patches, as all vision transformers read them. */
import type { HostTensor } from "./model.ts";

/** What images are cut into. */
export interface PatchSizes {
  /** Pixels along each side of the square image; a multiple of `patch`. */
  readonly image: number;
  /** Colour channels. */
  readonly channels: number;
  /** Pixels along each side of a patch. */
  readonly patch: number;
}

/** Images `[batch, channels, side, side]` as rows of patches, each flattened channel, row, column as a convolution does. */
export function patchRows(pixels: HostTensor<"f32">, config: PatchSizes): Float32Array<ArrayBuffer> {
  const { image: side, patch, channels } = config;
  const [images, givenChannels, height, breadth] = pixels.shape as [number, number, number, number];
  if (givenChannels !== channels || height !== side || breadth !== side) {
    throw new RangeError(
      `Cannot read images [${pixels.shape}]: [batch, ${channels}, ${side}, ${side}] is needed`,
    );
  }
  const out = new Float32Array(pixels.data.length);
  let at = 0;
  for (let i = 0; i < images; i++) {
    for (let top = 0; top < side; top += patch) {
      for (let left = 0; left < side; left += patch) {
        for (let channel = 0; channel < channels; channel++) {
          for (let row = 0; row < patch; row++) {
            const start = ((i * channels + channel) * side + top + row) * side + left;
            out.set(pixels.data.subarray(start, start + patch), at);
            at += patch;
          }
        }
      }
    }
  }
  return out;
}
