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
/** Inner steps of the epilogue that the last chunk may take along. */
const EPILOGUE_STEPS = [4, 8, 16, 32, 64] as const, WIDEST_EPILOGUE = 64;

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
    firstPart: "u32",
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
 * Columns of a tile of B: a thin side gets a thin one. Few kinds, since each takes seconds to compile: 48 where no more of
 * them are needed than of 64, since each tile costs as much again as some of its columns.
 */
function columnsOf({ columns, reuse }: ProductShape): number {
  if (reuse) return columns <= 8 ? 8 : columns <= 16 ? 16 : 64;
  return [8, 16, 32].find((most) => columns <= most) ?? (columns <= 48 * Math.ceil(columns / 64) ? 48 : 64);
}

/** One dispatch over a part of the inner axis, with its tile of B, in the room that workgroup memory has. */
interface Chunk {
  readonly first: number;
  readonly steps: number;
  readonly columns: number;
}

/**
 * The chunks of the inner axis, deep ones before a rest. Each reads and writes C again, which costs as much as 64 steps of
 * products. The last takes the epilogue along, beside which 128 steps have room in a narrower tile. Chunks of 64 steps alone
 * compile in half the time, and take longer: see docs/performance.md.
 */
function chunksOf(product: ProductShape & Partial<Pick<Product, "epilogue">>): readonly Chunk[] {
  const { layout, inner, epilogue, reuse } = product, columns = columnsOf(product);
  const beside = epilogue?.inner ?? 0, isTurned = layout === "tn";
  const even = (to: number, steps: number): Chunk[] =>
    Array.from({ length: Math.ceil(to / steps) }, (_, i) => ({ first: i * steps, steps, columns }));
  if (reuse) return even(inner, 64);
  if (inner <= 32 && (inner <= 16 || beside === 0)) return even(inner, inner <= 16 ? 16 : 32);
  // Aᵀ of few steps is not worth a deep kernel.
  if (isTurned && inner < 512) return even(inner, 64);
  const first = Math.floor((inner - 1) / 128) * 128, left = inner - first;
  if (left <= 64) return [...even(first, 128), { first, steps: 64, columns }];
  if (left <= 96 && !isTurned && beside <= 32) return [...even(first, 128), { first, steps: 96, columns }];
  // Tiles of 32 columns where no fewer of 48 are needed.
  const all = product.columns, narrow = beside > 32 || Math.ceil(all / 32) === Math.ceil(all / 48) ? 32 : 48;
  return [...even(first, 128), {
    ...{ first, steps: 128 },
    columns: beside === 0 ? columns : Math.min(columns, narrow),
  }];
}

/** True where the epilogue comes with the last chunk. */
function joins({ epilogue, reuse }: Product): boolean {
  return epilogue !== null && !reuse && epilogue.inner <= WIDEST_EPILOGUE;
}

/** Chunks of the inner axis that lie side by side. */
function partsOf(product: Product): number {
  const { batch, rows, columns, wholeRows = rows } = product, chunks = chunksOf(product).length;
  const groups = Math.ceil(wholeRows / FEW_LANES) * Math.ceil(columns / columnsOf(product));
  return batch === 1 && groups < FEW_GROUPS && chunks >= MANY_CHUNKS ? Math.min(chunks, MAX_PARTS) : 1;
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
  const steps = chunksOf(product).reduce((sum, chunk) => sum + chunk.steps, 0);
  const fill = (size: number, tile: number) => size / (Math.ceil(size / tile) * tile);
  const filled = fill(rows, FEW_LANES) * fill(columns, columnsOf(product)) * inner / steps;
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
      partsOf(product) === 1;
  },
  launch(gpu, operands, product) {
    const parts = partsOf(product);
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
  const parts = partsOf(product), lanes = lanesOf(product);
  const chunks = chunksOf(product), epilogueInner = product.epilogue?.inner ?? 0;
  const { vectorB, vectorC, vectorEpilogue } = alignment(product);
  const shape = {
    ...{ vectorA: readsVectors(product), vectorB, vectorC, typeB },
    ...{ epilogueSteps: 0, vectorEpilogue: false },
  };
  const epilogueSteps = EPILOGUE_STEPS.find((steps) => steps >= epilogueInner) ?? 0;
  const uniforms = {
    ...productUniforms(product),
    ...layout === "tn" ? { rowA: 1, stepA: rows } : { rowA: inner, stepA: 1 },
    ...layout === "nt"
      ? { columnB: inner, stepB: 1, columnEpilogue: epilogueInner, stepEpilogue: 1 }
      : { columnB: 1, stepB: columns, columnEpilogue: 1, stepEpilogue: columns },
    zero: 0,
  };
  for (let chunk = 0; chunk < chunks.length;) {
    const { first, ...tile } = chunks[chunk]!, place = chunk % parts;
    const others = chunks.slice(chunk, chunk + parts - place).findIndex(({ steps }) => steps !== tile.steps);
    // Of those that lie side by side, the ones of a kind.
    const alike = others < 0 ? Math.min(parts - place, chunks.length - chunk) : others;
    const fuses: { a: Tensor; b: Tensor } | null = chunk + 1 === chunks.length ? epilogue : null;
    const kernel = kernelOf({ ...shape, ...tile, ...fuses ? { epilogueSteps, vectorEpilogue } : {} });
    for (let firstBatch = 0; firstBatch < batch; firstBatch += MAX_GROUPS) {
      gpu.launch(kernel, {
        buffers: { a, b, ...(fuses ? { epilogueA: fuses.a, epilogueB: fuses.b } : {}), c },
        uniforms: {
          ...uniforms,
          firstBatch,
          firstPart: place,
          parts: alike,
          firstStep: first,
          // The chunks after the first add to what the first has left.
          accumulate: Number(product.accumulate || chunk >= parts),
        },
        constants: { LANES: lanes },
        workgroups: [
          Math.ceil(rows / lanes),
          Math.ceil(columns / tile.columns),
          parts > 1 ? alike : Math.min(batch - firstBatch, MAX_GROUPS),
        ],
      });
    }
    chunk += alike;
  }
}
