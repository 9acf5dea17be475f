/** @file Launches what scatters rows into a larger tensor, such as new keys beside those that are kept. */
import type { Gpu } from "../../gpu/gpu.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import { elementCount, type Tensor } from "../../gpu/tensor.ts";
import { groupsFor } from "../wgsl/groups.ts";
import source from "./scatter_rows.wgsl" with { type: "text" };

const kernel = defineKernel({
  name: "scatter_rows",
  source,
  buffers: { x: "read", places: "read", positions: "read", angles: "read", into: "read_write" },
  uniforms: { rows: "u32", columns: "u32", size: "u32" },
  constants: { ROTARY: false },
});

/** Rotary position embedding of rows of heads. */
export interface Rotary {
  /** Of each row, `[rows]`; each below the number of positions that `angles` has. */
  readonly positions: Tensor<"u32">;
  /** (cosine, sine) by position and pair, `[positions, size / 2, 2]`: rotates pair (i, i + size / 2) of each head. */
  readonly angles: Tensor;
}

/**
 * into[places[r]] = x[r] for the rows of x `[rows, columns]`, rotated where `rotary` is given; the other rows of `into`
 * stay. `places` is `[rows]`, no two alike, each below the rows of `into` `[.., columns]`: neither is checked.
 *
 * @throws {RangeError} where a tensor does not fit the others
 */
export function scatterRows(gpu: Gpu, x: Tensor, places: Tensor<"u32">, into: Tensor, rotary?: Rotary): void {
  const columns = x.shape.at(-1)!, rows = elementCount(x.shape) / columns;
  const size = rotary ? 2 * rotary.angles.shape[1]! : columns;
  if (
    into.shape.at(-1) !== columns || elementCount(places.shape) !== rows ||
    (rotary && (columns % size !== 0 || elementCount(rotary.positions.shape) !== rows))
  ) {
    throw new RangeError(
      `Cannot scatter "${x.label}" [${x.shape}] to places [${places.shape}] of "${into.label}" [${into.shape}]` +
        (rotary ? `, heads of ${size} rotated by positions [${rotary.positions.shape}]` : ""),
    );
  }
  gpu.launch(kernel, {
    buffers: { x, places, positions: rotary?.positions ?? places, angles: rotary?.angles ?? x, into },
    uniforms: { rows, columns, size },
    constants: { ROTARY: rotary !== undefined },
    workgroups: groupsFor(rows * Math.ceil(size / 2)),
  });
}
