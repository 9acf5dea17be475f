/**
 * @file LoRA-Pro's closed form for many sites at once: all decompositions, all r x r solves and all moments in a few
 * dispatches, nothing read back.
 */
import type { Gpu } from "../gpu/gpu.ts";
import { defineKernel, MOST_GROUPS } from "../gpu/kernel.ts";
import { ELEMENT_BYTES, elementCount, type Tensor } from "../gpu/tensor.ts";
import capSource from "./cap_steps.wgsl" with { type: "text" };
import combineSource from "./tangent_combine.wgsl" with { type: "text" };
import momentsSource from "./tangent_moments.wgsl" with { type: "text" };
import pairSource from "./tangent_pair.wgsl" with { type: "text" };
import projectSource from "./tangent_project.wgsl" with { type: "text" };
import turnSource from "./tangent_turn.wgsl" with { type: "text" };
import svdSource from "./thin_svd.wgsl" with { type: "text" };

/** Largest rank that the decomposition takes. */
export const MOST_RANK = 128;

/** The free r x r matrix X of the closed form: none, the one closest to LoRA's own gradients, or equal shares. */
export type Gauge = "zero" | "sylvester" | "symmetric";
const GAUGES: Readonly<Record<Gauge, number>> = { zero: 0, sylvester: 1, symmetric: 2 };

/** What is added to the diagonals of BᵀB and AAᵀ: `relative` times their mean, plus `absolute`. */
export interface Damping {
  readonly relative: number;
  readonly absolute: number;
}

/** One site: factors A `[rank, columns]` and B `[rows, rank]`, and moments `[rows, columns]`. */
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

/** Adjusted gradients in the bases of the factors' singular vectors, V_Bᵀ gA and gB V_A: enough for their moments. */
export interface Turned {
  readonly turned: Adjusted;
}

const site = { sites: "read" } as const;
const svdKernel = defineKernel({
  name: "thin_svd",
  source: svdSource,
  buffers: { matrices: "read", x: "read", q: "read_write", left: "read_write", small: "read_write" },
  uniforms: { rank: "u32", block: "u32", vAt: "u32", rAt: "u32", sAt: "u32" },
  constants: {},
  workgroupBytes: () => 4 * (2048 + 128 + 1),
});
const turnKernel = defineKernel({
  name: "tangent_turn",
  source: turnSource,
  buffers: {
    ...site,
    aGradient: "read",
    bGradient: "read",
    small: "read",
    aOut: "read_write",
    bOut: "read_write",
  },
  uniforms: { da: "u32", db: "u32", rank: "u32", block: "u32" },
  constants: { BACK: false },
});
const pairKernel = defineKernel({
  name: "tangent_pair",
  source: pairSource,
  buffers: { ...site, aTurned: "read", bTurned: "read", aLeft: "read", bLeft: "read", small: "read_write" },
  uniforms: { rank: "u32", block: "u32", relativeDamping: "f32", absoluteDamping: "f32" },
  constants: { GAUGE: 0 },
});
const combineKernel = defineKernel({
  name: "tangent_combine",
  source: combineSource,
  buffers: {
    ...site,
    aLeft: "read",
    bLeft: "read",
    small: "read",
    aTurned: "read_write",
    bTurned: "read_write",
  },
  uniforms: { rank: "u32", block: "u32" },
  constants: {},
});
const momentsKernel = defineKernel({
  name: "tangent_moments",
  source: momentsSource,
  buffers: {
    ...site,
    aLeft: "read",
    bLeft: "read",
    small: "read",
    aTurned: "read",
    bTurned: "read",
    m: "read_write",
    v: "read_write",
  },
  uniforms: { rank: "u32", block: "u32", beta1: "f32", beta2: "f32", rest1: "f32", rest2: "f32" },
  constants: {},
});
const projectKernel = defineKernel({
  name: "tangent_project",
  source: projectSource,
  buffers: { ...site, left: "read", small: "read", m: "read", v: "read", projected: "read_write" },
  uniforms: { rank: "u32", block: "u32", correction1: "f32", correction2: "f32", epsilon: "f32" },
  constants: { OF_B: false },
});
const capKernel = defineKernel({
  name: "cap_steps",
  source: capSource,
  buffers: { ...site, a: "read", adjustedA: "read_write" },
  uniforms: { rank: "u32", rate: "f32", limit: "f32" },
  constants: {},
  workgroupBytes: () => 64 * 8,
});

/** Thin SVDs of all factors, in the caller's scope. */
export interface Decomposition {
  /** Left singular vectors, laid out as the factors are. */
  readonly left: Adjusted;
  /** The r x r matrices and singular values of every pair: see tangent_pair.wgsl. */
  readonly small: Tensor;
}

/** Pairs whose tensors lie in the same buffers, so that each dispatch serves all of them. */
export class FactorPairs {
  readonly #gpu: Gpu;
  readonly #pairs: readonly FactorPair[];
  readonly #rank: number;
  readonly #a: Tensor;
  readonly #b: Tensor;
  readonly #moments: { readonly m: Tensor; readonly v: Tensor } | null;
  readonly #sites: Tensor<"u32">;
  readonly #matricesA: Tensor<"u32">;
  readonly #matricesB: Tensor<"u32">;

  /** Uploads its tables into the caller's scope. @throws {RangeError} where buffers differ or the rank is too large */
  constructor(gpu: Gpu, pairs: readonly FactorPair[]) {
    const rank = pairs[0]!.a.shape[0]!;
    if (rank > MOST_RANK) {
      throw new RangeError(`Cannot decompose factors of rank ${rank}: at most ${MOST_RANK} is supported`);
    }
    this.#gpu = gpu;
    this.#pairs = pairs;
    this.#rank = rank;
    this.#a = spanOf(pairs.map(({ a }) => a), "factors A");
    this.#b = spanOf(pairs.map(({ b }) => b), "factors B");
    const m = pairs.flatMap((pair) => pair.m ?? []), v = pairs.flatMap((pair) => pair.v ?? []);
    this.#moments = m.length > 0 ? { m: spanOf(m, "first moments"), v: spanOf(v, "second moments") } : null;

    // Places are counted from the first factor, so that a group of pairs may begin anywhere in its buffers.
    const within = (tensor: Tensor, span: Tensor) => (tensor.offset - span.offset) / ELEMENT_BYTES;
    const words = new Uint32Array(6 * pairs.length), scales = new Float32Array(words.buffer);
    pairs.forEach(({ a, b, m, scale }, i) => {
      const moments = m ? within(m, this.#moments!.m) : 0;
      words.set([within(a, this.#a), within(b, this.#b), moments, b.shape[0]!, a.shape[1]!], 6 * i);
      scales[6 * i + 5] = scale;
    });
    this.#sites = gpu.upload(words, "u32", [pairs.length, 6], "sites");
    const layouts = (entries: readonly (readonly number[])[]) =>
      gpu.upload(Uint32Array.from(entries.flat()), "u32", [pairs.length, 4], "factor layouts");
    this.#matricesA = layouts(pairs.map(({ a }) => [within(a, this.#a), a.shape[1]!, 1, a.shape[1]!]));
    this.#matricesB = layouts(pairs.map(({ b }) => [within(b, this.#b), b.shape[0]!, rank, 1]));
  }

  /** Words of a site's r x r block: see tangent_pair.wgsl. */
  get #block(): number {
    return 6 * this.#rank ** 2 + 4 * this.#rank;
  }

  /** Thin SVDs of every A and B. */
  decompose(): Decomposition {
    const rank = this.#rank, block = this.#block, count = this.#pairs.length;
    const small = this.#gpu.empty([count, block], "small matrices");
    const left = this.#likeFactors("left singular vectors");
    using _ = this.#gpu.scope("orthonormal bases", "scratch");
    const run = (matrices: Tensor<"u32">, x: Tensor, left: Tensor, place: number) =>
      this.#gpu.launch(svdKernel, {
        buffers: { matrices, x, q: this.#gpu.empty(x.shape, "orthonormal basis"), left, small },
        uniforms: {
          rank,
          block,
          vAt: place * rank ** 2,
          rAt: (2 + place) * rank ** 2,
          sAt: 6 * rank ** 2 + place * rank,
        },
        workgroups: [count],
      });
    run(this.#matricesA, this.#a, left.a, 0);
    run(this.#matricesB, this.#b, left.b, 1);
    return { left, small };
  }

  /**
   * The closed form for raw gradients: gA = (1/s²)(BᵀB)⁻¹ dA + X A, gB = (1/s²)(I − P_B) dB (AAᵀ)⁻¹ − B X,
   * with damped or pseudo-inverses, so that B = 0 gives gA = 0. The result is turned: see `turnBack`.
   */
  adjustGradients(
    factors: Decomposition,
    gradients: FactorGradients,
    gauge: Gauge,
    damping: Damping,
  ): Turned {
    const turned = this.#likeFactors("turned gradients");
    this.#turn(factors, gradients, turned, false);
    return this.#closedForm(factors, turned, gauge, damping);
  }

  /** Adam's moments of the equivalent gradient s (B gA + gB A). */
  updateMoments({ left, small }: Decomposition, { turned }: Turned, beta1: number, beta2: number): void {
    this.#gpu.launch(momentsKernel, {
      buffers: {
        sites: this.#sites,
        aLeft: left.a,
        bLeft: left.b,
        small,
        aTurned: turned.a,
        bTurned: turned.b,
        ...this.#needMoments(),
      },
      uniforms: { rank: this.#rank, block: this.#block, beta1, beta2, rest1: 1 - beta1, rest2: 1 - beta2 },
      workgroups: this.#grid((rows, columns) => Math.ceil(rows / 4) * Math.ceil(columns / 4)),
    });
  }

  /** The closed form for Adam's direction m̂ / (√v̂ + epsilon) in the place of the full gradient. */
  adjustDirection(
    factors: Decomposition,
    direction: { readonly correction1: number; readonly correction2: number; readonly epsilon: number },
    gauge: Gauge,
    damping: Damping,
  ): Turned {
    const { left, small } = factors, moments = this.#needMoments();
    const turned = this.#likeFactors("turned direction");
    for (const ofB of [false, true]) {
      this.#gpu.launch(projectKernel, {
        buffers: {
          sites: this.#sites,
          left: ofB ? left.a : left.b,
          small,
          ...moments,
          projected: ofB ? turned.b : turned.a,
        },
        uniforms: { rank: this.#rank, block: this.#block, ...direction },
        constants: { OF_B: ofB },
        workgroups: this.#grid((rows, columns) =>
          Math.ceil((ofB ? rows : columns) / 4) * Math.ceil(this.#rank / 4)
        ),
      });
    }
    return this.#closedForm(factors, turned, gauge, damping);
  }

  /** gA and gB themselves, with zeros between the factors, so that one dispatch can follow them. */
  turnBack(factors: Decomposition, { turned }: Turned): Adjusted {
    const out = {
      a: this.#gpu.zeros(this.#a.shape, "adjusted dA"),
      b: this.#gpu.zeros(this.#b.shape, "adjusted dB"),
    };
    this.#turn(factors, turned, out, true);
    return out;
  }

  /** Shortens each site's step of A, rate · gA, to at most `limit` times |A|. */
  capSteps(adjusted: Adjusted, rate: number, limit: number): void {
    this.#gpu.launch(capKernel, {
      buffers: { sites: this.#sites, a: this.#a, adjustedA: adjusted.a },
      uniforms: { rank: this.#rank, rate, limit },
      workgroups: [this.#pairs.length],
    });
  }

  /** All factors A or B as one tensor, laid out as `Adjusted` is. */
  get flats(): Adjusted {
    return { a: this.#a, b: this.#b };
  }

  #likeFactors(label: string): Adjusted {
    return { a: this.#gpu.empty(this.#a.shape, label), b: this.#gpu.empty(this.#b.shape, label) };
  }

  #turn({ small }: Decomposition, from: FactorGradients | Adjusted, to: Adjusted, back: boolean): void {
    const raw = "flat" in from;
    this.#gpu.launch(turnKernel, {
      buffers: {
        sites: this.#sites,
        aGradient: raw ? from.flat : from.a,
        bGradient: raw ? from.flat : from.b,
        small,
        aOut: to.a,
        bOut: to.b,
      },
      uniforms: { da: raw ? from.a : 0, db: raw ? from.b : 0, rank: this.#rank, block: this.#block },
      constants: { BACK: back },
      workgroups: this.#grid((rows, columns) => this.#rank * (rows + columns)),
    });
  }

  /** Changes turned gradients in place. */
  #closedForm({ left, small }: Decomposition, turned: Adjusted, gauge: Gauge, damping: Damping): Turned {
    const sizes = { rank: this.#rank, block: this.#block };
    const tensors = {
      sites: this.#sites,
      aTurned: turned.a,
      bTurned: turned.b,
      aLeft: left.a,
      bLeft: left.b,
      small,
    };
    this.#gpu.launch(pairKernel, {
      buffers: tensors,
      uniforms: { ...sizes, relativeDamping: damping.relative, absoluteDamping: damping.absolute },
      constants: { GAUGE: GAUGES[gauge] },
      workgroups: [this.#pairs.length],
    });
    this.#gpu.launch(combineKernel, {
      buffers: tensors,
      uniforms: sizes,
      workgroups: this.#grid((rows, columns) => this.#rank * (rows + columns)),
    });
    return { turned };
  }

  #grid(lanes: (rows: number, columns: number) => number): readonly [number, number, number] {
    const most = Math.max(...this.#pairs.map(({ a, b }) => lanes(b.shape[0]!, a.shape[1]!)));
    const groups = Math.ceil(most / 64), layers = Math.ceil(groups / MOST_GROUPS);
    return [Math.ceil(groups / layers), this.#pairs.length, layers];
  }

  #needMoments(): { readonly m: Tensor; readonly v: Tensor } {
    if (!this.#moments) throw new Error("Cannot use the moments of factor pairs that were made without");
    return this.#moments;
  }
}

/** One tensor from the first to the last of `tensors`, which lie in order. @throws {RangeError} where buffers differ */
export function spanOf(tensors: readonly Tensor[], label: string): Tensor {
  const first = tensors[0]!, last = tensors.at(-1)!;
  for (const tensor of tensors) {
    if (tensor.buffer !== first.buffer || tensor.offset < first.offset || tensor.offset > last.offset) {
      throw new RangeError(
        `Cannot batch "${first.label}" and "${tensor.label}": they do not lie in one buffer, in order`,
      );
    }
  }
  return {
    ...first,
    shape: [(last.offset - first.offset) / ELEMENT_BYTES + elementCount(last.shape)],
    label,
  };
}

/**
 * Indices of pairs that one `FactorPairs` can hold: those of one rank whose tensors lie in the same buffers. One group,
 * unless a pack was too large for one buffer or ranks differ.
 */
export function groupPairs(pairs: readonly FactorPair[]): readonly (readonly number[])[] {
  const groups: number[][] = [];
  pairs.forEach((pair, i) => {
    const alike = groups.find(([first]) => {
      const other = pairs[first!]!;
      return other.a.shape[0] === pair.a.shape[0] &&
        (["a", "b", "m", "v"] as const).every((key) => other[key]?.buffer === pair[key]?.buffer);
    });
    if (alike) alike.push(i);
    else groups.push([i]);
  });
  return groups;
}
