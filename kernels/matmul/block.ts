/** @file Launches the blocked matrix product, and says which products fill it on a GPU with cores of its own. */
import { defineKernel, MOST_GROUPS } from "../../gpu/kernel.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import { sumParts } from "../reduce/sum_parts.ts";
import { type BlockShape, blockSource, DEPTH } from "./block_source.ts";
import { type ProductShape, rowLengths, type Variant } from "./product.ts";

type BlockKernel = ReturnType<typeof declare>;
const kernels = new Map<string, BlockKernel>();

function declare(shape: BlockShape) {
  const { layout, tile, half, joined } = shape;
  return defineKernel({
    name: `matmul_block_${tile}x${tile}x${DEPTH}_${layout}${half ? "_half" : ""}${joined ? "_joined" : ""}`,
    source: blockSource(shape),
    buffers: {
      a: "read",
      b: "read",
      ...(joined ? { joinedA: "read", joinedB: "read" } as const : {}),
      c: "read_write",
    },
    uniforms: {
      rows: "u32",
      inner: "u32",
      columns: "u32",
      scale: "f32",
      strideA: "u32",
      strideB: "u32",
      strideC: "u32",
      firstBatch: "u32",
      splits: "u32",
      chunk: "u32",
      accumulate: "u32",
      joinedInner: "u32",
      joinedScale: "f32",
    },
    constants: {},
    workgroupBytes: () => 2 * 4 * DEPTH * tile,
  });
}

/** The kernel of a shape: text and pipelines are made once. */
function kernelOf(shape: BlockShape): BlockKernel {
  const key = Object.values(shape).join();
  let kernel = kernels.get(key);
  if (!kernel) kernels.set(key, kernel = declare(shape));
  return kernel;
}

/**
 * Workgroups that keep a GPU busy: fewer are split along the inner axis, each part at least so many steps long.
 * Reasoned, not measured: no such GPU was at hand. `./run tune` measures.
 */
const ENOUGH_GROUPS = 128, LEAST_STEPS = 128;

/** Tile and workgroups of a product. */
function gridOf({ batch, rows, inner, columns }: ProductShape, tile: number) {
  const groupsX = Math.ceil(columns / tile), groupsY = Math.ceil(rows / tile);
  const wanted = Math.ceil(ENOUGH_GROUPS / (groupsX * groupsY));
  const most = batch > 1 ? 1 : Math.max(1, Math.min(wanted, Math.floor(inner / LEAST_STEPS)));
  const chunk = Math.ceil(inner / most / DEPTH) * DEPTH;
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

function block(tile: number): Variant {
  return {
    takes: ({ rows, columns }) => Math.max(rows, columns) / tile <= MOST_GROUPS,
    joins(_gpu, product) {
      const { layout, batch, joined } = product;
      return layout !== "tn" && batch === 1 && joined !== null && gridOf(product, tile).splits === 1;
    },
    launch(gpu, { a, b, c, joined }, product) {
      const { layout, batch, rows, inner, columns, scale, accumulate, half } = product;
      const { groupsX, groupsY, chunk, splits } = gridOf(product, tile);
      const lengths = rowLengths(product), joinedInner = product.joined?.inner ?? 0;
      const kernel = kernelOf({
        layout,
        tile,
        own: tile / 8,
        vectorA: lengths.a % 4 === 0,
        vectorB: lengths.b % 4 === 0,
        vectorC: lengths.c % 4 === 0,
        half,
        joined: joined !== null,
        vectorJoined: joined !== null && joinedInner % 4 === 0 && (layout === "nt" || columns % 4 === 0),
      });
      const launch = (into: Tensor, accumulate: boolean) => {
        for (let first = 0; first < batch; first += MOST_GROUPS) {
          gpu.launch(kernel, {
            buffers: { a, b, ...(joined ? { joinedA: joined.a, joinedB: joined.b } : {}), c: into },
            uniforms: {
              rows,
              inner,
              columns,
              scale,
              strideA: rows * inner,
              strideB: inner * columns,
              strideC: rows * columns,
              firstBatch: first,
              splits,
              chunk,
              accumulate: Number(accumulate),
              joinedInner,
              joinedScale: product.joined?.scale ?? 0,
            },
            workgroups: [groupsX, groupsY, Math.min(batch - first, MOST_GROUPS) * splits],
          });
        }
      };
      if (splits === 1) {
        launch(c, accumulate);
        return;
      }
      using _ = gpu.scope("matmul parts", "scratch");
      const parts = gpu.empty([splits, rows, columns], "matmul parts");
      launch(parts, false);
      sumParts(gpu, parts, c, { count: rows * columns, parts: splits, scale: 1, accumulate });
    },
  };
}
