/**
 * @file LoRA-Pro's closed form for many layers at once: all decompositions, all r x r solves and all moments in a few
 * dispatches, nothing read back.
 */
import type { Gpu } from "../../gpu/gpu.ts";
import type { Kernel, KernelSpec } from "../../gpu/kernel.ts";
import { ELEMENT_BYTES, type Tensor } from "../../gpu/tensor.ts";
import {
  createWarmStart,
  GRAM_SCHMIDT_RANK,
  keepOrthonormal,
  lanesOfMatrix,
  smallStride,
  spanOf,
  tallFactors,
  type TallMatrices,
  thinSvdsInto,
  type WarmStart,
} from "../../kernels/mod.ts";
import { composeKernel } from "../../kernels/wgsl/compose.ts";
import { groupsForEach } from "../../kernels/wgsl/groups.ts";
import { defineQuadKernel, quadKernel, type QuadKernels } from "../../kernels/wgsl/quads.ts";
import { snippets } from "../../kernels/wgsl/snippets.ts";
import { jobsOf } from "./jobs.ts";
import { momentsKernels, projectKernels } from "./moment_kernels.ts";
import {
  type Adjusted,
  type Coordinates,
  type Damping,
  type Decomposition,
  type Direction,
  type FactorGradients,
  type FactorPair,
  type Gauge,
  GAUGES,
  LAYERS,
  own,
  SHAPE,
} from "./pair.ts";
import capSource from "./cap_steps.wgsl" with { type: "text" };
import multiplySource from "./tangent_multiply.wgsl" with { type: "text" };
import pairSource from "./tangent_pair.wgsl" with { type: "text" };
import { WidePairs } from "./wide_pairs.ts";

const multiplyKernels = defineQuadKernel({
  name: "tangent_multiply",
  source: multiplySource,
  buffers: {
    ...LAYERS,
    aIn: "read",
    bIn: "read",
    small: "read",
    aOut: "read_write",
    bOut: "read_write",
  },
  uniforms: {
    ...SHAPE,
    aAt: "u32",
    bAt: "u32",
    smallA: "u32",
    smallB: "u32",
    alongA: "u32",
    alongB: "u32",
    combine: "u32",
    stepsA: "u32",
  },
  constants: {},
}, own);
const pairKernels = defineQuadKernel({
  name: "tangent_pair",
  source: pairSource,
  buffers: {
    ...LAYERS,
    aCoordinates: "read",
    bCoordinates: "read",
    aLeft: "read",
    bLeft: "read",
    small: "read_write",
  },
  uniforms: {
    ...SHAPE,
    gauge: "u32",
    relativeDamping: "f32",
    absoluteDamping: "f32",
  },
  constants: { LANES: 64 },
  workgroupBytes: ({ LANES }) => 16 * 8 * Number(LANES),
}, own);
const capKernel = composeKernel({
  name: "cap_steps",
  source: capSource,
  buffers: { ...LAYERS, a: "read", adjustedA: "read_write" },
  uniforms: { rank: "u32", rate: "f32", limit: "f32" },
  constants: {},
  workgroupBytes: () => 64 * 8,
}, { snippets: { ...snippets, ...own } });

/** What the kernels may be told; absent, the adapter's kind decides. */
export interface FactorPairsOptions {
  /** Lanes of a workgroup that has a pair to itself, 1 to 64: a software adapter pays for each at every barrier. */
  readonly lanes?: number;
}

/** Where thin SVDs of all A, and of all B, begin. */
export interface WarmStarts {
  readonly a: WarmStart;
  readonly b: WarmStart;
}

/** Pairs whose tensors lie in the same buffers, so that each dispatch serves all of them. */
export class FactorPairs {
  readonly #gpu: Gpu;
  readonly #pairs: readonly FactorPair[];
  readonly #rank: number;
  readonly #lanes: number;
  readonly #a: Tensor;
  readonly #b: Tensor;
  readonly #moments: { readonly m: Tensor; readonly v: Tensor } | null;
  readonly #layers: Tensor<"u32">;
  readonly #tallA: TallMatrices;
  readonly #tallB: TallMatrices;
  /** Above rank 12. */
  readonly #wide: WidePairs | null;

  /** Uploads its tables into the caller's scope. @throws {RangeError} where buffers differ or the rank is too large */
  constructor(gpu: Gpu, pairs: readonly FactorPair[], options: FactorPairsOptions = {}) {
    this.#gpu = gpu;
    this.#pairs = pairs;
    this.#lanes = options.lanes ?? lanesOfMatrix(gpu);
    this.#tallA = tallFactors(gpu, pairs.map(({ a }) => a), "A");
    this.#tallB = tallFactors(gpu, pairs.map(({ b }) => b), "B");
    this.#rank = this.#tallA.rank;
    this.#a = this.#tallA.flat;
    this.#b = this.#tallB.flat;
    const m = pairs.flatMap((pair) => pair.m ?? []), v = pairs.flatMap((pair) => pair.v ?? []);
    this.#moments = m.length > 0 ? { m: spanOf(m, "first moments"), v: spanOf(v, "second moments") } : null;

    // Places are counted from the first factor, so that a group of pairs may begin anywhere in its buffers.
    const within = (tensor: Tensor, span: Tensor) => (tensor.offset - span.offset) / ELEMENT_BYTES;
    const { jobs, ...places } = jobsOf(
      pairs.map(({ a, b }) => ({ rows: b.shape[0]!, columns: a.shape[1]! })),
    );
    const words = new Uint32Array(6 * pairs.length + jobs.length), scales = new Float32Array(words.buffer);
    words.set(jobs, 6 * pairs.length);
    pairs.forEach(({ a, b, m, scale }, i) => {
      const moments = m ? within(m, this.#moments!.m) : 0;
      words.set([within(a, this.#a), within(b, this.#b), moments, b.shape[0]!, a.shape[1]!], 6 * i);
      scales[6 * i + 5] = scale;
    });
    this.#layers = gpu.upload(words, "u32", [words.length], "layers");
    this.#wide = this.#rank <= GRAM_SCHMIDT_RANK ? null : new WidePairs(gpu, {
      ...{ layers: this.#layers, a: this.#tallA, b: this.#tallB, moments: this.#moments },
      ...{ block: this.#block, scratchOf: (label) => this.#likeFactors(label), places },
    });
  }

  /** Words of a layer's r x r block: see tangent_pair.wgsl. */
  get #block(): number {
    return 6 * this.#rank * this.#stride + 4 * this.#stride;
  }

  /** Values of `SHAPE`. */
  get #shape() {
    return { rank: this.#rank, block: this.#block / 4, zero: 0 };
  }

  /** Words from one row or column of an r x r matrix to the next: whole vectors of four. */
  get #stride(): number {
    return smallStride(this.#rank);
  }

  /** Where thin SVDs of the factors of successive steps begin, in the caller's scope; none at ranks to 12. */
  createWarmStarts(): WarmStarts | null {
    if (!this.#wide) return null;
    const [a, b] = (["a", "b"] as const).map((which) =>
      createWarmStart(this.#gpu, this.#rank, this.#wide!.ones, `${this.#pairs[0]![which].label}.V`)!
    );
    return { a: a!, b: b! };
  }

  /** Thin SVDs of every A and B. `warm`, where there is one, is read and renewed, `step` after `step`. */
  decompose(warm: WarmStarts | null = null, step = 0): Decomposition {
    const gpu = this.#gpu, rank = this.#rank, stride = this.#stride, count = this.#pairs.length;
    const small = gpu.empty([count, this.#block], "small matrices");
    const left = this.#likeFactors("left singular vectors");
    for (const start of warm ? [warm.a, warm.b] : []) keepOrthonormal(gpu, start, step);
    [this.#tallA, this.#tallB].forEach((factors, place) =>
      thinSvdsInto(gpu, factors, {
        left: place === 0 ? left.a : left.b,
        small,
        // In vectors of four.
        block: this.#block / 4,
        vAt: place * rank * stride / 4,
        rAt: (2 + place) * rank * stride / 4,
        sAt: (6 * rank + place) * stride / 4,
        warm: warm && (place === 0 ? warm.a : warm.b),
      }, this.#lanes)
    );
    return { left, small };
  }

  /**
   * The closed form for raw gradients: gA = (1/s²)(BᵀB)⁻¹ dA + X A, gB = (1/s²)(I − P_B) dB (AAᵀ)⁻¹ − B X,
   * with damped or pseudo-inverses, so that B = 0 gives gA = 0. Where B spans its whole side, as a square one mostly does,
   * I − P_B is 0 by value. The result is in coordinates: see `fromCoordinates`.
   */
  adjustGradients(
    factors: Decomposition,
    gradients: FactorGradients,
    gauge: Gauge,
    damping: Damping,
  ): Coordinates {
    if (this.#wide) return this.#wide.adjustGradients(factors, gradients, gauge, damping);
    const coordinates = this.#likeFactors("coordinates of gradients");
    this.#changeBasis(factors, gradients, coordinates, false);
    return this.#closedForm(factors, coordinates, gauge, damping);
  }

  /** Adam's moments of the equivalent gradient s (B gA + gB A) for raw gradients. */
  updateMoments(
    factors: Decomposition,
    gradients: FactorGradients,
    damping: Damping,
    beta1: number,
    beta2: number,
  ): void {
    if (this.#wide) {
      this.#wide.updateMoments(factors, gradients, damping, beta1, beta2);
      return;
    }
    const { left, small } = factors;
    const { coordinates } = this.adjustGradients(factors, gradients, "zero", damping);
    this.#gpu.launch(
      this.#kernel(momentsKernels, ["a_left", "a_coordinates", "m", "v"], ["b_left", "b_coordinates"]),
      {
        buffers: {
          layers: this.#layers,
          aLeft: left.a,
          bLeft: left.b,
          small,
          aCoordinates: coordinates.a,
          bCoordinates: coordinates.b,
          ...this.#needMoments(),
        },
        uniforms: {
          ...this.#shape,
          beta1,
          beta2,
          rest1: 1 - beta1,
          rest2: 1 - beta2,
        },
        workgroups: this.#grid((rows, columns) => Math.ceil(rows / 4) * Math.ceil(columns / 8)),
      },
    );
  }

  /** The closed form for Adam's direction m̂ / (√v̂ + epsilon) in the place of the full gradient. */
  adjustDirection(
    factors: Decomposition,
    direction: Direction,
    gauge: Gauge,
    damping: Damping,
  ): Coordinates {
    if (this.#wide) return this.#wide.adjustDirection(factors, direction, gauge, damping);
    const { left, small } = factors, moments = this.#needMoments();
    const coordinates = this.#likeFactors("coordinates of the direction");
    for (const ofB of [false, true]) {
      this.#gpu.launch(
        this.#kernel(projectKernels, ofB ? ["left", "m", "v"] : ["projected", "m", "v"], [
          ofB ? "projected" : "left",
        ]),
        {
          buffers: {
            layers: this.#layers,
            left: ofB ? left.a : left.b,
            small,
            ...moments,
            projected: ofB ? coordinates.b : coordinates.a,
          },
          uniforms: { ...this.#shape, ...direction },
          constants: { OF_B: ofB },
          workgroups: this.#grid((rows, columns) =>
            Math.ceil((ofB ? rows : columns) / 4) * Math.ceil(this.#rank / 8)
          ),
        },
      );
    }
    return this.#closedForm(factors, coordinates, gauge, damping);
  }

  /** gA and gB themselves, with zeros between the factors, so that one dispatch can follow them. */
  fromCoordinates(factors: Decomposition, found: Coordinates): Adjusted {
    const out = {
      a: this.#gpu.zeros(this.#a.shape, "adjusted dA"),
      b: this.#gpu.zeros(this.#b.shape, "adjusted dB"),
    };
    if (this.#wide) this.#wide.fromCoordinates(factors, found, out);
    else this.#changeBasis(factors, found.coordinates, out, true);
    return out;
  }

  /** Shortens each layer's step of A, rate · gA, to at most `limit` times |A|. */
  capSteps(adjusted: Adjusted, rate: number, limit: number): void {
    this.#gpu.launch(capKernel, {
      buffers: { layers: this.#layers, a: this.#a, adjustedA: adjusted.a },
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

  #changeBasis(
    { small }: Decomposition,
    from: FactorGradients | Adjusted,
    to: Adjusted,
    back: boolean,
  ): void {
    const raw = "flat" in from, matrix = this.#rank * this.#stride / 4;
    this.#multiply(raw ? { a: from.flat, b: from.flat } : from, small, to, {
      ...raw ? { aAt: from.a, bAt: from.b } : {},
      smallA: matrix,
      smallB: 0,
      alongA: Number(back),
      alongB: Number(back),
    });
  }

  /** Changes coordinates of gradients in place. */
  #closedForm(
    { left, small }: Decomposition,
    coordinates: Adjusted,
    gauge: Gauge,
    damping: Damping,
  ): Coordinates {
    this.#gpu.launch(this.#kernel(pairKernels, ["a_left", "a_coordinates"], ["b_left", "b_coordinates"]), {
      buffers: {
        layers: this.#layers,
        aCoordinates: coordinates.a,
        bCoordinates: coordinates.b,
        aLeft: left.a,
        bLeft: left.b,
        small,
      },
      uniforms: {
        ...this.#shape,
        gauge: GAUGES[gauge],
        relativeDamping: damping.relative,
        absoluteDamping: damping.absolute,
      },
      constants: { LANES: this.#lanes },
      workgroups: [this.#pairs.length],
    });
    const matrix = this.#rank * this.#stride / 4;
    this.#multiply(left, small, coordinates, {
      smallA: 5 * matrix,
      smallB: 4 * matrix,
      alongA: 0,
      alongB: 1,
      combine: 1,
      // Without a gauge Y is zero.
      ...gauge === "zero" ? { stepsA: 0 } : {},
    });
    return { coordinates };
  }

  /** Products of factors' kin with r x r matrices: see tangent_multiply.wgsl. */
  #multiply(
    from: Adjusted,
    small: Tensor,
    to: Adjusted,
    how: {
      readonly aAt?: number;
      readonly bAt?: number;
      readonly smallA: number;
      readonly smallB: number;
      readonly alongA: number;
      readonly alongB: number;
      readonly combine?: number;
      readonly stepsA?: number;
    },
  ): void {
    this.#gpu.launch(this.#kernel(multiplyKernels, ["a_in", "a_out"], ["b_in", "b_out"]), {
      buffers: { layers: this.#layers, aIn: from.a, bIn: from.b, small, aOut: to.a, bOut: to.b },
      uniforms: {
        ...{ aAt: 0, bAt: 0, combine: 0, stepsA: this.#rank },
        ...how,
        ...this.#shape,
      },
      workgroups: this.#factorTiles(),
    });
  }

  /** Tiles of 4 x 4 of every A and then of every B. */
  #factorTiles(): readonly [number, number, number] {
    return this.#grid((rows, columns) =>
      Math.ceil(this.#rank / 4) * (Math.ceil(rows / 4) + Math.ceil(columns / 4))
    );
  }

  /** The twin for whole vectors in buffers with rows of A's length (`ofA`), and of B's, where four divides those. */
  #kernel<S extends KernelSpec>(
    kernels: QuadKernels<S>,
    ofA: readonly string[],
    ofB: readonly string[],
  ): Kernel<S> {
    return quadKernel(kernels, [
      ...this.#pairs.every(({ a }) => a.shape[1]! % 4 === 0) ? ofA : [],
      ...this.#rank % 4 === 0 ? ofB : [],
    ]);
  }

  #grid(lanes: (rows: number, columns: number) => number): readonly [number, number, number] {
    const max = Math.max(...this.#pairs.map(({ a, b }) => lanes(b.shape[0]!, a.shape[1]!)));
    return groupsForEach(this.#pairs.length, max);
  }

  #needMoments(): { readonly m: Tensor; readonly v: Tensor } {
    if (!this.#moments) throw new Error("Cannot use the moments of factor pairs that were made without");
    return this.#moments;
  }
}
