/**
 * @file AdaLoRA's triplets for many layers at once: a change of W of the form P diag(e) Q, whose penalty, importance and
 * ranking take a few dispatches whatever the number of layers, nothing read back.
 */
import type { Gpu } from "../../gpu/gpu.ts";
import { ELEMENT_BYTES, elementCount, type Tensor } from "../../gpu/tensor.ts";
import {
  GRAM_SCHMIDT_RANK,
  lanesOfMatrix,
  MAX_RANK,
  type SmallMatrices,
  smallStride,
  spanOf,
  tallFactors,
  type TallMatrices,
  tallOverlaps,
  tallProducts,
} from "../../kernels/mod.ts";
import { composeKernel, wgsl } from "../../kernels/wgsl/compose.ts";
import { groupsFor, groupsForEach } from "../../kernels/wgsl/groups.ts";
import { snippets } from "../../kernels/wgsl/snippets.ts";
import dropSource from "./triplet_drop.wgsl" with { type: "text" };
import gramSource from "./triplet_gram.wgsl" with { type: "text" };
import penaltySource from "./triplet_penalty.wgsl" with { type: "text" };
import scaleSource from "./triplet_scale.wgsl" with { type: "text" };
import scaleBackwardSource from "./triplet_scale_backward.wgsl" with { type: "text" };
import scoreSource from "./triplet_score.wgsl" with { type: "text" };

/** The triplets of one layer; all layers have the same rank. */
export interface LayerTriplets {
  /** Right vectors as rows, `[rank, columns]`. */
  readonly q: Tensor;
  /** Left vectors as columns, `[rows, rank]`. */
  readonly p: Tensor;
  /** `[rank]`. */
  readonly e: Tensor;
}

/** Numbers for every Q, P and e, laid out as these are: those of Q first, those of P from element `p` on, of e from `e` on. */
export interface TripletValues {
  readonly flat: Tensor;
  readonly p: number;
  readonly e: number;
}

/** How importance is averaged, both from 0 to below 1. */
export interface ImportanceBetas {
  readonly average: number;
  readonly uncertainty: number;
}

const composition = {
  snippets: {
    ...snippets,
    layer: wgsl`
      // Where a layer's Q [rank, columns], P [rows, rank] and e [rank] lie, in elements from the first layer's.
      struct Layer {
        q: u32,
        p: u32,
        e: u32,
        rows: u32,
        columns: u32,
      }
    `,
  },
};
const layers = { layers: "read" } as const;
const scaleKernel = composeKernel({
  name: "triplet_scale",
  source: scaleSource,
  buffers: { ...layers, q: "read", e: "read", scaled: "read_write" },
  uniforms: { first: "u32" },
  constants: { ACCUMULATE: false },
}, composition);
const scaleBackwardKernel = composeKernel({
  name: "triplet_scale_backward",
  source: scaleBackwardSource,
  buffers: { q: "read", e: "read", g: "read", dq: "read_write", de: "read_write" },
  uniforms: { columns: "u32" },
  constants: { LANES: 64 },
  workgroupBytes: ({ LANES }) => 4 * Number(LANES),
}, composition);
const gramKernel = composeKernel({
  name: "triplet_gram",
  source: gramSource,
  buffers: { ...layers, q: "read", p: "read", grams: "read_write", distances: "read_write" },
  uniforms: { rank: "u32", stride: "u32", weight: "f32" },
  constants: { LANES: 64, FORMED: false },
  workgroupBytes: ({ LANES }) => 4 * Number(LANES),
}, composition);
const penaltyKernel = composeKernel({
  name: "triplet_penalty",
  source: penaltySource,
  buffers: { ...layers, q: "read", p: "read", grams: "read", g: "read", out: "read_write" },
  uniforms: { rank: "u32", pAt: "u32", eAt: "u32" },
  constants: {},
}, composition);
const scoreKernel = composeKernel({
  name: "triplet_score",
  source: scoreSource,
  buffers: {
    ...layers,
    q: "read",
    p: "read",
    e: "read",
    g: "read",
    average: "read_write",
    uncertainty: "read_write",
    scores: "read_write",
  },
  uniforms: {
    rank: "u32",
    pAt: "u32",
    eAt: "u32",
    beta1: "f32",
    beta2: "f32",
    rest1: "f32",
    rest2: "f32",
  },
  constants: { LANES: 64, UPDATE: true },
  workgroupBytes: ({ LANES }) => 8 * Number(LANES),
}, composition);
const dropKernel = composeKernel({
  name: "triplet_drop",
  source: dropSource,
  buffers: { ...layers, scores: "read", e: "read_write", dropped: "read_write" },
  uniforms: { count: "u32", rank: "u32", budget: "u32" },
  constants: {},
}, composition);

/** True at ranks at which vectors are multiplied as tall matrices are, and have tables of these. */
export function hasTallProducts(rank: number): boolean {
  return rank > GRAM_SCHMIDT_RANK && rank <= MAX_RANK;
}

/** Adds the gradients that `gradient`, of diag(e) Q, gives Q and e to `into`. */
export function scaledRowsBackward(
  gpu: Gpu,
  { q, e, gradient }: { readonly q: Tensor; readonly e: Tensor; readonly gradient: Tensor },
  into: { readonly q: Tensor; readonly e: Tensor },
): void {
  const [rank, columns] = q.shape as [number, number];
  gpu.launch(scaleBackwardKernel, {
    buffers: { q, e, g: gradient, dq: into.q, de: into.e },
    uniforms: { columns },
    constants: { LANES: lanesOfMatrix(gpu) },
    workgroups: [rank],
  });
}

/** Triplets of layers whose Q lie in one buffer, as do their P and their e, so that each dispatch serves all of them. */
export class Triplets {
  readonly #gpu: Gpu;
  readonly #triplets: readonly LayerTriplets[];
  readonly #rank: number;
  readonly #q: Tensor;
  readonly #p: Tensor;
  readonly #e: Tensor;
  readonly #layers: Tensor<"u32">;
  /** Q and P as tall matrices, at ranks at which products of these are faster. */
  readonly #tall: { readonly q: TallMatrices; readonly p: TallMatrices } | null;

  /** Uploads its tables into the caller's scope. @throws {RangeError} where tensors of a kind lie in several buffers */
  constructor(gpu: Gpu, triplets: readonly LayerTriplets[]) {
    this.#gpu = gpu;
    this.#triplets = triplets;
    this.#rank = triplets[0]!.q.shape[0]!;
    this.#q = spanOf(triplets.map(({ q }) => q), "Q");
    this.#p = spanOf(triplets.map(({ p }) => p), "P");
    this.#e = spanOf(triplets.map(({ e }) => e), "e");
    const within = (tensor: Tensor, span: Tensor) => (tensor.offset - span.offset) / ELEMENT_BYTES;
    const words = triplets.flatMap(({ q, p, e }) => [
      within(q, this.#q),
      within(p, this.#p),
      within(e, this.#e),
      p.shape[0]!,
      q.shape[1]!,
    ]);
    this.#layers = gpu.upload(Uint32Array.from(words), "u32", [triplets.length, 5], "triplets");
    this.#tall = hasTallProducts(this.#rank)
      ? {
        q: tallFactors(gpu, triplets.map(({ q }) => q), "A"),
        p: tallFactors(gpu, triplets.map(({ p }) => p), "B"),
      }
      : null;
  }

  /** All Q, all P and all e, each as one tensor. */
  get flats(): LayerTriplets {
    return { q: this.#q, p: this.#p, e: this.#e };
  }

  /**
   * into = diag(e) Q, or with `accumulate` into += diag(e) Q, of all layers or of one. Q and e may be replaced by what is
   * laid out as they are; `into` is laid out as Q.
   */
  scaleRows(
    into: Tensor,
    options: {
      readonly q?: Tensor;
      readonly e?: Tensor;
      readonly accumulate?: boolean;
      readonly layer?: number;
    } = {},
  ): void {
    const { q = this.#q, e = this.#e, accumulate = false, layer } = options;
    this.#gpu.launch(scaleKernel, {
      buffers: { layers: this.#layers, q, e, scaled: into },
      uniforms: { first: layer ?? 0 },
      constants: { ACCUMULATE: accumulate },
      workgroups: [this.#rank, layer === undefined ? this.#triplets.length : 1],
    });
  }

  /**
   * How far vectors are from orthonormal, |QQᵀ − 1| and |PᵀP − 1| of every layer in turn, Frobenius norms, `[2 layers]`;
   * and for `addPenalty` QQᵀ − 1 and PᵀP − 1 times weight / norm, `[2 layers, rank, rank]`, above rank 12 with rows of whole
   * vectors. In the caller's scope.
   */
  orthogonality(weight: number): { readonly distances: Tensor; readonly grams: Tensor } {
    const gpu = this.#gpu, rank = this.#rank, count = 2 * this.#triplets.length;
    const tall = this.#tall, stride = tall ? smallStride(rank) : rank;
    const grams = gpu.empty([count, rank, stride], "distances from orthonormal");
    const distances = gpu.empty([count], "norms of distances");
    using _ = gpu.scope("products of vectors", "scratch");
    const q = tall ? tallOverlaps(gpu, tall.q, tall.q).tensor : this.#q;
    const p = tall ? tallOverlaps(gpu, tall.p, tall.p).tensor : this.#p;
    gpu.launch(gramKernel, {
      buffers: { layers: this.#layers, q, p, grams, distances },
      uniforms: { rank, stride, weight },
      constants: { LANES: lanesOfMatrix(gpu), FORMED: tall !== null },
      workgroups: [count],
    });
    return { distances, grams };
  }

  /** `gradients` plus those of weight / 2 times the sum of `distances`, in the caller's scope; zeros between them. */
  addPenalty(gradients: TripletValues, grams: Tensor): TripletValues {
    const tall = this.#tall, rank = this.#rank;
    if (tall) {
      const flat = this.#gpu.empty(gradients.flat.shape, "penalized gradients");
      this.#gpu.copy(gradients.flat, flat);
      const square = rank * smallStride(rank);
      (["q", "p"] as const).forEach((which, i) => {
        const at = which === "q" ? 0 : gradients.p;
        const own = {
          ...flat,
          offset: flat.offset + ELEMENT_BYTES * at,
          shape: [elementCount(flat.shape) - at],
        };
        const by: SmallMatrices = {
          ...{ tensor: grams, at: i * square, block: 2 * square, row: smallStride(rank), column: 1 },
        };
        tallProducts(this.#gpu, { ...tall[which], flat: own }, [{ x: tall[which], by }], 1);
      });
      return { ...gradients, flat };
    }
    const flat = this.#gpu.zeros(gradients.flat.shape, "penalized gradients");
    this.#gpu.launch(penaltyKernel, {
      buffers: { layers: this.#layers, q: this.#q, p: this.#p, grams, g: gradients.flat, out: flat },
      uniforms: { rank: this.#rank, pAt: gradients.p, eAt: gradients.e },
      workgroups: this.#grid(this.#triplets, (rows, columns) => this.#rank * (rows + columns + 1)),
    });
    return { ...gradients, flat };
  }

  /**
   * Scores of all triplets, `[layers, rank]`, from importance |w g|'s running average and uncertainty, which first take
   * the gradients in unless `betas` is null.
   */
  score(
    gradients: TripletValues,
    average: Tensor,
    uncertainty: Tensor,
    betas: ImportanceBetas | null,
  ): Tensor {
    const gpu = this.#gpu, rank = this.#rank, count = this.#triplets.length;
    const scores = gpu.empty([count, rank], "scores of triplets");
    const beta1 = betas?.average ?? 0, beta2 = betas?.uncertainty ?? 0;
    gpu.launch(scoreKernel, {
      buffers: {
        layers: this.#layers,
        q: this.#q,
        p: this.#p,
        e: this.#e,
        g: gradients.flat,
        average,
        uncertainty,
        scores,
      },
      uniforms: {
        rank,
        pAt: gradients.p,
        eAt: gradients.e,
        beta1,
        beta2,
        rest1: 1 - beta1,
        rest2: 1 - beta2,
      },
      constants: { LANES: lanesOfMatrix(gpu), UPDATE: betas !== null },
      workgroups: [rank, count],
    });
    return scores;
  }

  /** Sets e to 0 but for the `budget` triplets of highest score; `dropped`, laid out as e, becomes 1 there and 0 here. */
  drop(scores: Tensor, budget: number, dropped: Tensor): void {
    const count = this.#triplets.length * this.#rank;
    this.#gpu.launch(dropKernel, {
      buffers: { layers: this.#layers, scores, e: this.#e, dropped },
      uniforms: { count, rank: this.#rank, budget },
      workgroups: groupsFor(count),
    });
  }

  #grid(
    triplets: readonly LayerTriplets[],
    lanes: (rows: number, columns: number) => number,
  ): readonly [number, number, number] {
    const max = Math.max(...triplets.map(({ p, q }) => lanes(p.shape[0]!, q.shape[1]!)));
    return groupsForEach(triplets.length, max);
  }
}
