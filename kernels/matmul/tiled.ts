/** @file Launches the register-tiled matrix product: every shape on every adapter. */
import type { Gpu } from "../../gpu/gpu.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import { kernelsByShape } from "../wgsl/by_shape.ts";
import { alignment, productBuffers, type ProductShape, suffixOf, type Variant } from "./product.ts";
import { launchSplit, SPLIT_UNIFORMS } from "./split.ts";
import { type TiledShape, tiledSource } from "./tiled_source.ts";

const kernelOf = kernelsByShape((shape: TiledShape) => {
  const { layout, tileRows, tileColumns, typeB, epilogue } = shape;
  const buffers = productBuffers(epilogue);
  const uniforms = { ...SPLIT_UNIFORMS, lanesX: "u32", zero: "u32" } as const;
  return defineKernel({
    name: `matmul_tiled_${tileRows}x${tileColumns}_${layout}${suffixOf(typeB)}${epilogue ? "_epilogue" : ""}`,
    source: tiledSource(shape, { buffers, uniforms }),
    buffers,
    uniforms,
    constants: { LANES: 64 },
  });
});

/** A tile of C in the registers of each lane. */
export const tiled: Variant = {
  takes: () => true,
  fuses(gpu, product) {
    const { layout, batch, epilogue } = product;
    return layout !== "tn" && batch === 1 && epilogue !== null && gridOf(gpu, product).splits === 1;
  },
  launch(gpu, operands, product) {
    const { layout, typeB, epilogue } = product;
    const { tileRows, tileColumns, lanesX, lanes, ...grid } = gridOf(gpu, product);
    const kernel = kernelOf({
      ...{ layout, tileRows, tileColumns, typeB, epilogue: epilogue !== null },
      ...alignment(product),
    });
    launchSplit(gpu, operands, product, grid, (how) =>
      gpu.launch(kernel, {
        ...how,
        uniforms: { ...how.uniforms, lanesX, zero: 0 },
        constants: { LANES: lanes },
      }));
  },
};

/** Tile and workgroups of a product, and into how many parts its inner axis is split. */
function gridOf(gpu: Gpu, { batch, rows, inner, columns, wholeRows = rows }: ProductShape) {
  const tileRows = wholeRows <= 4 ? 4 : 8, tileColumns = columns <= 4 ? 4 : 8;
  const lanesX = Math.min(8, ceilingPowerOfTwo(Math.ceil(columns / tileColumns)));
  // A software adapter gains nothing from large workgroups, and compiles a text again for each size.
  const lanes = gpu.info.software || lanesX * Math.ceil(wholeRows / tileRows) <= 16 ? 16 : 64;
  const groupsX = Math.ceil(columns / (tileColumns * lanesX));
  const groupsOf = (rows: number) => Math.ceil(rows / (tileRows * (lanes / lanesX)));
  const groupsY = groupsOf(rows);
  const splits = batch > 1 ? 1 : splitsOf(gpu, groupsX * groupsOf(wholeRows), inner);
  const chunk = splits === 1 ? inner : Math.ceil(inner / splits / 4) * 4;
  return { tileRows, tileColumns, lanesX, lanes, groupsX, groupsY, splits, chunk };
}

/** Parts of the inner axis: as many as fill the adapter, each long enough to be worth a second pass. */
function splitsOf(gpu: Gpu, groups: number, inner: number): number {
  const wanted = Math.ceil((gpu.info.software ? 4 : 128) / groups);
  const splits = Math.max(1, Math.min(wanted, Math.floor(inner / 128)));
  // Rounding chunks up to vectors of four can leave the last parts empty; they would add zeros.
  return splits === 1 ? 1 : Math.ceil(inner / (Math.ceil(inner / splits / 4) * 4));
}

function ceilingPowerOfTwo(value: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, value)));
}
