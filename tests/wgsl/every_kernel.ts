/** @file Every kernel of the project, launched through its launcher. */
import type { Gpu, Kernel, KernelSpec, Launch } from "../../gpu/mod.ts";
import * as kernels from "../../kernels/mod.ts";
import { scaledRowsBackward, Triplets } from "../../optimizers/adalora/triplets.ts";
import {
  magnitudeChange,
  rowNorms,
  scaleColumns,
  scaleColumnsBackward,
  scaleRows,
} from "../../optimizers/dora/magnitude.ts";
import { copyBlocks } from "../../optimizers/lora_muon/tangent.ts";
import { addRowProducts, describeRowProducts, directionOf } from "../../optimizers/loft/row_products.ts";
import { FactorPairs } from "../../optimizers/lora_pro/factor_pairs.ts";
import {
  blockProducts,
  cayley,
  cayleyBackward,
  cayleyChange,
  rotateBlocks,
} from "../../optimizers/oft/rotations.ts";
import { lionUpdate } from "../../optimizers/base_optimizers/base_rule.ts";
import { gainsGradient, scaleBasis, scalesGradient } from "../../optimizers/floors/scaled_basis.ts";
import { scaleChannels } from "../../optimizers/galore/channels.ts";
import {
  addSparse,
  gatherSparse,
  scatterSparse,
  sparseGradient,
  uploadSupport,
} from "../../optimizers/shira/sparse.ts";
import { skipLarge } from "../../optimizers/lora_rite/skip_large.ts";

/** Values of a kernel's overrides by name. */
export type Constants = Readonly<Record<string, number | boolean>>;

/** A kernel that was launched, with each set of constants that it was launched with. */
export interface Seen {
  readonly spec: KernelSpec;
  /** The same kernel with subgroups, where there is one. */
  readonly inSubgroups: KernelSpec | null;
  readonly constants: Constants[];
}

/** Launches every kernel of the repository at least once, each through its launcher. */
export function launchAll(gpu: Gpu): void {
  const tensor = (...shape: number[]) => gpu.zeros(shape, "x");
  const words = (...values: number[]) =>
    gpu.upload(Uint32Array.from(values), "u32", [values.length], "words");
  const x = tensor(4, 8), y = tensor(4, 8), row = tensor(8), one = tensor(1);

  kernels.add(gpu, x, y);
  kernels.addRow(gpu, tensor(4, 3), tensor(3));
  kernels.accumulateRow(gpu, tensor(4, 3), tensor(3));
  kernels.accumulate(gpu, x, y);
  for (const kind of kernels.ACTIVATIONS) {
    kernels.activation(gpu, x, kind);
    kernels.activationBackward(gpu, x, y, kind, tensor(4, 8), false);
  }
  kernels.multiply(gpu, x, row);
  kernels.multiply(gpu, x, y);
  kernels.softCapBackward(gpu, kernels.softCap(gpu, x, 2), y, 2, tensor(4, 8), false);
  kernels.swiglu(gpu, x, y);
  kernels.swigluBackward(gpu, x, y, tensor(4, 8));
  kernels.geglu(gpu, x, y);
  kernels.gegluBackward(gpu, x, y, tensor(4, 8));
  kernels.relativeBiasBackward(gpu, kernels.relativeBias(gpu, x, 2, 3), tensor(4, 8), false);
  const positions = kernels.relativeRows(gpu, 2, 3, (distance) => distance + 1);
  const operands = { q: x, k: y, qr: tensor(3, 8), kr: tensor(3, 8) };
  kernels.relativeScoresBackward(
    gpu,
    operands,
    2,
    1,
    positions,
    kernels.relativeScores(gpu, operands, 2, 1, positions),
    {
      ...{ q: { into: tensor(4, 8), accumulate: false }, k: null },
      ...{ qr: null, kr: { into: tensor(3, 8), accumulate: true } },
    },
  );
  // Rows of one head of 8, read as vectors, and of two heads of 3, element by element.
  for (const [heads, size] of [[1, 8], [2, 3]] as const) {
    // No model has rotary angles and a bias, which would be too many buffers for some adapters.
    for (const kind of ["plain", "rotary", "biased", "own", "capped"] as const) {
      const all = kind !== "plain";
      const shape = { queries: 2, keys: 2, heads, keyValueHeads: 1, size, causal: all, scale: 1 };
      const sizes = {
        ...shape,
        ...(kind === "rotary" && size % 2 === 0 ? { angles: tensor(2, size / 2, 2) } : {}),
        ...(all ? { mask: words(1, 1, 1, 0) } : {}),
        ...(kind === "biased" ? { bias: tensor(heads, 2, 2) } : {}),
        ...(kind === "own" ? { bias: tensor(2, heads, 2, 2) } : {}),
        ...(kind === "capped" ? { window: 1, softCap: 2 } : {}),
      };
      const q = tensor(4, heads * size), k = tensor(4, size), v = tensor(4, size);
      const result = kernels.attention(gpu, q, k, v, sizes);
      const to = (...shape: number[]) => ({ into: tensor(...shape), accumulate: false });
      kernels.attentionBackward(gpu, q, k, v, result, q, sizes, {
        ...{ q: to(4, heads * size), k: to(4, size), v: to(4, size) },
        bias: kind === "biased" ? to(heads, 2, 2) : kind === "own" ? to(2, heads, 2, 2) : null,
      });
    }
  }
  for (const [size, bias] of [[3, { bias: tensor(2, 1, 2) }], [4, {}]] as const) {
    const mask = gpu.zeros([2, 3], "mask", "u32"), k = tensor(6, size), v = tensor(6, size);
    const sizes = { keys: 2, heads: 2, keyValueHeads: 1, size, scale: 1, mask, ...bias };
    kernels.singleQueryAttention(gpu, tensor(2, 2 * size), k, v, sizes);
    kernels.singleQueryAttention(gpu, tensor(2, 2 * size), k, v, { ...sizes, softCap: 2 });
  }
  kernels.gatherRows(gpu, x, { rows: 1, offsets: words(0, 1), sources: words(2) });
  kernels.scatterRows(gpu, x, words(3, 1, 0, 2), tensor(5, 8));
  kernels.keepRows(gpu, x, y);
  kernels.scatterRows(gpu, x, words(3, 1, 0, 2), tensor(5, 8), {
    positions: words(0, 0, 1, 1),
    angles: tensor(2, 2, 2),
  });
  kernels.columnSum(gpu, x, { into: row, accumulate: false });
  kernels.columnSum(gpu, x, { into: row, accumulate: true, normalized: { x: y, statistics: tensor(4, 2) } });
  kernels.dotInto(gpu, x, y, one);
  kernels.createComparisons(gpu, 1).add(x, y);
  for (const lanes of [1, 4, 64]) {
    for (const center of [false, true]) {
      const options = { epsilon: 1e-5, center, lanes };
      const { statistics } = kernels.norm(gpu, x, row, center ? tensor(8) : null, options);
      kernels.addNorm(gpu, x, y, row, center ? tensor(8) : null, options);
      kernels.normBackward(gpu, y, x, row, statistics, { ...options, into: tensor(4, 8), accumulate: false });
    }
    const targets = gpu.upload(Int32Array.of(0, 1, -100, 7), "i32", [4], "targets");
    kernels.crossEntropyBackward(
      gpu,
      x,
      targets,
      kernels.crossEntropy(gpu, x, targets, 3, { lanes }).normalizers,
      3,
      one,
    );
  }
  kernels.toFloat(gpu, kernels.toHalf(gpu, x));
  for (const type of ["int8", "nf4"] as const) kernels.toFloat(gpu, gpu.zeros([4, 8], "kept", type));
  for (const type of ["f16", "int8", "nf4"] as const) {
    for (const columns of [8, 9]) {
      const one = { rows: 1, offsets: words(0, 1), sources: words(2) };
      kernels.gatherStoredRows(gpu, gpu.zeros([4, columns], "table", type), one);
    }
  }
  // Rows of whole vectors take the twins of these kernels; these rows take the kernels themselves.
  const odd = tensor(4, 7), oddRow = tensor(7);
  kernels.gatherRows(gpu, odd, { rows: 1, offsets: words(0, 1), sources: words(2) });
  kernels.columnSum(gpu, odd, { into: oddRow, accumulate: false });
  const { statistics } = kernels.norm(gpu, odd, oddRow, null, { epsilon: 1e-5, center: false });
  kernels.normBackward(gpu, tensor(4, 7), odd, oddRow, statistics, {
    center: false,
    into: tensor(4, 7),
    accumulate: false,
  });
  kernels.addNorm(gpu, odd, tensor(4, 7), oddRow, null, { epsilon: 1e-5, center: false });
  const classes = gpu.upload(Int32Array.of(0, 1, -100, 6), "i32", [4], "targets");
  const { normalizers } = kernels.crossEntropy(gpu, odd, classes, 3);
  kernels.crossEntropyBackward(gpu, odd, classes, normalizers, 3, one);
  kernels.argmax(gpu, odd);
  kernels.argmax(gpu, x);
  kernels.clip(gpu, x, one, 1);
  kernels.recordStep(gpu, { loss: one, squaredNorm: tensor(1), losses: row, diverged: words(0) }, {
    slot: 0,
    step: 1,
  });
  kernels.sgdUpdate(gpu, x, y, 0.1);
  const update = { step: 1, learningRate: 0.1, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0 };
  kernels.adamwUpdate(gpu, { parameter: tensor(8), gradient: row, m: tensor(8), v: tensor(8) }, update);

  for (
    const [rank, columns, rows, lanes] of [[2, 7, 4, 8], [4, 8, 4, 64], [14, 15, 14, 8], [
      16,
      20,
      16,
      8,
    ]] as const
  ) {
    const pair = {
      a: tensor(rank, columns),
      b: tensor(rows, rank),
      m: tensor(rows, columns),
      v: tensor(rows, columns),
      scale: 2,
    };
    const pairs = new FactorPairs(gpu, [pair], { lanes }), factors = pairs.decompose();
    const raw = { flat: tensor(rank * (columns + rows) + 64), a: 0, b: 64 * Math.ceil(rank * columns / 64) };
    for (const gauge of ["zero", "sylvester", "symmetric"] as const) {
      const damping = { relative: 1e-6, absolute: 0 };
      pairs.adjustGradients(factors, raw, gauge, damping);
      pairs.updateMoments(factors, raw, damping, 0.9, 0.99);
      const direction = pairs.adjustDirection(
        factors,
        { correction1: 1, correction2: 1, epsilon: 1e-8 },
        gauge,
        damping,
      );
      pairs.capSteps(pairs.fromCoordinates(factors, direction), 0.1, 0.5);
    }
  }

  // Rows of whole vectors and others.
  for (const columns of [8, 7]) {
    const weight = tensor(4, columns), factors = { a: tensor(2, columns), b: tensor(4, 2), scale: 2 };
    for (const lanes of [1, 32]) {
      const kept = (["int8", "nf4"] as const).map((type) => gpu.zeros([4, columns], "kept", type));
      for (const w of [weight, kernels.toHalf(gpu, weight), ...kept]) {
        rowNorms(gpu, w, factors, tensor(4), { lanes });
      }
      const by = { magnitude: tensor(4), norms: tensor(4) };
      const moves = { change: tensor(4, columns), magnitudeChange: tensor(4) };
      magnitudeChange(gpu, weight, by, moves, { lanes });
      scaleRows(gpu, weight, by);
    }
    const by = { magnitude: tensor(columns), norms: tensor(columns) };
    scaleColumnsBackward(gpu, scaleColumns(gpu, weight, by), weight, by, {
      x: null,
      magnitude: { into: tensor(columns), accumulate: false },
    });
  }
  const targetModule = { q: tensor(3, 7), p: tensor(4, 3), e: tensor(3) };
  const triplets = new Triplets(gpu, [targetModule]), values = { flat: tensor(256), p: 64, e: 128 };
  triplets.scaleRows(tensor(3, 7));
  triplets.scaleRows(tensor(3, 7), { layer: 0, accumulate: true });
  scaledRowsBackward(gpu, { ...targetModule, gradient: tensor(3, 7) }, { q: tensor(3, 7), e: tensor(3) });
  triplets.addPenalty(values, triplets.orthogonality(1).grams);
  const betas = { average: 0.85, uncertainty: 0.85 };
  triplets.score(values, tensor(256), tensor(256), null);
  triplets.drop(triplets.score(values, tensor(256), tensor(256), betas), 2, tensor(3));
  for (const lanes of [8, 64]) {
    const b = kernels.tallFactors(gpu, [tensor(4, 3)], "B"), c = { ...b, flat: tensor(4, 3) };
    const { left, v, values } = kernels.thinSvds(gpu, b, lanes), factors = tensor(1);
    const small = kernels.smallProducts(gpu, v, v, { rank: 3, f: "1/(s²+d)", values, factors });
    const other = kernels.smallProducts(gpu, kernels.tallOverlaps(gpu, b, left, lanes), null, {
      ...{ rank: 3, factors },
    });
    kernels.tallProducts(gpu, c, [{ x: b, by: small }, { x: left, by: other }]);
    kernels.tallProducts(
      gpu,
      c,
      [{ x: b, by: kernels.smallProducts(gpu, null, v, { rank: 3, factors }) }],
      0.5,
    );
    kernels.rightSvds(gpu, b, lanes);
    // Above rank 12 by other kernels.
    const wide = kernels.tallFactors(gpu, [tensor(20, 13)], "B");
    kernels.thinSvds(gpu, wide, lanes);
    kernels.rightSvds(gpu, wide, lanes, kernels.createWarmStart(gpu, 13, tensor(1), "warm"));
    skipLarge(gpu, c, 1, lanes);
  }
  lionUpdate(gpu, { parameter: tensor(4), gradient: tensor(4), m: tensor(4) }, 0.1);
  for (const channels of ["rows", "columns"] as const) {
    const low = channels === "rows" ? tensor(6, 2) : tensor(2, 7), direction = tensor(...low.shape);
    scaleChannels(gpu, tensor(6, 7), { channels, low, direction, last: tensor(1), growth: 1.01 });
  }
  const basis = tensor(2, 8), scales = tensor(6), scaledBasis = tensor(6, 7);
  for (const gains of [undefined, tensor(3, 7)]) {
    scaleBasis(gpu, basis, { scales, ...gains && { gains } }, { into: scaledBasis });
    for (const lanes of [1, 32]) {
      scalesGradient(gpu, basis, scaledBasis, { into: scales }, { ...gains && { gains }, lanes });
    }
  }
  gainsGradient(gpu, basis, scaledBasis, scales, { into: tensor(3, 7) });
  const support = uploadSupport(gpu, { out: 4, in: 8 }, Uint32Array.of(1, 9), "support");
  const entries = tensor(2);
  addSparse(gpu, support, entries, x, tensor(4, 4));
  addSparse(gpu, support, entries, tensor(4, 4), y, true);
  sparseGradient(gpu, support, tensor(4, 4), x, { into: entries, accumulate: true });
  gatherSparse(gpu, support, tensor(4, 4), { into: entries, accumulate: true });
  scatterSparse(gpu, support, entries, tensor(4, 8));
  const q = tensor(2, 6), turns = tensor(2, 4, 4);
  cayley(gpu, q, turns);
  cayleyChange(gpu, turns, q, tensor(2, 4, 4));
  cayleyBackward(gpu, turns, tensor(2, 4, 4), { into: q, accumulate: true });
  rotateBlocks(gpu, x, turns);
  rotateBlocks(gpu, x, turns, { turned: true });
  blockProducts(gpu, x, y, tensor(2, 4, 4));
  const small = () => ({ tensor: tensor(2, 4), at: 0, block: 8, row: 4, column: 1 });
  for (const out of [false, true]) {
    const blocks = { upperLeft: small(), upperRight: small(), lowerLeft: small() };
    copyBlocks(gpu, blocks, tensor(4, 4), { rank: 2, count: 1, out });
  }
  const moments = gpu.pack([{ label: "P", shape: [2, 4, 2] }], "P");
  const products = describeRowProducts(gpu, moments.parts, moments.flats[0]!, 2);
  const moving = tensor(4, 2), [second] = moments.parts;
  addRowProducts(gpu, products, kernels.tallFactors(gpu, [moving], "B"), 0.1);
  directionOf(
    gpu,
    { x: tensor(2, 9), m: moving, products: second!, moves: "b" },
    { first: 1, second: 1, epsilon: 0.1 },
    tensor(4, 9),
  );

  // Sizes by whose remainders and magnitudes the text of a product is chosen.
  for (const [rows, inner, columns] of [[3, 3, 3], [4, 4, 4], [9, 8, 12], [9, 7, 5], [12, 300, 8]] as const) {
    kernels.matmul(gpu, tensor(rows, inner), tensor(inner, columns));
    kernels.matmul(gpu, tensor(rows, inner), tensor(columns, inner), { transposeB: true });
    kernels.matmul(gpu, tensor(inner, rows), tensor(inner, columns), { transposeA: true });
  }
  for (const variant of kernels.variantsOn(gpu)) {
    for (const [transposeB, b, epilogueB] of [[false, [8, 12], [2, 12]], [true, [12, 8], [12, 2]]] as const) {
      for (const type of ["f16", "int8", "nf4"] as const) {
        kernels.matmulBy(variant, gpu, tensor(9, 8), gpu.zeros([...b], "kept", type), { transposeB });
      }
      const epilogue = { a: tensor(9, 2), b: tensor(...epilogueB), scale: 1 };
      kernels.matmulBy(variant, gpu, tensor(9, 8), tensor(...b), { transposeB, epilogue });
    }
    kernels.matmulBy(variant, gpu, tensor(8, 9), tensor(8, 12), { transposeA: true });
  }
}

/** The kernels that `work` launches on `gpu`. */
export function kernelsOf(gpu: Gpu, work: () => void): readonly Seen[] {
  const seen = new Map<Kernel<KernelSpec>, Seen>(), { launch } = gpu;
  gpu.launch = <S extends KernelSpec>(kernel: Kernel<S>, how: Launch<S>) => {
    const known = seen.get(kernel) ?? {
      spec: kernel.spec,
      inSubgroups: kernel.inSubgroups?.spec ?? null,
      constants: [],
    };
    seen.set(kernel, known);
    known.constants.push({ ...kernel.spec.constants, ...how.constants as Constants });
    launch.call(gpu, kernel as Kernel<KernelSpec>, how as Launch<KernelSpec>);
  };
  using _ = gpu.scope("all kernels");
  try {
    work();
  } finally {
    gpu.launch = launch;
  }
  return [...seen.values()];
}
