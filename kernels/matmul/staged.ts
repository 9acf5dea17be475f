/** @file Launches the staged matrix product, and says which products it suits on an adapter that runs on the processor. */
import type { Gpu } from "../../gpu/gpu.ts";
import { defineKernel, MAX_GROUPS } from "../../gpu/kernel.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import { sumParts } from "../reduce/sum_parts.ts";
import { kernelsByShape } from "../wgsl/by_shape.ts";
import {
  alignment,
  type Operands,
  type Product,
  PRODUCT_UNIFORMS,
  productBuffers,
  type ProductShape,
  productUniforms,
  suffixOf,
  type Variant,
} from "./product.ts";
import { type StagedShape, stagedSource } from "./staged_source.ts";

/**
 * A product of fewer workgroups and at least so many chunks of the inner axis has the chunks side by side, and a
 * second pass over their sums; any other has them one after the other. Measured: both are even near these numbers.
 */
const FEW_GROUPS = 16, MANY_CHUNKS = 4;
/** Most parts side by side: bounds the scratch memory where the inner axis is long. */
const MAX_PARTS = 16;
/**
 * Lanes of a workgroup, a row of C each. Many share the work of staging a tile and are about an eighth faster, where
 * rows fill them and the processor has as few cores as there are workgroups then. Sums do not depend on it.
 */
const FEW_LANES = 64, MANY_LANES = 256;
/**
 * Inner steps of the epilogue that the last chunk may take along. Up to 16 they come beside every last chunk; more of them where that
 * saves a pass over C.
 */
const EPILOGUE_STEPS = [4, 8, 16, 32, 64] as const, NARROW_EPILOGUE = 16, WIDEST_EPILOGUE = 64;

const kernelOf = kernelsByShape((shape: StagedShape) => {
  const { steps, columns, vectorA, typeB, epilogueSteps } = shape;
  const epilogue = epilogueSteps > 0;
  const buffers = productBuffers(epilogue);
  const uniforms = {
    ...PRODUCT_UNIFORMS,
    rowA: "u32",
    stepA: "u32",
    columnB: "u32",
    stepB: "u32",
    firstStep: "u32",
    parts: "u32",
    zero: "u32",
    columnEpilogue: "u32",
    stepEpilogue: "u32",
  } as const;
  return defineKernel({
    name: `matmul_staged_${steps}x${columns}${vectorA ? "" : "_strided"}${suffixOf(typeB)}${
      epilogue ? `_epilogue${epilogueSteps}` : ""
    }`,
    source: stagedSource(shape, { buffers, uniforms }),
    buffers,
    uniforms,
    constants: { LANES: FEW_LANES },
    workgroupBytes: () => 4 * (steps + epilogueSteps) * columns,
  });
});

/**
 * Inner steps and columns of the tile: a thin side gets a thin one. Each chunk of the inner axis reads and writes C
 * again, which costs as much as 64 steps of products: 128 steps are a seventh faster over a whole training step where
 * they fill as well, and take twice as long to compile. Few tiles, for that reason.
 */
function tileOf(
  product: ProductShape & { readonly epilogue?: unknown },
): { readonly steps: number; readonly tileColumns: number } {
  const { layout, inner, columns, epilogue, reuse } = product;
  // The epilogue's steps beside 128 would not fit into workgroup memory; Aᵀ of few steps is not worth a kernel.
  const deep = !epilogue && !reuse && (layout !== "tn" || inner >= 1024) &&
    2 * Math.ceil(inner / 128) === Math.ceil(inner / 64);
  return {
    steps: inner <= 16 && !reuse ? 16 : inner <= 32 && !reuse && !epilogue ? 32 : deep ? 128 : 64,
    tileColumns: columns <= 8 ? 8 : columns <= 16 ? 16 : columns <= 32 && !reuse ? 32 : 64,
  };
}

/** One dispatch over a part of the inner axis. */
interface Chunk {
  readonly first: number;
  readonly steps: number;
}

/**
 * The chunks of the inner axis, of which the last takes the epilogue along. Beside a wide one of these only 64 steps fit,
 * so the chunks before are deep.
 */
function chunksOf(product: Product): readonly Chunk[] {
  const { inner, epilogue } = product, { steps } = tileOf(product);
  const even = (from: number, to: number, steps: number): Chunk[] =>
    Array.from({ length: Math.ceil((to - from) / steps) }, (_, i) => ({ first: from + i * steps, steps }));
  if (!epilogue || epilogue.inner <= NARROW_EPILOGUE) return even(0, inner, steps);
  const last = Math.floor((inner - 1) / 64) * 64, deep = Math.floor(last / 128) * 128;
  return [...even(0, deep, 128), ...even(deep, last, 64), { first: last, steps }];
}

/** True where the epilogue comes with the last chunk: where it is narrow, or that saves a pass. */
function joins(product: Product): boolean {
  const { epilogue } = product;
  if (!epilogue || epilogue.inner > WIDEST_EPILOGUE) return false;
  if (epilogue.inner <= NARROW_EPILOGUE) return true;
  const apart = (inner: number) => chunksOf({ ...product, inner, epilogue: null }).length;
  return !product.reuse && chunksOf(product).length < apart(product.inner) + apart(epilogue.inner);
}

/** Workgroups along the columns of C, chunks of the inner axis, and how many of these lie side by side. */
function gridOf(product: Parameters<typeof tileOf>[0]) {
  const { batch, rows, inner, columns, wholeRows = rows } = product;
  const { steps, tileColumns } = tileOf(product);
  const groupsX = Math.ceil(wholeRows / FEW_LANES), groupsY = Math.ceil(columns / tileColumns);
  const chunks = Math.ceil(inner / steps);
  const few = batch === 1 && groupsX * groupsY < FEW_GROUPS && chunks >= MANY_CHUNKS;
  return { groupsY, parts: few ? Math.min(chunks, MAX_PARTS) : 1 };
}

function lanesOf({ rows, reuse }: ProductShape): number {
  // Not by how rows fill the last workgroup: a size of batch more would be another kernel to compile.
  return reuse || Math.ceil(rows / MANY_LANES) >= navigator.hardwareConcurrency ? MANY_LANES : FEW_LANES;
}

/** True where A's rows can be read as vec4; an element by itself costs almost twice as much. */
function readsVectors(product: ProductShape): boolean {
  return product.layout !== "tn" && product.inner % 4 === 0;
}

/**
 * True where the staged variant is faster than the tiled one, both measured on llvmpipe over some 400 shapes.
 *
 * It computes whole tiles, at four times the speed, and pays for what it pads: products that fill a quarter of their
 * tiles break even. Where A is read element by element it is about 1.7 times as fast at best, and thin
 * outputs gain nothing. A product that is to reuse kernels wastes what it must, but takes no kernel for such reads.
 */
export function suitsStaged(product: ProductShape): boolean {
  if (product.reuse) return readsVectors(product);
  const { rows, inner, columns } = product;
  const { steps, tileColumns } = tileOf(product);
  const fill = (size: number, tile: number) => size / (Math.ceil(size / tile) * tile);
  const filled = fill(rows, FEW_LANES) * fill(inner, steps) * fill(columns, tileColumns);
  return readsVectors(product) ? filled >= 0.25 : filled >= 0.6 && columns > 16;
}

/** The tile of B staged in workgroup memory, rows of A in registers. */
export const staged: Variant = {
  takes({ rows, columns }) {
    return Math.max(rows / FEW_LANES, columns / 16) <= MAX_GROUPS;
  },
  fuses(_gpu, product) {
    const { layout, batch, epilogue } = product;
    return layout !== "tn" && batch === 1 && epilogue !== null && joins(product) &&
      gridOf(product).parts === 1;
  },
  launch(gpu, operands, product) {
    const { parts } = gridOf(product);
    if (parts === 1) {
      launchChunks(gpu, operands, product);
      return;
    }
    const { rows, columns, accumulate } = product, { a, b, c } = operands;
    using _ = gpu.scope("matmul parts", "scratch");
    const sums = gpu.empty([parts, rows, columns], "matmul parts");
    launchChunks(gpu, { a, b, c: sums, epilogue: null }, { ...product, accumulate: false });
    sumParts(gpu, sums, c, { count: rows * columns, parts, scale: 1, accumulate });
  },
};

/** One dispatch for each chunk of the inner axis, or for so many as lie side by side. */
function launchChunks(gpu: Gpu, { a, b, c, epilogue }: Operands, product: Product): void {
  const { layout, batch, rows, inner, columns, typeB } = product;
  const { tileColumns } = tileOf(product);
  const { groupsY, parts } = gridOf(product), lanes = lanesOf(product);
  const chunks = chunksOf(product), epilogueInner = product.epilogue?.inner ?? 0;
  const { vectorB, vectorC, vectorEpilogue } = alignment(product);
  const shape = {
    ...{ columns: tileColumns, vectorA: readsVectors(product), vectorB, vectorC, typeB },
    ...{ epilogueSteps: 0, vectorEpilogue: false },
  };
  const epilogueSteps = EPILOGUE_STEPS.find((steps) => steps >= epilogueInner) ?? 0;
  const uniforms = {
    ...productUniforms(product),
    ...layout === "tn" ? { rowA: 1, stepA: rows } : { rowA: inner, stepA: 1 },
    ...layout === "nt"
      ? { columnB: inner, stepB: 1, columnEpilogue: epilogueInner, stepEpilogue: 1 }
      : { columnB: 1, stepB: columns, columnEpilogue: 1, stepEpilogue: columns },
    ...{ parts, zero: 0 },
  };
  for (let chunk = 0; chunk < chunks.length; chunk += parts) {
    const { first, steps } = chunks[chunk]!;
    const fuses: { a: Tensor; b: Tensor } | null = chunk + 1 === chunks.length ? epilogue : null;
    const kernel = kernelOf({ ...shape, steps, ...fuses ? { epilogueSteps, vectorEpilogue } : {} });
    for (let firstBatch = 0; firstBatch < batch; firstBatch += MAX_GROUPS) {
      const groupsZ = parts > 1
        ? Math.min(chunks.length - chunk, parts)
        : Math.min(batch - firstBatch, MAX_GROUPS);
      gpu.launch(kernel, {
        buffers: { a, b, ...(fuses ? { epilogueA: fuses.a, epilogueB: fuses.b } : {}), c },
        uniforms: {
          ...uniforms,
          firstBatch,
          firstStep: first,
          // The chunks after the first add to what the first has left.
          accumulate: Number(product.accumulate || chunk > 0),
        },
        constants: { LANES: lanes },
        workgroups: [Math.ceil(rows / lanes), groupsY, groupsZ],
      });
    }
  }
}
