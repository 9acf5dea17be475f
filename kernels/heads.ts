/** @file Between rows of a sequence and attention heads, with rotary position embedding where asked. */
import type { Gpu } from "../gpu/gpu.ts";
import { defineKernel } from "../gpu/kernel.ts";
import { elementCount, type Tensor } from "../gpu/tensor.ts";
import { groupsFor } from "./elementwise.ts";
import source from "./heads.wgsl" with { type: "text" };

const kernel = defineKernel({
  name: "heads",
  source,
  buffers: { x: "read", angles: "read", out: "read_write" },
  uniforms: { vectors: "u32", length: "u32", heads: "u32", size: "u32", direction: "f32", accumulate: "u32" },
  constants: { MERGE: false, ROTARY: false },
});

/** How rows fall into heads. */
export interface HeadSizes {
  readonly length: number;
  readonly heads: number;
  /** Width of a head; even where `angles` are given. */
  readonly size: number;
  /** (cosine, sine) by position and pair, `[length or more, size / 2, 2]`: turns pair (i, i + size / 2) of each head. */
  readonly angles?: Tensor;
}

/** `[batch · length, heads · size]` to `[batch · heads, length, size]`; `inverse` undoes the rotation instead. */
export function splitHeads(gpu: Gpu, x: Tensor, sizes: HeadSizes, inverse = false): Tensor {
  const { length, heads, size } = sizes;
  const batch = elementCount(x.shape) / (length * heads * size);
  const out = gpu.empty([batch * heads, length, size], `${x.label} by heads`);
  launch(gpu, x, out, sizes, { merge: false, direction: inverse ? -1 : 1, accumulate: false });
  return out;
}

/** `[batch · heads, length, size]` to rows `[batch · length, heads · size]`; `inverse` undoes the rotation instead. */
export function mergeHeads(
  gpu: Gpu,
  x: Tensor,
  sizes: HeadSizes,
  options: { readonly inverse?: boolean; readonly into?: Tensor; readonly accumulate?: boolean } = {},
): Tensor {
  const { length, heads, size } = sizes;
  const batch = elementCount(x.shape) / (length * heads * size);
  const out = options.into ?? gpu.empty([batch * length, heads * size], `${x.label} by rows`);
  launch(gpu, x, out, sizes, {
    merge: true,
    direction: options.inverse ? -1 : 1,
    accumulate: options.accumulate ?? false,
  });
  return out;
}

function launch(
  gpu: Gpu,
  x: Tensor,
  out: Tensor,
  sizes: HeadSizes,
  how: { readonly merge: boolean; readonly direction: number; readonly accumulate: boolean },
): void {
  const { length, heads, size, angles } = sizes;
  const count = elementCount(x.shape);
  if (!Number.isInteger(count / (length * heads * size))) {
    throw new RangeError(
      `Cannot split "${x.label}" [${x.shape}] into ${heads} heads of ${size} over ${length} positions`,
    );
  }
  if (
    angles &&
    (size % 2 !== 0 || angles.shape[0]! < length || elementCount(angles.shape) !== angles.shape[0]! * size)
  ) {
    throw new RangeError(
      `Cannot turn heads of ${size} over ${length} positions by "${angles.label}" [${angles.shape}]`,
    );
  }
  gpu.launch(kernel, {
    buffers: { x, angles: angles ?? x, out },
    uniforms: {
      vectors: count / size,
      length,
      heads,
      size,
      direction: how.direction,
      accumulate: Number(how.accumulate),
    },
    constants: { MERGE: how.merge, ROTARY: angles !== undefined },
    workgroups: groupsFor(count / size * Math.ceil(size / 4)),
  });
}
