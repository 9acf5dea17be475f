/** @file What tiled and blocked products share: batches, and parts of the inner axis that are added up in the end. */
import type { Gpu } from "../../gpu/gpu.ts";
import { MAX_GROUPS } from "../../gpu/kernel.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import { sumParts } from "../reduce/sum_parts.ts";
import { type Operands, type Product, PRODUCT_UNIFORMS, productUniforms } from "./product.ts";

/** Uniforms of such kernels: batches lie along z, and in each of them the parts of the inner axis. */
export const SPLIT_UNIFORMS = { ...PRODUCT_UNIFORMS, splits: "u32", chunk: "u32" } as const;

/** How a product is shared out. */
export interface SplitGrid {
  readonly groupsX: number;
  readonly groupsY: number;
  /** Parts of the inner axis, each of `chunk` steps but for the last: one where there are several batches. */
  readonly splits: number;
  readonly chunk: number;
}

/** Forms a product by one `launch`, or by several for more batches than WebGPU takes; adds its parts up. */
export function launchSplit(
  gpu: Gpu,
  { a, b, c, epilogue }: Operands,
  product: Product,
  { groupsX, groupsY, splits, chunk }: SplitGrid,
  launch: (how: {
    readonly buffers: { readonly a: Tensor; readonly b: Operands["b"]; readonly c: Tensor };
    readonly uniforms: { readonly [K in keyof typeof SPLIT_UNIFORMS]: number };
    readonly workgroups: readonly [number, number, number];
  }) => void,
): void {
  const { batch, rows, columns, accumulate } = product;
  const launchInto = (into: Tensor, accumulate: boolean) => {
    for (let firstBatch = 0; firstBatch < batch; firstBatch += MAX_GROUPS) {
      launch({
        buffers: { a, b, ...(epilogue ? { epilogueA: epilogue.a, epilogueB: epilogue.b } : {}), c: into },
        uniforms: {
          ...productUniforms(product),
          ...{ firstBatch, accumulate: Number(accumulate), splits, chunk },
        },
        workgroups: [groupsX, groupsY, Math.min(batch - firstBatch, MAX_GROUPS) * splits],
      });
    }
  };
  if (splits === 1) return launchInto(c, accumulate);
  using _ = gpu.scope("matmul parts", "scratch");
  const parts = gpu.empty([splits, rows, columns], "matmul parts");
  launchInto(parts, false);
  sumParts(gpu, parts, c, { count: rows * columns, parts: splits, scale: 1, accumulate });
}
