/** @file Launches the blocked matrix product, and says which products fill it on a GPU with cores of its own. */
import { defineKernel, MAX_GROUPS } from "../../gpu/kernel.ts";
import { kernelsByShape } from "../wgsl/by_shape.ts";
import { type BlockShape, blockSource, DEPTH } from "./block_source.ts";
import { alignment, productBuffers, type ProductShape, suffixOf, type Variant } from "./product.ts";
import { launchSplit, SPLIT_UNIFORMS } from "./split.ts";

const kernelOf = kernelsByShape((shape: BlockShape) => {
  const { layout, tile, double, typeB, epilogue } = shape;
  const buffers = productBuffers(epilogue), uniforms = SPLIT_UNIFORMS;
  return defineKernel({
    name: `matmul_block_${tile}x${tile}x${DEPTH}_${layout}${suffixOf(typeB)}${epilogue ? "_epilogue" : ""}${
      double ? "_double" : ""
    }`,
    source: blockSource(shape, { buffers, uniforms }),
    buffers,
    uniforms,
    constants: {},
    workgroupBytes: () => (double ? 2 : 1) * 2 * 4 * DEPTH * tile,
  });
});

/**
 * Workgroups that keep a GPU busy: fewer are split along the inner axis, each part at least so many steps long.
 * Reasoned, not measured: no such GPU was at hand. `./run autotune` measures.
 */
const ENOUGH_GROUPS = 128, MIN_STEPS = 128;

/** Tile and workgroups of a product. */
function gridOf({ batch, rows, inner, columns, wholeRows = rows }: ProductShape, tile: number) {
  const groupsX = Math.ceil(columns / tile), groupsY = Math.ceil(rows / tile);
  const wanted = Math.ceil(ENOUGH_GROUPS / (groupsX * Math.ceil(wholeRows / tile)));
  const maxSplits = batch > 1 ? 1 : Math.max(1, Math.min(wanted, Math.floor(inner / MIN_STEPS)));
  const chunk = Math.ceil(inner / maxSplits / DEPTH) * DEPTH;
  // Rounding up can leave the last parts empty.
  return { groupsX, groupsY, chunk, splits: Math.ceil(inner / chunk) };
}

/**
 * The largest block that a product fills at least by half and with enough workgroups, or null: thin outputs and short
 * inner axes are left to the register tile.
 */
export function blockFor(product: ProductShape): "block64" | "block32" | null {
  const { batch, rows, inner, columns } = product;
  if (Math.min(rows, columns) <= 16 || inner < DEPTH) return null;
  const fill = (size: number, tile: number) => size / (Math.ceil(size / tile) * tile);
  const suits = (tile: number) => block(tile).takes(product) && fill(rows, tile) * fill(columns, tile) >= 0.5;
  const { groupsX, groupsY, splits } = gridOf(product, 64);
  if (suits(64) && batch * groupsX * groupsY * splits >= ENOUGH_GROUPS) return "block64";
  return suits(32) ? "block32" : null;
}

/** Both operands in workgroup memory: tiles of 64 by 64 with 8 by 8 a lane, or of 32 by 32 with 4 by 4. */
export const block64: Variant = block(64), block32: Variant = block(32);

/**
 * Tiles of 128 by 128 with 8 by 8 a lane, for large products; and of 64 by 64 whose next inner steps are fetched while those
 * at hand are multiplied. No rule takes these: no GPU was at hand that could say where they are faster. `./run autotune` can.
 */
export const block128: Variant = block(128), block64Double: Variant = block(64, true);

function block(tile: number, double = false): Variant {
  return {
    takes: ({ rows, columns }) => Math.max(rows, columns) / tile <= MAX_GROUPS,
    fuses(_gpu, product) {
      const { layout, batch, epilogue } = product;
      return layout !== "tn" && batch === 1 && epilogue !== null && gridOf(product, tile).splits === 1;
    },
    launch(gpu, operands, product) {
      const { layout, typeB, epilogue } = product;
      const kernel = kernelOf({
        ...{ layout, tile, own: Math.min(tile / 8, 8), double, typeB, epilogue: epilogue !== null },
        ...alignment(product),
      });
      launchSplit(gpu, operands, product, gridOf(product, tile), (how) => gpu.launch(kernel, how));
    },
  };
}
