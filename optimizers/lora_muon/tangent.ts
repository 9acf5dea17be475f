/** @file Directions in the tangent space of W0 + s B A: polar factors of size 2 r, and nothing of W's size. */
import type { Gpu } from "../../gpu/gpu.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import {
  rightSvds,
  type SmallMatrices,
  smallProducts,
  smallStride,
  svdNumbers,
  svdScratchSizes,
  type TallMatrices,
  tallMatrices,
  tallOverlaps,
  tallProducts,
  tallTableWords,
  thinSvds,
} from "../../kernels/mod.ts";
import {
  type FactorSides,
  largerOf,
  leftVectorFlops,
  sideSizes,
  smallSizes,
  svdFlops,
  svdScratch,
  zerosLike,
} from "../factor_sides.ts";
import type { ModelShapes, PackSizes } from "../optimizer.ts";
import blocksSource from "./tangent_blocks.wgsl" with { type: "text" };

const blocksKernel = defineKernel({
  name: "tangent_blocks",
  source: blocksSource,
  buffers: {
    upperLeft: "read_write",
    upperRight: "read_write",
    lowerLeft: "read_write",
    whole: "read_write",
  },
  uniforms: { rank: "u32", row: "u32", block: "u32" },
  constants: { OUT: false },
});

/** Three r x r matrices a layer, as `smallProducts` makes them. */
export interface TangentBlocks {
  readonly upperLeft: SmallMatrices;
  readonly upperRight: SmallMatrices;
  readonly lowerLeft: SmallMatrices;
}

/** `[2 r, 2 r]` of each layer from its blocks, with 0 as the fourth; or the blocks from it. */
export function copyBlocks(
  gpu: Gpu,
  blocks: TangentBlocks,
  whole: Tensor,
  { rank, count, out }: { readonly rank: number; readonly count: number; readonly out: boolean },
): void {
  gpu.launch(blocksKernel, {
    buffers: {
      upperLeft: blocks.upperLeft.tensor,
      upperRight: blocks.upperRight.tensor,
      lowerLeft: blocks.lowerLeft.tensor,
      whole,
    },
    uniforms: { rank, row: smallStride(rank), block: rank * smallStride(rank) },
    constants: { OUT: out },
    workgroups: [Math.ceil(rank ** 2 / 64), count],
  });
}

/** Where `[2 r, 2 r]` of each layer lie, one behind the other. Uploads a table into the caller's scope. */
export type BlockLayout = Omit<TallMatrices, "flat">;

/** Describes them for so many layers. */
export function describeBlocks(gpu: Gpu, rank: number, count: number, anyTensor: Tensor): BlockLayout {
  const { flat: _, ...layout } = tallMatrices(
    gpu,
    anyTensor,
    2 * rank,
    Array.from({ length: count }, (_, i) => ({
      offset: 4 * i * rank ** 2,
      rows: 2 * rank,
      rowStride: 2 * rank,
      columnStride: 1,
    })),
  );
  return layout;
}

/** Words of its table. */
export function blockTable(rank: number, count: number): PackSizes {
  return [tallTableWords(Array.from({ length: count }, () => 2 * rank))];
}

/** How a direction is formed. */
export interface TangentOptions {
  /** How often the polar factor is taken and projected. */
  readonly times: number;
  /** Share of a largest singular value under which one counts as 0. */
  readonly floor: number;
  /** s. */
  readonly scale: number;
  /** `[targetModules]`. */
  readonly ones: Tensor;
  readonly layout: BlockLayout;
}

/**
 * Steps of the factors along `times` times X ← P(msign(X)), for X = P_B gA + (1 − P_B) gB P_A, P(X) = P_B X + X P_A − P_B X P_A and
 * what is known of two full gradients: `a` holds s Bᵀ gA, `b` holds s gB Aᵀ. With the result X:
 *
 *     b ← keep b + c/s X Aᵀ(AAᵀ)⁻¹,    a ← keep a + c/s (BᵀB)⁻¹Bᵀ X (1 − P_A)
 *
 * With B = U S V_Bᵀ, Aᵀ = L T V_Aᵀ, X is U C Lᵀ + U Fᵀ + E Lᵀ with F off L and E off U, in the bases [U Q_E] and [L Q_F] a matrix
 * of size 2 r: [C FᵀQ_F; Q_EᵀE 0]. What vanishes of a factor is left out, as by pseudo-inverses.
 */
export function tangentSteps(
  gpu: Gpu,
  { a, b }: FactorSides,
  moments: { readonly a: TallMatrices; readonly b: TallMatrices },
  out: { readonly a: TallMatrices; readonly b: TallMatrices },
  { times, floor, scale, ones, layout }: TangentOptions,
  { c, keep }: { readonly c: number; readonly keep: number },
): void {
  const { rank } = a.matrices, count = a.parameters.length;
  const ofB = thinSvds(gpu, b.matrices), ofA = thinSvds(gpu, a.matrices);
  const inverse = { rank, f: "s/(s²+d)", factors: ones } as const;
  const coordinates = (moment: TallMatrices, { v, values }: typeof ofA, side: typeof a) => {
    const g = zerosLike(gpu, side, "gradients in the other factor's basis");
    const by = smallProducts(gpu, v, null, { ...inverse, values, scale: 1 / scale });
    tallProducts(gpu, g, [{ x: moment, by }]);
    return g;
  };
  // gᵀ U and g L.
  const f = coordinates(moments.a, ofB, a), e = coordinates(moments.b, ofA, b);
  const upperLeft = tallOverlaps(gpu, f, ofA.left);
  tallProducts(gpu, f, [{ x: ofA.left, by: tallOverlaps(gpu, ofA.left, f), scale: -1 }], 1);
  tallProducts(gpu, e, [{ x: ofB.left, by: tallOverlaps(gpu, ofB.left, e), scale: -1 }], 1);
  const { left: qf } = thinSvds(gpu, f), { left: qe } = thinSvds(gpu, e);
  const blocks = { upperLeft, upperRight: tallOverlaps(gpu, f, qf), lowerLeft: tallOverlaps(gpu, qe, e) };
  const flat = gpu.empty([count, 2 * rank, 2 * rank], "a direction's coordinates");
  for (let time = 0; time < times; time++) {
    using _ = gpu.scope("polar factors", "scratch");
    const whole = { ...layout, flat };
    copyBlocks(gpu, blocks, flat, { rank, count, out: false });
    const { v, values } = rightSvds(gpu, whole);
    const by = smallProducts(gpu, v, v, { ...inverse, rank: 2 * rank, values, eachShare: floor });
    const polar = { ...layout, flat: gpu.empty(flat.shape, "polar factors") };
    tallProducts(gpu, polar, [{ x: whole, by }]);
    copyBlocks(gpu, blocks, polar.flat, { rank, count, out: true });
  }
  const back = (of: SmallMatrices, { v, values }: typeof ofA) =>
    smallProducts(gpu, of, v, { ...inverse, values });
  const turned = { ...blocks.upperRight, row: 1, column: blocks.upperRight.row };
  const share = c / scale;
  tallProducts(gpu, out.b, [
    { x: ofB.left, by: back(blocks.upperLeft, ofA), scale: share },
    { x: qe, by: back(blocks.lowerLeft, ofA), scale: share },
  ], keep);
  tallProducts(gpu, out.a, [{ x: qf, by: back(turned, ofB), scale: share }], keep);
}

/** What `tangentSteps` allocates at most, by formula. */
export function tangentScratch(
  targetModules: ModelShapes["targetModules"],
  rank: number,
): readonly PackSizes[] {
  const small = smallSizes(targetModules, rank), count = targetModules.length;
  const sizes = { a: sideSizes(targetModules, rank, "a"), b: sideSizes(targetModules, rank, "b") };
  const svds = { a: svdScratch(targetModules, rank, "a"), b: svdScratch(targetModules, rank, "b") };
  let most: readonly PackSizes[] = [], held: PackSizes[] = [];
  const hold = (...packs: readonly PackSizes[]) => {
    held = [...held, ...packs];
    most = largerOf(most, held);
  };
  const decompose = (which: "a" | "b") => {
    most = largerOf(most, [...held, ...svds[which].left, ...svds[which].bases]);
    hold(...svds[which].left);
  };
  decompose("b");
  decompose("a");
  hold(sizes.a, sizes.b, ...Array.from({ length: 5 }, () => small));
  decompose("a");
  decompose("b");
  hold(small, small, [4 * count * rank ** 2]);
  const numbers = [count * svdNumbers(2 * rank)], wide = smallSizes(targetModules, 2 * rank);
  const bases = svdScratchSizes(2 * rank, targetModules.map(() => 2 * rank), false);
  most = largerOf(most, [...held, numbers, ...bases]);
  most = largerOf(most, [...held, numbers, wide, [4 * count * rank ** 2]]);
  hold(small, small, small);
  return most;
}

/** FLOPs of `tangentSteps` for one target module. */
export function tangentFlops(rank: number, columns: number, out: number, times: number): number {
  const svds = [columns, out].map((rows) => svdFlops(rank, rows) + leftVectorFlops(rank, rows));
  // Four decompositions; coordinates, three overlaps, two corrections, two overlaps and three products of the steps.
  return 2 * (svds[0]! + svds[1]!) + 14 * (columns + out) * rank ** 2 + 8 * rank ** 3 +
    times * (svdFlops(2 * rank, 2 * rank) + 4 * (2 * rank) ** 3);
}
