/** @file Launches what puts rows into a larger tensor, such as new keys beside those that are kept. */
import type { Gpu } from "../../gpu/gpu.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import { elementCount, type Tensor } from "../../gpu/tensor.ts";
import { groupsFor } from "../wgsl/groups.ts";
import source from "./keep_rows.wgsl" with { type: "text" };

const kernel = defineKernel({
  name: "keep_rows",
  source,
  buffers: { x: "read", places: "read", positions: "read", angles: "read", into: "read_write" },
  uniforms: { rows: "u32", columns: "u32", size: "u32" },
  constants: { TURNED: false },
});

/** How rows of heads are turned: rotary position embedding. */
export interface Turn {
  /** Of each row, `[rows]`; each below the number of positions that `angles` has. */
  readonly positions: Tensor<"u32">;
  /** (cosine, sine) by position and pair, `[positions, size / 2, 2]`: turns pair (i, i + size / 2) of each head. */
  readonly angles: Tensor;
}

/**
 * into[places[r]] = x[r] for the rows of x `[rows, columns]`, turned where `turn` is given; the other rows of `into`
 * stay. `places` is `[rows]`, no two alike, each below the rows of `into` `[.., columns]`: neither is checked.
 *
 * @throws {RangeError} where a tensor does not fit the others
 */
export function keepRows(gpu: Gpu, x: Tensor, places: Tensor<"u32">, into: Tensor, turn?: Turn): void {
  const columns = x.shape.at(-1)!, rows = elementCount(x.shape) / columns;
  const size = turn ? 2 * turn.angles.shape[1]! : columns;
  if (
    into.shape.at(-1) !== columns || elementCount(places.shape) !== rows ||
    (turn && (columns % size !== 0 || elementCount(turn.positions.shape) !== rows))
  ) {
    throw new RangeError(
      `Cannot put "${x.label}" [${x.shape}] at places [${places.shape}] of "${into.label}" [${into.shape}]` +
        (turn ? `, heads of ${size} turned by positions [${turn.positions.shape}]` : ""),
    );
  }
  gpu.launch(kernel, {
    buffers: { x, places, positions: turn?.positions ?? places, angles: turn?.angles ?? x, into },
    uniforms: { rows, columns, size },
    constants: { TURNED: turn !== undefined },
    workgroups: groupsFor(rows * Math.ceil(size / 2)),
  });
}
