/**
 * @file LoRA-Pro's closed form at ranks above 12: as few products of whole factors as there are, each by the kernel that is
 * fastest on the adapter.
 */
import type { Gpu } from "../../gpu/gpu.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import { ELEMENT_BYTES, elementCount, type Tensor } from "../../gpu/tensor.ts";
import {
  type SmallMatrices,
  smallProducts,
  smallStride,
  suitsStagedTall,
  type TallMatrices,
  tallOverlaps,
  tallProducts,
} from "../../kernels/mod.ts";
import { kernelsByShape } from "../../kernels/wgsl/by_shape.ts";
import { composeKernel } from "../../kernels/wgsl/compose.ts";
import { groupsForEach } from "../../kernels/wgsl/groups.ts";
import { quadKernel } from "../../kernels/wgsl/quads.ts";
import { snippets } from "../../kernels/wgsl/snippets.ts";
import { tileBytes } from "../../kernels/wgsl/staged_tile.ts";
import type { Jobs } from "./jobs.ts";
import { momentsKernels, projectKernels } from "./moment_kernels.ts";
import {
  type Adjusted,
  type Coordinates,
  type Damping,
  type Decomposition,
  type Direction,
  type FactorGradients,
  type Gauge,
  GAUGES,
  LAYERS,
  own,
} from "./pair.ts";
import { stagedMomentsSource, stagedProjectSource } from "./staged_pairs_source.ts";
import wideSource from "./wide_pair.wgsl" with { type: "text" };

const wideKernel = composeKernel({
  name: "wide_pair",
  source: wideSource,
  buffers: { ...LAYERS, overlaps: "read", small: "read_write" },
  uniforms: {
    ...{ rank: "u32", block: "u32", gauge: "u32", relativeDamping: "f32", absoluteDamping: "f32" },
    ofDirection: "u32",
  },
  constants: { PART: 0 },
}, { snippets: { ...snippets, ...own } });
/** Numbers of workgroup memory, and columns of a tile of C. */
const MOST_NUMBERS = 8192, COLUMNS = 64;
const momentsSpec = {
  buffers: {
    ...LAYERS,
    small: "read",
    uLeft: "read",
    hLeft: "read",
    uRight: "read",
    hRight: "read",
    m: "read_write",
    v: "read_write",
  },
  uniforms: {
    rank: "u32",
    jobs: "u32",
    block: "u32",
    facts: "u32",
    zero: "u32",
    beta1: "f32",
    beta2: "f32",
    rest1: "f32",
    rest2: "f32",
  },
} as const;
const stagedMoments = kernelsByShape(({ steps }: { readonly steps: number }) => {
  const columns = Math.min(COLUMNS, MOST_NUMBERS / steps);
  return defineKernel({
    name: `moments_staged_${steps}x${columns}`,
    source: stagedMomentsSource({ steps, columns }, momentsSpec),
    ...momentsSpec,
    constants: { LANES: 64 },
    workgroupBytes: () => tileBytes({ steps, columns }),
  });
});
/** Inner steps of a tile of directions. */
const STEPS = 128;
const projectSpec = {
  buffers: { ...LAYERS, left: "read", m: "read", v: "read", projected: "read_write" },
  uniforms: {
    rank: "u32",
    jobs: "u32",
    ofB: "u32",
    firstStep: "u32",
    zero: "u32",
    correction1: "f32",
    correction2: "f32",
    epsilon: "f32",
  },
} as const;
const stagedProject = defineKernel({
  name: "project_staged",
  source: stagedProjectSource({ steps: STEPS, columns: COLUMNS }, projectSpec),
  ...projectSpec,
  constants: { LANES: 64 },
  workgroupBytes: () => tileBytes({ steps: STEPS, columns: COLUMNS }),
});

/** What the pairs have in common with those of small ranks. */
export interface WideTables {
  /** Six words a layer, and then the jobs. */
  readonly layers: Tensor<"u32">;
  readonly a: TallMatrices;
  readonly b: TallMatrices;
  readonly moments: { readonly m: Tensor; readonly v: Tensor } | null;
  /** Words of a layer's block of small matrices. */
  readonly block: number;
  readonly scratchOf: (label: string) => Adjusted;
  readonly places: Omit<Jobs, "jobs">;
}

/** Small matrices of a layer's block: see wide_pair.wgsl. */
const PLACES = { v_a: 0, v_b: 1, times_a: 2, times_b: 3, e: 4, yt: 5 } as const;

/** As `FactorPairs`, whose methods these are. wide_pair.wgsl says what is multiplied. */
export class WidePairs {
  readonly #gpu: Gpu;
  readonly #tables: WideTables;
  readonly #rank: number;
  readonly #count: number;
  /** 1 for each layer. */
  readonly ones: Tensor;
  /** True where kernels with staged factors take all of it. */
  readonly #staged: boolean;

  constructor(gpu: Gpu, tables: WideTables) {
    this.#gpu = gpu;
    this.#tables = tables;
    this.#rank = tables.a.rank;
    this.#count = tables.a.rows.length;
    this.ones = gpu.upload(new Float32Array(this.#count).fill(1), "f32", [this.#count], "ones");
    this.#staged = suitsStagedTall(gpu, this.#rank, [tables.a, tables.b]) &&
      (tables.moments === null || tables.places.moments.inner.length > 0);
  }

  adjustGradients(
    factors: Decomposition,
    gradients: FactorGradients,
    gauge: Gauge,
    damping: Damping,
  ): Coordinates {
    const { a, b } = this.#tables, raw = this.#raw(gradients);
    const coordinates = this.#tables.scratchOf("coordinates of gradients");
    this.#product({ ...a, flat: coordinates.a }, [[raw.a, this.#small(factors, "v_b", true)]]);
    this.#product({ ...b, flat: coordinates.b }, [[raw.b, this.#small(factors, "v_a", true)]]);
    return this.#closedForm(factors, coordinates, gauge, damping, false);
  }

  updateMoments(
    factors: Decomposition,
    gradients: FactorGradients,
    damping: Damping,
    beta1: number,
    beta2: number,
  ): void {
    using _ = this.#gpu.scope("the equivalent gradient", "scratch");
    const { a, b } = this.#tables, raw = this.#raw(gradients), { left } = factors;
    const made = this.#tables.scratchOf("parts of the equivalent gradient");
    this.#part(factors, 0, { damping });
    this.#part(factors, 1, { damping });
    const h = { ...b, flat: made.b }, k = { ...a, flat: made.a };
    this.#product(h, [[raw.b, this.#small(factors, "times_a", true)]]);
    this.#part(factors, 2, { damping, overlaps: tallOverlaps(this.#gpu, { ...b, flat: left.b }, h).tensor });
    this.#product(k, [
      [raw.a, this.#small(factors, "times_b", true)],
      [{ ...a, flat: left.a }, this.#small(factors, "e", true)],
    ]);
    const rates = { beta1, beta2, rest1: 1 - beta1, rest2: 1 - beta2 },
      { layers, block, places } = this.#tables;
    const { m, v } = this.#tables.moments!, { small } = factors;
    if (!this.#staged) {
      const kernel = quadKernel(momentsKernels, [
        ...this.#ofA(["a_left", "a_coordinates", "m", "v"]),
        ...this.#ofB(["b_left", "b_coordinates"]),
      ]);
      this.#gpu.launch(kernel, {
        buffers: {
          ...{ layers, aLeft: left.a, bLeft: left.b, small },
          ...{ aCoordinates: made.a, bCoordinates: made.b, m, v },
        },
        uniforms: { rank: this.#rank, block: block / 4, zero: 0, ...rates },
        constants: { PLAIN: true },
        workgroups: this.#grid((rows, columns) => Math.ceil(rows / 4) * Math.ceil(columns / 8)),
      });
      return;
    }
    const steps = [32, 64, 128, 256].find((steps) => steps >= this.#rank)!;
    this.#gpu.launch(stagedMoments({ steps }), {
      buffers: { layers, small, uLeft: left.b, hLeft: made.b, uRight: made.a, hRight: left.a, m, v },
      uniforms: {
        ...{ rank: this.#rank, jobs: 6 * this.#count, block: block / 4, facts: this.#facts, zero: 0 },
        ...rates,
      },
      workgroups: [1, Math.max(1, COLUMNS * steps / MOST_NUMBERS), places.moments.inner.length],
    });
  }

  adjustDirection(factors: Decomposition, direction: Direction, gauge: Gauge, damping: Damping): Coordinates {
    const coordinates = this.#tables.scratchOf("coordinates of the direction");
    const { layers, places, block } = this.#tables, moments = this.#tables.moments!;
    for (const ofB of [false, true]) {
      const left = ofB ? factors.left.a : factors.left.b, projected = ofB ? coordinates.b : coordinates.a;
      if (!this.#staged) {
        const kernel = quadKernel(projectKernels, [
          ...this.#ofA(ofB ? ["left", "m", "v"] : ["projected", "m", "v"]),
          ...this.#ofB([ofB ? "projected" : "left"]),
        ]);
        this.#gpu.launch(kernel, {
          buffers: { layers, left, small: factors.small, ...moments, projected },
          uniforms: { rank: this.#rank, block: block / 4, zero: 0, ...direction },
          constants: { OF_B: ofB, PLAIN: true },
          workgroups: this.#grid((rows, columns) =>
            Math.ceil((ofB ? rows : columns) / 4) * Math.ceil(this.#rank / 8)
          ),
        });
        continue;
      }
      const { at, inner } = ofB ? places.ofB : places.ofA;
      const most = Math.max(...inner), lanes = [32, 64, 128].find((lanes) => lanes >= this.#rank) ?? 128;
      for (let firstStep = 0; firstStep < most; firstStep += STEPS) {
        this.#gpu.launch(stagedProject, {
          buffers: { layers, left, ...moments, projected },
          uniforms: {
            ...{ rank: this.#rank, jobs: 6 * this.#count + at, ofB: Number(ofB), firstStep, zero: 0 },
            ...direction,
          },
          constants: { LANES: lanes },
          workgroups: [Math.ceil(this.#rank / lanes), 1, inner.filter((steps) => steps > firstStep).length],
        });
      }
    }
    return this.#closedForm(factors, coordinates, gauge, damping, true);
  }

  fromCoordinates(factors: Decomposition, { coordinates, turned }: Coordinates, out: Adjusted): void {
    const { a, b } = this.#tables, { left } = factors;
    this.#product({ ...a, flat: out.a }, [
      [{ ...a, flat: coordinates.a }, this.#small(factors, "times_b")],
      [{ ...a, flat: left.a }, turned!.a],
    ]);
    this.#product({ ...b, flat: out.b }, [
      [{ ...b, flat: coordinates.b }, this.#small(factors, "times_a")],
      [{ ...b, flat: left.b }, turned!.b, -1],
    ]);
  }

  #closedForm(
    factors: Decomposition,
    coordinates: Adjusted,
    gauge: Gauge,
    damping: Damping,
    ofDirection: boolean,
  ): Coordinates {
    const { b } = this.#tables, at = { rank: this.#rank, factors: this.ones };
    this.#part(factors, 0, { damping });
    const overlaps = tallOverlaps(this.#gpu, { ...b, flat: factors.left.b }, { ...b, flat: coordinates.b });
    this.#part(factors, 3, { damping, gauge, ofDirection, overlaps: overlaps.tensor });
    const turned = {
      // (V_B Y T)^T and E V_A^T.
      a: smallProducts(this.#gpu, this.#small(factors, "yt", true), this.#small(factors, "v_b", true), at),
      b: smallProducts(this.#gpu, this.#small(factors, "e"), this.#small(factors, "v_a", true), at),
    };
    return { coordinates, turned };
  }

  /** Launches a part of wide_pair.wgsl. */
  #part(
    { small }: Decomposition,
    part: 0 | 1 | 2 | 3,
    how: {
      readonly damping: Damping;
      readonly gauge?: Gauge;
      readonly ofDirection?: boolean;
      readonly overlaps?: Tensor;
    },
  ): void {
    const { layers, block } = this.#tables, { damping, gauge = "zero", ofDirection = false } = how;
    this.#gpu.launch(wideKernel, {
      buffers: { layers, overlaps: how.overlaps ?? this.ones, small },
      uniforms: {
        ...{ rank: this.#rank, block: block / 4, gauge: GAUGES[gauge], ofDirection: Number(ofDirection) },
        ...{ relativeDamping: damping.relative, absoluteDamping: damping.absolute },
      },
      constants: { PART: part },
      workgroups: groupsForEach(this.#count, part === 0 ? 1 : this.#rank * smallStride(this.#rank) / 4),
    });
  }

  /** One of a layer's small matrices, by rows, or the other way round where `turned`. */
  #small({ small }: Decomposition, which: keyof typeof PLACES, turned = false): SmallMatrices {
    const stride = smallStride(this.#rank), at = PLACES[which] * this.#rank * stride;
    const lines = { tensor: small, at, block: this.#tables.block };
    return turned ? { ...lines, row: 1, column: stride } : { ...lines, row: stride, column: 1 };
  }

  /** out ← the sum of scale · X K. */
  #product(
    out: TallMatrices,
    terms: readonly (readonly [x: TallMatrices, by: SmallMatrices, scale?: number])[],
  ): void {
    using _ = this.#gpu.scope("factors by rows", "scratch");
    const [first, second] = terms.map(([x, by, scale = 1]) => ({ x, by: this.#byRows(by), scale }));
    tallProducts(this.#gpu, out, second ? [first!, second] : [first!]);
  }

  /** What kernels without staged factors need: rows of whole vectors. */
  #byRows(small: SmallMatrices): SmallMatrices {
    if (small.column === 1 || this.#staged) return small;
    const other = { ...small, row: small.column, column: small.row };
    return smallProducts(this.#gpu, null, other, { rank: this.#rank, factors: this.ones });
  }

  #raw({ flat, a, b }: FactorGradients): { readonly a: TallMatrices; readonly b: TallMatrices } {
    const at = (elements: number): Tensor => ({
      ...flat,
      offset: flat.offset + ELEMENT_BYTES * elements,
      shape: [elementCount(flat.shape) - elements],
    });
    return { a: { ...this.#tables.a, flat: at(a) }, b: { ...this.#tables.b, flat: at(b) } };
  }

  /** Where a layer's dampings lie, in vectors from its block on. */
  get #facts(): number {
    return (6 * this.#rank + 2) * smallStride(this.#rank) / 4;
  }

  #ofA(names: readonly string[]): readonly string[] {
    return this.#tables.a.rows.every((columns) => columns % 4 === 0) ? names : [];
  }

  #ofB(names: readonly string[]): readonly string[] {
    return this.#rank % 4 === 0 ? names : [];
  }

  #grid(lanes: (rows: number, columns: number) => number): readonly [number, number, number] {
    const { a, b } = this.#tables;
    return groupsForEach(this.#count, Math.max(...a.rows.map((columns, i) => lanes(b.rows[i]!, columns))));
  }
}
