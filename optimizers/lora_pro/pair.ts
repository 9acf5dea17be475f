/** @file What LoRA-Pro's closed form takes and gives, and what its kernels have in common. */
import type { Tensor } from "../../gpu/tensor.ts";
import type { SmallMatrices } from "../../kernels/mod.ts";
import { wgsl } from "../../kernels/wgsl/compose.ts";

/** The free r x r matrix X of the closed form: none, the one closest to LoRA's own gradients, or equal shares. */
export type Gauge = "zero" | "sylvester" | "symmetric";
/** As kernels know them. */
export const GAUGES: Readonly<Record<Gauge, number>> = { zero: 0, sylvester: 1, symmetric: 2 };

/** What is added to the diagonals of BᵀB and AAᵀ: `relative` times their mean, plus `absolute`. */
export interface Damping {
  readonly relative: number;
  readonly absolute: number;
}

/** One layer: factors A `[rank, columns]` and B `[rows, rank]`, and moments `[rows, columns]`. */
export interface FactorPair {
  readonly a: Tensor;
  readonly b: Tensor;
  readonly m?: Tensor;
  readonly v?: Tensor;
  readonly scale: number;
}

/** Gradients of all factors, laid out as the factors are: those of A begin at element `a` of `flat`, those of B at `b`. */
export interface FactorGradients {
  readonly flat: Tensor;
  readonly a: number;
  readonly b: number;
}

/** Adjusted gradients of all pairs, laid out as the factors are in their buffers. */
export interface Adjusted {
  readonly a: Tensor;
  readonly b: Tensor;
}

/** Adjusted gradients in the bases of the factors' singular vectors, V_Bᵀ gA and gB V_A: enough for their moments; or what they follow from. */
export interface Coordinates {
  readonly coordinates: Adjusted;
  /** Above rank 12: Q_A and Q_B, see `WidePairs`. */
  readonly turned?: { readonly a: SmallMatrices; readonly b: SmallMatrices };
}

/** What kernels of one batch of pairs have in common: the table of layers, and how the small matrices lie. */
export const LAYERS = { layers: "read" } as const;
/** Of kernels that find small matrices by rank and block. */
export const SHAPE = { rank: "u32", block: "u32", zero: "u32" } as const;
/** Snippets of kernels of pairs. */
export const own = {
  shape: wgsl`
    rank: u32,
    // From one layer's block of \`small\` to the next one's, in vectors.
    block: u32,
    // Always 0, which the compiler does not know: a loop whose end depends on it is not unrolled, and sooner compiled.
    zero: u32,
  `,
  layer: wgsl`
    // One adapted linear map; places are in elements, counted from the batch's first.
    struct Layer {
      // Of A [rank, columns] and B [rows, rank].
      a: u32,
      b: u32,
      // Of the moments [rows, columns].
      moments: u32,
      rows: u32,
      columns: u32,
      scale: f32,
    }
  `,
};
/** Thin SVDs of all factors, in the caller's scope. */
export interface Decomposition {
  /** Left singular vectors, laid out as the factors are. */
  readonly left: Adjusted;
  /** The r x r matrices and singular values of every pair: see tangent_pair.wgsl. */
  readonly small: Tensor;
}

/** Adam's direction from its moments, m · correction1 / (√(v · correction2) + epsilon). */
export interface Direction {
  readonly correction1: number;
  readonly correction2: number;
  readonly epsilon: number;
}
